/**
 * Who has an end of a ring that is found by a name, as the kernel tells it: each end is a lock that its owner holds, and that the
 * kernel takes from an owner who dies, however that happens.
 */
import { F_RDLCK, F_UNLCK, F_WRLCK, native, SEM_GETVAL } from '../../sys/index.js';
import { callBlocking, callBlockingSync } from '../../core/blocking.js';
import { EAGAIN, EIDRM, EINVAL } from '../../core/errno.js';
import { check, systemError } from '../../core/errors.js';
import type { WaitOptions } from '../../core/wait.js';
import type { Waits } from '../../core/waits.js';

/** What is locked: the two ends, and the name, which guards taking an end and removing what has the name. */
export const SENDER = 0;
export const RECEIVER = 1;
export const NAME = 2;
/** How many locks there are. */
export const LOCKS = 3;

/** The locks of one ring. */
export interface EndLocks {
  /** Takes a lock at once; false if somebody has it. */
  tryTake(lock: number): boolean;
  /** Waits for a lock and takes it. */
  take(lock: number, options: WaitOptions): Promise<void>;
  /** The same, blocking this thread for so long at most. */
  takeSync(lock: number, timeoutMs: number): void;
  give(lock: number): void;
  /** Whether a lock has an owner, who is another than us. */
  isHeld(lock: number): boolean;
  /** Waits until a lock has no owner: true then, false if that is not known. The lock is nobody's afterwards. */
  whenFree(lock: number, signal: AbortSignal, waits: Waits): Promise<boolean>;
}

const OFD = { syscall: 'fcntl(F_OFD_SETLKW)' };

/**
 * Open file description locks (fcntl(2)) on three bytes of a file. Who waits for an owner to go waits for a read lock, so that
 * the moment in which it has that is not taken for a new owner.
 */
export class FileLocks implements EndLocks {
  readonly #fd: number;

  /** The descriptor stays the caller's. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  tryTake(lock: number): boolean {
    const taken = native().ofdSetLock(this.#fd, F_WRLCK, lock, 1);
    if (taken === -EAGAIN) return false;
    check(taken, 'fcntl(F_OFD_SETLK)');
    return true;
  }

  #waiting(lock: number, type = F_WRLCK): (token: number) => number {
    return (token) => native().blockingOfdLock(token, this.#fd, type, lock, 1);
  }

  async take(lock: number, options: WaitOptions): Promise<void> {
    check(await callBlocking(this.#waiting(lock), options, OFD), OFD.syscall);
  }

  takeSync(lock: number, timeoutMs: number): void {
    callBlockingSync(this.#waiting(lock), { timeoutMs }, OFD);
  }

  give(lock: number): void {
    native().ofdSetLock(this.#fd, F_UNLCK, lock, 1);
  }

  /** Only an owner's lock is in the way of a read lock. */
  isHeld(lock: number): boolean {
    return check(native().ofdGetLock(this.#fd, F_RDLCK, lock, 1), 'fcntl(F_OFD_GETLK)') !== F_UNLCK;
  }

  async whenFree(lock: number, signal: AbortSignal, waits: Waits): Promise<boolean> {
    const free = (await callBlocking(this.#waiting(lock, F_RDLCK), { signal }, OFD, waits)) >= 0;
    // Not ours to keep: who comes next shall see that nobody has that end.
    if (free) this.give(lock);
    return free;
  }
}

const SEMOP = { syscall: 'semop' };

/**
 * System V semaphores of value 0 or 1 (semop(2) with SEM_UNDO): what goes with a System V segment, which is no file and has no descriptor.
 * A set that was removed meanwhile is EIDRM: what has the key is another one then.
 */
export class SemaphoreLocks implements EndLocks {
  readonly #id: number;

  constructor(id: number) {
    this.#id = id;
  }

  #check(result: number): void {
    // The kernel says EIDRM only to who waits while the set is removed, and EINVAL to who comes later.
    if (result < 0) throw systemError(result === -EINVAL ? -EIDRM : result, 'semop');
  }

  tryTake(lock: number): boolean {
    const held = native().semaphoreHold(this.#id, lock);
    if (held === -EAGAIN) return false;
    this.#check(held);
    return true;
  }

  #holding(lock: number): (token: number) => number {
    return (token) => native().blockingSemaphoreHold(token, this.#id, lock);
  }

  async take(lock: number, options: WaitOptions): Promise<void> {
    this.#check(await callBlocking(this.#holding(lock), options, SEMOP));
  }

  takeSync(lock: number, timeoutMs: number): void {
    this.#check(callBlockingSync(this.#holding(lock), { timeoutMs }, SEMOP));
  }

  give(lock: number): void {
    native().semaphoreGive(this.#id, lock);
  }

  isHeld(lock: number): boolean {
    return native().semctl(this.#id, lock, SEM_GETVAL, 0) > 0;
  }

  /** A set that is removed tells of no owner any more: that of an end is as good as gone. */
  async whenFree(lock: number, signal: AbortSignal, waits: Waits): Promise<boolean> {
    const begin = (token: number): number => native().blockingSemaphoreZero(token, this.#id, lock);
    const result = await callBlocking(begin, { signal }, SEMOP, waits);
    return result >= 0 || result === -EIDRM || result === -EINVAL;
  }
}
