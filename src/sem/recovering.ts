/**
 * A semaphore whose permits have owners. Each permit is a byte of a file, and whoever has it holds the lock of that byte, an open file
 * description lock (fcntl(2)). The kernel takes a lock from an owner who ends, however that happens: so no permit is ever lost, and no
 * permit is taken from one who lives, be he stopped.
 *
 * That is an invention of this library, and not what sem_open(3) knows.
 */
import { writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { checkInteger, checkMode } from '../core/arguments.js';
import { makeComplete } from '../core/complete.js';
import { EAGAIN } from '../core/errno.js';
import { argumentError, check, type ErrorSubject, IpcError, timeoutError } from '../core/errors.js';
import { atExit } from '../core/exit.js';
import { namesDescriptor } from '../core/files.js';
import { DescriptorHandle } from '../core/handle.js';
import { Permit } from '../core/permit.js';
import { traceOf } from '../core/trace.js';
import {
  checkSignal,
  checkSyncWait,
  checkTimeout,
  checkWait,
  pend,
  type SyncWaitOptions,
  type WaitOptions,
} from '../core/wait.js';
import { F_RDLCK, F_UNLCK, F_WRLCK, native } from '../sys/index.js';
import { Changes } from './changes.js';
import { type OwnerOptions, openFile, pathOf } from './name.js';

/** How a semaphore whose permits come back is made. */
export interface RecoveringOptions {
  /** Says that a permit comes back when its owner ends. */
  recover: true;
  /** Permits that there are, 1 to 4096. */
  value: number;
  /** Permission bits, exactly these whatever the umask; 0600 if omitted. Using it needs reading and writing. */
  mode?: number;
  /** Whether the name is removed by its last user, when he closes or ends in peace; false if omitted. */
  temporary?: boolean;
}

/** How one is opened. */
export interface RecoveringOpenOptions extends OwnerOptions {
  recover: true;
  /** Whether the name is removed by its last user, if that is this one; false if omitted. */
  temporary?: boolean;
}

const MOST_PERMITS = 4096;
/** Beyond all permits: whoever has the semaphore open holds a read lock there, so that the last is known. */
const USERS = 2 ** 40;
/** Whoever waits for a permit holds a read lock here: between one who gives and one who takes, nobody has it and somebody waits. */
const WAITING = USERS + 1;
const MOST_REMOVAL_MS = 1000;

const trace = traceOf('sem');
const asleep = new Int32Array(new SharedArrayBuffer(4));
const ONE = new Uint8Array(1);

/** Throws for options that cannot be meant. */
export function checkRecovering({ value, mode, temporary }: RecoveringOptions): void {
  checkInteger('value', value, 1, MOST_PERMITS);
  if (mode !== undefined) checkMode(mode);
  checkTemporary(temporary);
}

/** Throws for what is no answer. */
export function checkTemporary(temporary: unknown): void {
  if (temporary !== undefined && typeof temporary !== 'boolean') {
    throw argumentError(`temporary must be true or false, got ${String(temporary)}`);
  }
}

interface Opened {
  name: string;
  path: string;
  count: number;
  created: boolean;
  temporary: boolean;
}

/** One wait. */
interface Waiter {
  /** Whether it takes a permit: those behind it must not overtake it. */
  takes: boolean;
  attempt(): boolean;
}

/**
 * A semaphore whose permits come back when whoever has them ends, is killed, or closes this handle. There is no `release()`: who has a
 * permit gives it back.
 */
export class RecoveringSemaphore extends DescriptorHandle {
  /** `'/printers'`. It is another semaphore than that of sem_open(3) with the same name. */
  readonly name: string;
  /** Whether this call made it. */
  readonly created: boolean;
  /** Permits that there are, taken or not. */
  readonly count: number;
  readonly #subject: ErrorSubject;
  /** The bytes whose locks we hold: to the kernel, those are free for us. */
  readonly #held = new Set<number>();
  readonly #waiters = new Set<Waiter>();
  /** Of these, how many wait for a permit; and who does so by blocking this thread. */
  #waiting = 0;
  #changes: Changes | undefined;
  #stayAtExit: (() => void) | undefined;

  /** @internal */
  constructor(fd: number, { name, path, count, created, temporary }: Opened) {
    super(fd, `the semaphore ${name}`);
    this.name = name;
    this.created = created;
    this.count = count;
    this.#subject = { object: name };
    if (temporary) {
      const leave = (): void => removeIfLast(fd, path);
      this.#stayAtExit = atExit(leave);
      this.beforeClose(leave);
    }
    trace(created ? 'create' : 'open', { name, recover: true, count });
  }

  /** `true` if this byte's lock is ours now. */
  #lock(byte: number): boolean {
    const locked = native().ofdSetLock(this.fd, F_WRLCK, byte, 1);
    if (locked === -EAGAIN) return false;
    check(locked, 'fcntl(F_OFD_SETLK)', this.#subject);
    return true;
  }

  #take(): Permit | undefined {
    for (let byte = 0; byte < this.count; byte++) {
      if (this.#held.has(byte) || !this.#lock(byte)) continue;
      this.#held.add(byte);
      return new Permit(() => this.#give(byte));
    }
    return undefined;
  }

  /** What the kernel has taken back already, with this handle, is not given again. */
  #give(byte: number): void {
    if (this.closed || !this.#held.delete(byte)) return;
    check(native().ofdSetLock(this.fd, F_UNLCK, byte, 1), 'fcntl(F_OFD_SETLK)', this.#subject);
    // The kernel tells nobody of a lock, but everybody who watches of a byte that is written.
    writeSync(this.fd, ONE, 0, 1, 0);
  }

  /** Takes a permit, without waiting: `undefined` if there is none. */
  tryAcquire(): Permit | undefined {
    this.use();
    return this.#take();
  }

  /**
   * Takes a permit, waiting for one behind the waits of this handle. An abort or a time-out has taken none. No thread waits: the kernel
   * tells when something has changed.
   *
   * @throws IpcError ENOLCK (the system has no room for more locks)
   */
  async acquire(options: WaitOptions = {}): Promise<Permit> {
    this.use();
    checkWait(options);
    return this.#wait(options, true, () => this.#take());
  }

  /** As `acquire`, blocking this thread. */
  acquireSync(options: SyncWaitOptions = {}): Permit {
    this.use();
    checkSyncWait(options);
    const now = this.#take();
    if (now !== undefined) return now;
    this.#beginWaiting();
    try {
      return this.#block(options, () => this.#take());
    } finally {
      this.#endWaiting();
    }
  }

  /** Permits that nobody has. It may be another number a moment later. */
  get value(): number {
    this.use();
    let free = 0;
    for (let byte = 0; byte < this.count; byte++) {
      if (this.#held.has(byte)) continue;
      const found = native().ofdGetLock(this.fd, F_WRLCK, byte, 1);
      if (check(found, 'fcntl(F_OFD_GETLK)', this.#subject) === F_UNLCK) free++;
    }
    return free;
  }

  #beginWaiting(): void {
    if (this.#waiting === 0)
      check(native().ofdSetLock(this.fd, F_RDLCK, WAITING, 1), 'fcntl(F_OFD_SETLK)', this.#subject);
    this.#waiting++;
  }

  #endWaiting(): void {
    this.#waiting--;
    if (this.#waiting === 0 && !this.closed) native().ofdSetLock(this.fd, F_UNLCK, WAITING, 1);
  }

  #anyoneWaits(): boolean {
    if (this.#waiting > 0) return true;
    const found = native().ofdGetLock(this.fd, F_WRLCK, WAITING, 1);
    return check(found, 'fcntl(F_OFD_GETLK)', this.#subject) !== F_UNLCK;
  }

  /** Waits until nobody has a permit or waits for one. Somebody may have one when the promise resolves. */
  async whenIdle(options: WaitOptions = {}): Promise<void> {
    this.use();
    checkWait(options);
    await this.#wait(options, false, () => this.tryWhenIdle() || undefined);
  }

  /** As `whenIdle`, blocking this thread. */
  whenIdleSync(options: SyncWaitOptions = {}): void {
    this.use();
    checkSyncWait(options);
    this.#block(options, () => this.tryWhenIdle() || undefined);
  }

  /** Whether nobody has a permit now, or waits for one. */
  tryWhenIdle(): boolean {
    this.use();
    // Twice: who waits may have got a permit, or come, while the permits were looked at.
    return !this.#anyoneWaits() && this.value === this.count && !this.#anyoneWaits();
  }

  // ---- waiting

  #watched(): Changes {
    this.#changes ??= new Changes(this.fd, () => this.#look());
    return this.#changes;
  }

  #look(): void {
    if (this.closed) return;
    let overtaken = false;
    for (const waiter of [...this.#waiters]) {
      if (!this.#waiters.has(waiter) || (waiter.takes && overtaken)) continue;
      if (!waiter.attempt()) overtaken ||= waiter.takes;
    }
  }

  #leave(waiter: Waiter): void {
    if (this.#waiters.delete(waiter) && waiter.takes) this.#endWaiting();
    if (this.#waiters.size === 0) this.#changes?.off();
  }

  async #wait<T>(options: WaitOptions, takes: boolean, attempt: () => T | undefined): Promise<T> {
    checkSignal(options.signal);
    const timeoutMs = checkTimeout(options.timeoutMs);
    const queued = takes && this.#waiting > 0;
    const now = queued ? undefined : attempt();
    if (now !== undefined) return now;
    if (timeoutMs === 0) throw this.#late(0);
    return pend<T>(this, options, { syscall: 'sem_wait', subject: this.#subject }, (settle) => {
      const waiter: Waiter = {
        takes,
        attempt: () => {
          try {
            const value = attempt();
            if (value === undefined) return false;
            this.#leave(waiter);
            settle.resolve(value);
          } catch (why) {
            this.#leave(waiter);
            settle.reject(why);
          }
          return true;
        },
      };
      if (takes) this.#beginWaiting();
      this.#waiters.add(waiter);
      this.#watched().on();
      // What has changed before the watch began is seen now.
      this.#look();
      return (why) => {
        this.#leave(waiter);
        settle.reject(why);
        this.#look();
      };
    });
  }

  #late(timeoutMs: number): Error {
    return timeoutError('sem_wait', timeoutMs, this.#subject);
  }

  #block<T>(options: SyncWaitOptions, attempt: () => T | undefined): T {
    const timeoutMs = checkTimeout(options.timeoutMs);
    const deadline = performance.now() + timeoutMs;
    const first = attempt();
    if (first !== undefined) return first;
    for (;;) {
      const changes = timeoutMs === 0 ? undefined : this.#watched();
      const value = attempt();
      if (value !== undefined) return value;
      const left = deadline - performance.now();
      if (left <= 0) throw this.#late(timeoutMs);
      changes?.block(left);
    }
  }

  describe(): string {
    return `the semaphore ${this.name}`;
  }

  protected override onClose(): void {
    this.#stayAtExit?.();
    this.#changes?.close();
    super.onClose();
  }

  protected override details(): Record<string, unknown> {
    return { name: this.name, count: this.count, ...(this.closed ? {} : { value: this.value }) };
  }
}

/** Removes the name if nobody else has it open: the lock that each user has becomes one that nobody can have beside others. */
function removeIfLast(fd: number, path: string): void {
  if (native().ofdSetLock(fd, F_WRLCK, USERS, 1) >= 0 && namesDescriptor(path, fd)) native().unlink(path);
}

/** Makes one that must not exist yet; nobody sees it before we are known as a user. */
export function createRecovering(
  name: string,
  { value, mode = 0o600, temporary = false }: RecoveringOptions,
): RecoveringSemaphore {
  const path = pathOf(name, true);
  const subject = { object: name };
  const prepare = (fd: number): void => {
    check(native().ofdSetLock(fd, F_RDLCK, USERS, 1), 'fcntl(F_OFD_SETLK)', subject);
  };
  const fd = makeComplete({ path, size: value, mode, subject, syscall: 'sem_open', prepare });
  return new RecoveringSemaphore(fd, { name, path, count: value, created: true, temporary });
}

/** A user from now on, unless the last one is just removing it, or has: false then, and it is looked for again. */
function joined(fd: number, path: string, subject: ErrorSubject): boolean {
  const locked = native().ofdSetLock(fd, F_RDLCK, USERS, 1);
  if (locked !== -EAGAIN) check(locked, 'fcntl(F_OFD_SETLK)', subject);
  return locked >= 0 && namesDescriptor(path, fd);
}

/** Opens one that exists. */
export function openRecovering(
  name: string,
  { temporary = false, ...whose }: RecoveringOpenOptions,
): RecoveringSemaphore {
  const path = pathOf(name, true);
  const subject = { object: name };
  for (const deadline = performance.now() + MOST_REMOVAL_MS; ; Atomics.wait(asleep, 0, 0, 1)) {
    const { fd, size } = openFile(name, path, whose);
    try {
      if (size < 1 || size > MOST_PERMITS) {
        throw new IpcError({
          code: 'EINVAL',
          syscall: 'sem_open',
          object: name,
          message: `what has this name has ${size} bytes and is no semaphore whose permits come back`,
        });
      }
      if (joined(fd, path, subject)) {
        return new RecoveringSemaphore(fd, { name, path, count: size, created: false, temporary });
      }
      if (performance.now() > deadline) {
        throw new IpcError({
          code: 'EBUSY',
          syscall: 'sem_open',
          object: name,
          message: 'its last user has been removing it for a second',
        });
      }
    } catch (why) {
      native().close(fd);
      throw why;
    }
    native().close(fd);
  }
}
