/**
 * The mutex: one has it, and if he dies the next one learns of it. In C it is a pthread_mutex_t, robust and shared by processes
 * (pthread_mutexattr_setrobust(3), pthread_mutexattr_setpshared(3)), at the beginning of the object.
 */
import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { checkOptions } from '../core/arguments.js';
import { EBADF, EBUSY, EDEADLK, EFAULT, ENOTRECOVERABLE, EOWNERDEAD } from '../core/errno.js';
import { argumentError, closedError, codedError, IpcError, timeoutError } from '../core/errors.js';
import { Handle } from '../core/handle.js';
import {
  type Awaited,
  checkSignal,
  checkTimeout,
  pend,
  type SyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
} from '../core/wait.js';
import type { Mapping } from '../mmap/index.js';
import { native } from '../sys/index.js';
import { Guard, type Guarded } from './guard.js';
import {
  ELISION_MASK,
  INCONSISTENT,
  KIND,
  MAGIC,
  MUTEX_BYTES,
  OWNER,
  ROBUST_AND_SHARED,
  TID_MASK,
  TYPE_MASK,
} from './layout.js';
import { checkPlace, checkThere, existsError, format, wordAt } from './place.js';
import { Robust } from './robust.js';
import { Sleepers } from './sleepers.js';

/** What happens to a thread that wants a mutex which it has (pthread_mutexattr_settype(3)). */
export type MutexKind = 'normal' | 'recursive' | 'errorcheck';

const TYPES: readonly MutexKind[] = ['normal', 'recursive', 'errorcheck'];

/** How a mutex is made. */
export interface MutexCreateOptions {
  /**
   * `'normal'`: `lock()` waits until the other part of this thread has released it. `'recursive'`: this thread gets it again, and releases it
   * as often. `'errorcheck'`: EDEADLK. `'normal'` if omitted.
   */
  kind?: MutexKind;
}

/** How a mutex is opened. */
export interface MutexOpenOptions {
  /** Whether it is a pthread_mutex_t only, of 40 bytes at a multiple of 8, which a C program has initialised; false if omitted. */
  bare?: boolean;
}

const SYSCALL = 'pthread_mutex_lock';
/** A blocked thread looks up this often, so that a worker can be terminated. */
const SLICE_MS = 50;
/** Bytes of a pthread_mutex_t. */
const BARE_BYTES = 40;
const BARE_ALIGNMENT = 8;

/** A mutex in shared memory. */
export class Mutex extends Handle implements Guarded {
  /** Bytes that a mutex takes. */
  static readonly byteLength = MUTEX_BYTES;

  declare private readonly mapping: Mapping;
  readonly #offset: number;
  /** The 40 bytes are all that is ours. */
  readonly #bare: boolean;
  readonly #kind: MutexKind;
  declare private readonly robust: Robust;
  readonly #awaited: Awaited;
  #lane: Sleepers | undefined;
  /** How many guards there are. */
  declare private depth: number;

  readonly #what: string;

  private constructor(mapping: Mapping, offset: number, bare: boolean, what = `the mutex at ${offset}`) {
    super();
    this.#what = what;
    this.mapping = mapping;
    this.depth = 0;
    this.#offset = offset;
    this.#bare = bare;
    this.#kind = TYPES[wordAt(mapping, offset + KIND) & TYPE_MASK] ?? 'normal';
    this.robust = new Robust(mapping, offset, !bare);
    this.#awaited = { syscall: SYSCALL, subject: { object: this.describe() } };
    mapping.residents.know(this, offset + (bare ? BARE_BYTES : MUTEX_BYTES));
  }

  /**
   * Makes a mutex in memory that is zero (pthread_mutex_init(3)).
   *
   * @param offset bytes from the beginning of the mapping, a multiple of 64
   * @throws IpcError EEXIST; Error ERR_INTERPROC_LAYOUT if something else is there
   */
  static create(mapping: Mapping, offset: number, options: MutexCreateOptions = {}): Mutex {
    if (!make(mapping, offset, options)) throw existsError('mutex', offset);
    return new Mutex(mapping, offset, false);
  }

  /**
   * Uses a mutex that was made there, by interproc or, with `bare`, by pthread_mutex_init(3).
   *
   * @throws IpcError ENOENT; Error ERR_INTERPROC_LAYOUT for anything else that is there
   */
  static open(mapping: Mapping, offset: number, options: MutexOpenOptions = {}): Mutex {
    checkOptions(options, ['bare']);
    const bare = options.bare === true;
    checkPlace(mapping, offset, bare ? BARE_BYTES : MUTEX_BYTES, bare ? BARE_ALIGNMENT : undefined);
    if (!bare) checkThere(mapping, offset, 'mutex');
    const kind = wordAt(mapping, offset + KIND);
    if ((kind & ~(TYPE_MASK | ELISION_MASK)) !== ROBUST_AND_SHARED || (kind & TYPE_MASK) >= TYPES.length) {
      throw codedError(
        'ERR_INTERPROC_LAYOUT',
        `the memory at ${offset} is no pthread_mutex_t that is robust and shared by processes: its kind is 0x${kind.toString(16)}`,
      );
    }
    return new Mutex(mapping, offset, bare);
  }

  /** Uses the mutex that is there, or makes it. Of several who do so at once one makes it. */
  static openOrCreate(mapping: Mapping, offset: number, options: MutexCreateOptions = {}): Mutex {
    return make(mapping, offset, options) ? new Mutex(mapping, offset, false) : Mutex.open(mapping, offset);
  }

  /** The mutex that another object has at its beginning. @internal */
  static part(mapping: Mapping, offset: number, what: string): Mutex {
    return new Mutex(mapping, offset, false, what);
  }

  /** What it does with a thread that has it already. */
  get kind(): MutexKind {
    return this.#kind;
  }

  /** Whether this thread has it, through this handle. */
  get held(): boolean {
    return this.depth > 0;
  }

  /**
   * Takes it if nobody has it (pthread_mutex_trylock(3)).
   *
   * @returns `undefined` if somebody has it
   * @throws IpcError ENOTRECOVERABLE
   */
  tryLock(): Guard | undefined {
    const result = this.robust.take();
    if (result === undefined) return this.have();
    return this.#taken(result, false);
  }

  /**
   * Takes it, waiting while somebody has it (pthread_mutex_lock(3)). Those of this thread get it in the order in which they asked; between
   * threads and processes whoever is first to see it free. An abort has not taken it.
   *
   * @throws IpcError ENOTRECOVERABLE: an owner has died, and the one after him did not repair what the mutex protects; EDEADLK; ETIMEDOUT
   */
  async lock(options?: WaitOptions): Promise<Guard> {
    let timeoutMs = Infinity;
    if (options !== undefined) {
      checkOptions(options, WAIT_OPTIONS);
      checkSignal(options.signal);
      timeoutMs = checkTimeout(options.timeoutMs);
    }
    if (this.#lane?.awaited !== true || this.held) {
      const result = this.robust.take();
      const guard = result === undefined ? this.have() : this.#taken(result, false);
      if (guard !== undefined) return guard;
      if (result === -EDEADLK && this.#kind === 'errorcheck') throw this.#deadlock();
    }
    if (timeoutMs === 0) throw timeoutError(SYSCALL, 0, this.#awaited.subject);
    return pend<Guard>(this, options, this.#awaited, (settle) => {
      this.#lane ??= this.#newLane();
      return this.#lane.add({
        attempt: () => {
          try {
            const result = this.robust.takeAfterSleep();
            const guard = result === undefined ? this.have() : this.#taken(result, true);
            if (guard === undefined) return false;
            settle.resolve(guard);
          } catch (why) {
            settle.reject(why);
          }
          return true;
        },
        reject: settle.reject,
        fail: (result) => settle.reject(this.#error(result)),
      });
    });
  }

  #newLane(): Sleepers {
    return new Sleepers(this.#awaited, {
      sleep: (token) => native().blockingLockWait(token, this.mapping.native, this.#offset),
      // Another process may want it. [pass-on]
      passOn: () => {
        if (!this.mapping.closed) native().futexWake(this.mapping.native, this.#offset, 1);
      },
      empty: () => {
        this.#lane = undefined;
      },
    });
  }

  /**
   * The same, blocking this thread.
   *
   * @throws IpcError EDEADLK if another part of this thread has it, which cannot release it meanwhile; ENOTRECOVERABLE; ETIMEDOUT
   */
  lockSync(options?: SyncWaitOptions): Guard {
    if (options !== undefined) checkOptions(options, ['timeoutMs']);
    let result = this.robust.take();
    if (result === undefined) return this.have();
    const timeoutMs = checkTimeout(options?.timeoutMs);
    const deadline = performance.now() + timeoutMs;
    for (let waiting = false; ; waiting = true) {
      const guard = result === undefined ? this.have() : this.#taken(result, waiting);
      if (guard !== undefined) return guard;
      if (result === -EDEADLK) throw this.#deadlock();
      const left = deadline - performance.now();
      if (!(left > 0)) throw timeoutError(SYSCALL, timeoutMs, this.#awaited.subject);
      native().lockWait(this.mapping.native, this.#offset, Math.min(left, SLICE_MS));
      result = this.robust.takeAfterSleep();
    }
  }

  private have(): Guard {
    this.depth = 1;
    this.#checkIntact();
    return new Guard(this, undefined);
  }

  /** What was taken in memory that the file does not have any more is no lock. */
  #checkIntact(): void {
    try {
      this.mapping.checkIntact();
    } catch (why) {
      this.depth = 0;
      this.robust.give();
      throw why;
    }
  }

  /** What `take` has answered, if it was not simply success. */
  #taken(result: number, waiting: boolean): Guard | undefined {
    switch (result) {
      case -EOWNERDEAD:
        this.depth = 1;
        this.#checkIntact();
        return new Guard(this, { owners: [this.robust.deadOwner()], unrepaired: true });
      case -EBUSY:
        return undefined;
      case -EDEADLK:
        if (this.#kind !== 'recursive' || this.depth === 0 || waiting) return undefined;
        this.depth++;
        return new Guard(this, undefined);
      default:
        throw this.#error(result);
    }
  }

  #check(): void {
    this.use();
    this.mapping.use();
  }

  #error(result: number): Error {
    if (result === -EBADF) return closedError(this.describe());
    if (result === -ENOTRECOVERABLE && this.#destroyed()) {
      return new IpcError({ code: 'EIDRM', ...this.#about(), message: 'the mutex was destroyed' });
    }
    return new IpcError({ code: result === -ENOTRECOVERABLE ? 'ENOTRECOVERABLE' : 'EIO', ...this.#about() });
  }

  #destroyed(): boolean {
    return !this.#bare && !this.mapping.closed && wordAt(this.mapping, this.#offset + MAGIC) === 0;
  }

  #deadlock(): Error {
    return new IpcError({ code: 'EDEADLK', ...this.#about(), message: 'this thread has the mutex already' });
  }

  #about(): { syscall: string; object: string } {
    return { syscall: SYSCALL, object: this.describe() };
  }

  /** @internal */
  makeConsistent(): void {
    if (this.robust.consistent() === undefined) return;
    throw new IpcError({
      code: 'EINVAL',
      syscall: 'pthread_mutex_consistent',
      object: this.describe(),
      message: 'the owner before did not die, or its death was repaired already',
    });
  }

  /** Releases what a guard has, which is to have it again later. @internal */
  release(guard: Guard): void {
    if (this.depth > 1) {
      throw new IpcError({
        code: 'EPERM',
        ...this.#about(),
        message: `this thread has the mutex ${this.depth} times`,
      });
    }
    guard.lose();
    this.giveBack();
  }

  /** @internal */
  giveBack(): void {
    if (--this.depth > 0) return;
    const result = this.robust.give();
    if (result === undefined) return;
    if (result === -EFAULT) {
      throw codedError('ERR_INTERPROC_LAYOUT', `somebody has overwritten ${this.describe()} while it was held`);
    }
    throw new IpcError({ code: 'EPERM', syscall: 'pthread_mutex_unlock', object: this.describe() });
  }

  /** The thread that has it, of whatever process, if one has. */
  get owner(): number | undefined {
    this.#check();
    const tid = wordAt(this.mapping, this.#offset) & TID_MASK;
    return tid === 0 ? undefined : tid;
  }

  /**
   * Makes it useless for everybody, at once for those who wait (EIDRM), and its memory free for a new object
   * (pthread_mutex_destroy(3)).
   *
   * @throws IpcError EBUSY while somebody has it
   */
  destroy(): void {
    this.#check();
    // By the addon, which gives it back so, too: it looks at the owner that is written below.
    const result = this.robust.takeAfterSleep();
    if (result === -EBUSY || result === -EDEADLK) {
      throw new IpcError({ code: 'EBUSY', syscall: 'pthread_mutex_destroy', object: this.describe() });
    }
    const words = this.mapping.int32;
    if (!this.#bare) Atomics.store(words, (this.#offset + MAGIC) / 4, 0);
    if (result === undefined || result === -EOWNERDEAD) {
      // Who gives back one that he should have repaired makes it useless.
      Atomics.store(words, (this.#offset + OWNER) / 4, INCONSISTENT);
      this.robust.give();
    }
    this.close();
  }

  /** @internal */
  remapped(): void {
    this.robust.remapped();
  }

  /** @internal */
  checkLeaving(): void {
    if (!this.held) return;
    throw codedError(
      'ERR_INTERPROC_LOCKED',
      `${this.describe()} is held by this thread: release it before its memory goes`,
    );
  }

  /**
   * Lets go of the handle; the mutex stays. Waits that are pending reject with `ERR_INTERPROC_CLOSED`.
   *
   * @throws Error ERR_INTERPROC_LOCKED while this thread has it
   */
  override close(): void {
    if (!this.closed) this.checkLeaving();
    super.close();
  }

  protected onClose(): void {
    this.mapping.residents.remove(this);
    this.robust.unbind();
  }

  describe(): string {
    return this.#what;
  }

  protected override details(): Record<string, unknown> {
    return { offset: this.#offset, kind: this.#kind, held: this.held };
  }
}

function make(mapping: Mapping, offset: number, options: MutexCreateOptions): boolean {
  checkPlace(mapping, offset, MUTEX_BYTES);
  checkOptions(options, ['kind']);
  const { kind = 'normal' } = options;
  const type = TYPES.indexOf(kind);
  if (type < 0)
    throw argumentError(`kind must be 'normal', 'recursive' or 'errorcheck', got ${inspect(kind, { depth: 0 })}`);
  const image = new Int32Array(MUTEX_BYTES / 4);
  image[KIND / 4] = ROBUST_AND_SHARED | type;
  return format(mapping, offset, 'mutex', image);
}
