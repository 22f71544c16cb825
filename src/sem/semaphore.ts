/** A POSIX semaphore, as libc has it: 32 bytes of shared memory. */
import { checkInteger } from '../core/arguments.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { check, type ErrorSubject, IpcError, systemError } from '../core/errors.js';
import { Handle } from '../core/handle.js';
import { Permit } from '../core/permit.js';
import { traceOf } from '../core/trace.js';
import { type Taking, Turns } from '../core/turns.js';
import { checkSyncWait, checkWait, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import type { Mapping } from '../mmap/index.js';
import { native } from '../sys/index.js';

/** SEM_VALUE_MAX. */
export const MOST_VALUE = 0x7fff_ffff;

/** What a semaphore is made of. @internal */
export interface SemaphoreInit {
  mapping: Mapping;
  offset: number;
  /** The name; `undefined` for one in a mapping of the user's. */
  name: string | undefined;
  created: boolean;
}

export const trace = traceOf('sem');

/**
 * A semaphore (sem_overview(7)): a number of permits. It is the one of sem_open(3) and sem_init(3), so programs in every language
 * that uses those share it.
 *
 * It does not know who holds a permit: what a process that was killed had taken is lost. `{ recover: true }` makes one that does.
 */
export class Semaphore extends Handle {
  /** `'/printers'`; `undefined` for one inside a mapping. */
  readonly name: string | undefined;
  /** Whether this call made it. */
  readonly created: boolean;
  readonly #mapping: Mapping;
  readonly #offset: number;
  readonly #subject: ErrorSubject;
  readonly #turns: Turns;
  readonly #taking: Taking;

  /** @internal */
  constructor({ mapping, offset, name, created }: SemaphoreInit) {
    super();
    this.name = name;
    this.created = created;
    this.#mapping = mapping;
    this.#offset = offset;
    this.#subject = { object: name ?? `the semaphore at ${offset}` };
    this.#turns = new Turns(this, { syscall: 'sem_wait', subject: this.#subject });
    this.#taking = {
      attempt: () => this.#attempt(),
      begin: (token) => native().blockingSemWait(token, this.#mapping.native, offset),
      block: (timeoutMs) => native().semClockwait(this.#mapping.native, offset, timeoutMs),
      error: (result) => systemError(result, 'sem_wait', this.#subject),
    };
    trace(created ? 'create' : 'open', { name, offset });
  }

  #attempt(): boolean {
    for (;;) {
      const result = native().semTrywait(this.#mapping.native, this.#offset);
      if (result >= 0) return true;
      if (result === -EAGAIN) return false;
      if (result !== -EINTR) throw systemError(result, 'sem_trywait', this.#subject);
    }
  }

  /** @internal */
  override use(): void {
    super.use();
    this.#mapping.use();
  }

  #permit(): Permit {
    return new Permit(() => this.release());
  }

  /**
   * Takes a permit (sem_wait(3)), waiting for one behind the waits of this handle. An abort or a time-out has taken none; one that
   * was there already is delivered. The permit gives it back, or `release` does.
   *
   * While it waits, a thread sleeps in the kernel, for all waits of this handle together.
   */
  async acquire(options: WaitOptions = {}): Promise<Permit> {
    this.use();
    checkWait(options);
    await this.#turns.async('', this.#taking, options);
    return this.#permit();
  }

  /** As `acquire`, blocking this thread, on the monotonic clock (sem_clockwait(3)). */
  acquireSync(options: SyncWaitOptions = {}): Permit {
    this.use();
    checkSyncWait(options);
    this.#turns.sync(this.#taking, options);
    return this.#permit();
  }

  /** As `acquire`, without waiting (sem_trywait(3)): `undefined` if there is none. */
  tryAcquire(): Permit | undefined {
    this.use();
    return this.#attempt() ? this.#permit() : undefined;
  }

  /**
   * Adds permits (sem_post(3)) and wakes as many who wait. Nobody asks whether they were taken before.
   *
   * @param count 1 to 2^31 - 1; 1 if omitted
   * @throws IpcError EOVERFLOW: its value would be above 2^31 - 1; none was added then, unless others added some in the same moment
   */
  release(count = 1): void {
    this.use();
    checkInteger('count', count, 1, MOST_VALUE);
    if (count > 1 && this.value + count > MOST_VALUE) throw this.#overflow();
    const posted = native().semPost(this.#mapping.native, this.#offset, count);
    if (check(posted, 'sem_post', this.#subject) < count) throw this.#overflow();
  }

  #overflow(): Error {
    return new IpcError({ code: 'EOVERFLOW', syscall: 'sem_post', ...this.#subject });
  }

  /** How many permits there are (sem_getvalue(3)), 0 also while somebody waits. It may be another a moment later. */
  get value(): number {
    this.use();
    return check(native().semGetvalue(this.#mapping.native, this.#offset), 'sem_getvalue', this.#subject);
  }

  describe(): string {
    return this.name === undefined ? `the semaphore at ${this.#offset}` : `the semaphore ${this.name}`;
  }

  /** The mapping of a named one is its own; a thread that is still being called back keeps the memory until then. */
  protected onClose(): void {
    if (this.name !== undefined) this.#mapping.close();
  }

  protected override details(): Record<string, unknown> {
    return this.closed || this.#mapping.closed ? { name: this.name } : { name: this.name, value: this.value };
  }
}
