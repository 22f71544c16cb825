/** A System V semaphore set: operations on several semaphores at once, and what the kernel tells of them. */

import { checkInteger, checkOptions } from '../../core/arguments.js';
import { EAGAIN, EFAULT, EINTR, EINVAL } from '../../core/errno.js';
import { argumentError, rangeError } from '../../core/errors.js';
import { Permit } from '../../core/permit.js';
import { type Taking, Turns } from '../../core/turns.js';
import { checkSyncWait, checkWait, type SyncWaitOptions, type WaitOptions } from '../../core/wait.js';
import { native, SEM_GETNCNT, SEM_GETPID, SEM_GETVAL, SEM_GETZCNT, SEM_SETVAL } from '../../sys/index.js';
import type { Found } from '../kind.js';
import { SystemVObject } from '../object.js';
import { checkOwnerChanges, OWNER_CHANGES, type OwnerChanges } from '../owner.js';
import { some } from '../status.js';
import {
  checkIndex,
  type IndexOptions,
  type Operation,
  Operations,
  operationsOf,
  type PermitOptions,
  permitsOf,
  zeroOf,
} from './operations.js';
import { SETS, type Status, statusOf } from './status.js';

/** SEMVMX: the most that a semaphore can be. */
export const MOST_VALUE = 32_767;

/** What is known of a set when its handle is made. @internal */
export interface FoundSet extends Found {
  /** `undefined` where we may not look. */
  count: number | undefined;
  initialised: boolean;
}

/** A value of a semaphore. */
export function checkValue(name: string, value: unknown): asserts value is number {
  checkInteger(name, value, 0, MOST_VALUE);
}

/**
 * A set. It is no descriptor and is not open: the kernel looks at the permissions with each call. `close()` forgets
 * it, `remove()` removes it for everybody.
 */
export class SemaphoreSet extends SystemVObject {
  /** Semaphores in it; `undefined` for one that we may not look at (mode 0400 is needed). */
  readonly count: number | undefined;
  /**
   * Whether something had been done to the set (semop(2)) when it was found or made. False says that it was found before its maker
   * gave it values, if it ever will: a maker that does not know that rule, or was killed.
   */
  readonly initialised: boolean;
  readonly #turns: Turns;

  /** @internal */
  constructor(found: FoundSet) {
    super(SETS, found);
    this.count = found.count;
    this.initialised = found.initialised;
    this.#turns = new Turns(this, { syscall: 'semop', subject: this.subject });
  }

  // ---- operations

  #taking(operations: Operations): Taking {
    return {
      attempt: () => {
        for (;;) {
          const result = native().semtimedop(this.id, operations.now, -1);
          if (result >= 0) return true;
          if (result === -EAGAIN) return false;
          if (result !== -EINTR) throw this.failure(result, 'semop');
        }
      },
      begin: (token) => native().blockingSemop(token, this.id, operations.words),
      block: (timeoutMs) => native().semtimedop(this.id, operations.words, timeoutMs),
      error: (result) => this.failure(result, 'semop'),
    };
  }

  async #wait(operations: Operations, options: WaitOptions | undefined): Promise<void> {
    await this.#turns.async(operations.name, this.#taking(operations), options);
  }

  /**
   * Makes all operations at once, or none (semop(2)), waiting until all are possible, behind the waits of this handle for the same. An abort
   * or a time-out has changed nothing; where the operations were made already, the wait succeeds.
   *
   * @param operations at least one, and as many as the third number of /proc/sys/kernel/sem allows; they are made in their order, each
   *   seeing what those before it did
   * @throws IpcError EFBIG (the set has no such semaphore), ERANGE (a value above 32767), E2BIG (too many), EACCES (changing needs mode
   *   0200, waiting for 0 needs 0400), ENOSPC (no room for undo), EIDRM (the set is removed, also while waiting)
   */
  async operate(operations: readonly Operation[], options?: WaitOptions): Promise<void> {
    this.use();
    const checked = operationsOf(operations);
    if (options !== undefined) checkWait(options);
    return this.#wait(checked, options);
  }

  /** As `operate`, blocking this thread (semtimedop(2)). */
  operateSync(operations: readonly Operation[], options?: SyncWaitOptions): void {
    this.use();
    const checked = operationsOf(operations);
    if (options !== undefined) checkSyncWait(options);
    this.#turns.sync(this.#taking(checked), options);
  }

  /** As `operate`, without waiting: false if that would be necessary, and then nothing was changed. */
  tryOperate(operations: readonly Operation[]): boolean {
    this.use();
    return this.#taking(operationsOf(operations)).attempt();
  }

  // ---- permits

  #take({ index, count, undo }: Required<PermitOptions>): Operations {
    return new Operations([{ index, op: -count, undo }]);
  }

  #permit(permits: Required<PermitOptions>): Permit {
    return new Permit(() => this.#give(permits));
  }

  #give({ index, count, undo }: Required<PermitOptions>): void {
    this.use();
    const result = native().semtimedop(this.id, new Operations([{ index, op: count, undo }]).words, -1);
    if (result < 0) throw this.failure(result, 'semop');
  }

  /**
   * Takes permits, all of them at once, waiting while there are fewer. The permit gives back what was taken, with the same
   * `undo`; it may as well be forgotten, and given by `release`.
   *
   * @throws IpcError as `operate`
   */
  async acquire(options?: PermitOptions & WaitOptions): Promise<Permit> {
    this.use();
    const permits = permitsOf(options, true);
    await this.#wait(this.#take(permits), options);
    return this.#permit(permits);
  }

  /** As `acquire`, blocking this thread. */
  acquireSync(options?: PermitOptions & SyncWaitOptions): Permit {
    this.use();
    const permits = permitsOf(options, true);
    this.#turns.sync(this.#taking(this.#take(permits)), options);
    return this.#permit(permits);
  }

  /** As `acquire`, without waiting: `undefined` if there are fewer. */
  tryAcquire(options?: PermitOptions): Permit | undefined {
    this.use();
    const permits = permitsOf(options, false);
    return this.#taking(this.#take(permits)).attempt() ? this.#permit(permits) : undefined;
  }

  /**
   * Adds permits; it never waits. Nobody asks whether they were taken before.
   *
   * @throws IpcError ERANGE (the value would be above 32767), EFBIG, EACCES, EIDRM
   */
  release(options?: PermitOptions): void {
    this.#give(permitsOf(options, false));
  }

  /** Waits until the value of a semaphore is 0. It may be another when the promise resolves. @throws IpcError EACCES, EFBIG, EIDRM */
  async waitForZero(options?: IndexOptions & WaitOptions): Promise<void> {
    this.use();
    return this.#wait(zeroOf(options), options);
  }

  /** As `waitForZero`, blocking this thread. */
  waitForZeroSync(options?: IndexOptions & SyncWaitOptions): void {
    this.use();
    this.#turns.sync(this.#taking(zeroOf(options)), options);
  }

  /** Whether the value of a semaphore is 0 now. @throws IpcError EACCES, EFBIG, EIDRM */
  tryWaitForZero(options?: IndexOptions): boolean {
    this.use();
    return this.#taking(zeroOf(options)).attempt();
  }

  // ---- values

  #ask(index: number, command: number, name: string, value = 0): number {
    this.use();
    checkIndex(index);
    const result = native().semctl(this.id, index, command, value);
    if (result >= 0) return result;
    if (result === -EINVAL && !this.target.isRemoved()) {
      throw this.target.worded('EINVAL', name, `the set has no semaphore ${index}`);
    }
    throw this.failure(result, name);
  }

  /** The value of one semaphore, 0 to 32767 (GETVAL of semctl(2)). @throws IpcError EACCES, EINVAL (no such semaphore), EIDRM */
  getValue(index = 0): number {
    return this.#ask(index, SEM_GETVAL, 'semctl(GETVAL)');
  }

  /**
   * Sets the value of one semaphore, 0 to 32767, whoever waits or holds (SETVAL of semctl(2)). What processes would undo at it
   * at their end is forgotten.
   *
   * @throws IpcError EACCES (mode 0200 is needed), EINVAL (no such semaphore), EIDRM
   */
  setValue(index: number, value: number): void {
    checkValue('value', value);
    this.#ask(index, SEM_SETVAL, 'semctl(SETVAL)', value);
  }

  /** The values of all semaphores at one moment (GETALL of semctl(2)). @throws IpcError EACCES, EIDRM */
  getAll(): number[] {
    const values = new Uint16Array(this.count ?? this.stat().count);
    this.target.check(native().semctlGetAll(this.id, values), 'semctl(GETALL)');
    return [...values];
  }

  /**
   * Sets the values of all semaphores at once (SETALL of semctl(2)), as `setValue` does. It has to be readable, too: the number of
   * values must be that of the semaphores.
   *
   * @throws IpcError EACCES, EIDRM
   */
  setAll(values: readonly number[]): void {
    this.use();
    const count = this.count ?? this.stat().count;
    checkValues(values, count);
    const result = native().semctlSetAll(this.id, Uint16Array.from(values));
    this.target.check(result === -EFAULT ? -EINVAL : result, 'semctl(SETALL)');
  }

  /** How many wait for permits of one semaphore (GETNCNT of semctl(2)): threads in the kernel, of all processes. @throws IpcError as `getValue` */
  waitingForIncrease(index = 0): number {
    return this.#ask(index, SEM_GETNCNT, 'semctl(GETNCNT)');
  }

  /** How many wait until the value of one semaphore is 0 (GETZCNT of semctl(2)). @throws IpcError as `getValue` */
  waitingForZero(index = 0): number {
    return this.#ask(index, SEM_GETZCNT, 'semctl(GETZCNT)');
  }

  /**
   * The process that did something to one semaphore last, be it to wait for 0, to set it, or by its undo (GETPID of semctl(2));
   * `undefined` if none has. It may have ended. The kernel does not know who holds a permit.
   *
   * @throws IpcError as `getValue`
   */
  lastPid(index = 0): number | undefined {
    return some(this.#ask(index, SEM_GETPID, 'semctl(GETPID)'));
  }

  // ---- the set itself

  /** What the kernel tells of the set (IPC_STAT of semctl(2)). @throws IpcError EACCES (mode 0400 is needed), EIDRM */
  stat(): Status {
    this.use();
    const status = statusOf(this.id);
    if (typeof status === 'number') throw this.failure(status, 'semctl(IPC_STAT)');
    return status;
  }

  /**
   * Changes owner or mode of the set (IPC_SET of semctl(2)); what is not named stays. Who may not look at the set names all three.
   *
   * @throws IpcError EPERM (neither owner nor creator), EACCES, EIDRM
   */
  set(changes: OwnerChanges): void {
    this.use();
    checkOptions(changes, OWNER_CHANGES);
    checkOwnerChanges(changes);
    const { uid, gid, mode } = changes;
    const complete = uid !== undefined && gid !== undefined && mode !== undefined;
    const all = complete ? { uid, gid, mode } : { ...this.stat(), ...changes };
    this.target.check(native().semctlSet(this.id, all.uid, all.gid, all.mode), 'semctl(IPC_SET)');
  }

  /**
   * Removes the set for everybody (IPC_RMID of semctl(2)). Who waits for it, in any process, gets EIDRM.
   *
   * @throws IpcError EPERM (neither owner nor creator), EIDRM (it is removed already)
   */
  override remove(): void {
    super.remove();
  }

  protected override details(): Record<string, unknown> {
    return { ...super.details(), count: this.count };
  }
}

/** Values for so many semaphores. */
export function checkValues(values: unknown, count: number): asserts values is readonly number[] {
  if (!Array.isArray(values)) throw argumentError(`values must be an array of numbers, got ${String(values)}`);
  if (values.length !== count) {
    throw rangeError(`values must be ${count}, one for each semaphore of the set, got ${values.length}`);
  }
  values.forEach((value, index) => {
    checkValue(`values[${index}]`, value);
  });
}
