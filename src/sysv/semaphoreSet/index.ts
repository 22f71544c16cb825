/**
 * System V semaphore sets: sysvipc(7), semop(2). A set has one semaphore or many, each a number of permits, and operations on several of
 * them happen at once or not at all. It is found by a key and stays until it is removed, whether or not anybody runs.
 *
 * @example
 * using printers = sysv.semaphoreSet.openOrCreate(0x1234, { count: 2, initial: [3, 1] });
 * await printers.operate([{ index: 0, op: -1, undo: true }, { index: 1, op: -1, undo: true }]);
 */

import { checkInteger, checkOptions } from '../../core/arguments.js';
import { argumentError, check } from '../../core/errors.js';
import { native } from '../../sys/index.js';
import { findOrMake, makeNew, removeByKey, statusById } from '../finding.js';
import { checkPublicKey, type Key } from '../key.js';
import { subjectOfKey } from '../kind.js';
import { checkObjectMode } from '../owner.js';
import { found, made } from './making.js';
import { checkValue, checkValues, SemaphoreSet } from './set.js';
import { SETS, statusOf } from './status.js';

export { Permit } from '../../core/permit.js';
export { configureWaiting, type WaitingOptions } from '../../core/places.js';
export type { IndexOptions, Operation, PermitOptions } from './operations.js';
export { SemaphoreSet } from './set.js';
export type { Status } from './status.js';

/** What is to be done with a set: the kernel is asked for this permission when it is opened, and with each call again. */
export type Access = 'read' | 'read-write';

/** How a set is opened. */
export interface OpenOptions {
  /** What must be permitted, else it is EACCES: with 'read' it can be looked at and waited for 0; 'read-write' if omitted. */
  access?: Access;
  /** Semaphores that it must have at least, else it is EINVAL; any number if omitted. */
  count?: number;
}

/** How a set is made. */
export interface CreateOptions {
  /** Semaphores, 1 to the first number of /proc/sys/kernel/sem (32000); 1 if omitted. */
  count?: number;
  /** The value of each, 0 to 32767: one number for all, or one for each; 0 if omitted. */
  initial?: number | readonly number[];
  /** Permission bits, 0 to 0777, exactly these: System V knows no umask. 0600 if omitted. */
  mode?: number;
}

const MOST_COUNT = 65_536;
const CREATE = ['count', 'initial', 'mode'];
const ACCESS: Record<Access, number> = { read: 0o400, 'read-write': 0o600 };

/** The values of a new set; throws for options that cannot be meant. */
function valuesOf(options: CreateOptions): readonly number[] {
  const { count, initial = 0, mode } = options ?? {};
  if (mode !== undefined) checkObjectMode(mode);
  if (count !== undefined) checkInteger('count', count, 1, MOST_COUNT);
  if (typeof initial !== 'object') {
    checkValue('initial', initial);
    return new Array<number>(count ?? 1).fill(initial);
  }
  checkValues(initial, count ?? initial?.length);
  checkInteger('the number of initial values', initial.length, 1, MOST_COUNT);
  return initial;
}

function accessOf({ access = 'read-write', count }: OpenOptions): number {
  if (count !== undefined) checkInteger('count', count, 1, MOST_COUNT);
  const mode = ACCESS[access];
  if (mode === undefined) throw argumentError(`access must be 'read' or 'read-write', got ${String(access)}`);
  return mode;
}

function opened(key: number, options: OpenOptions): SemaphoreSet {
  return found(check(native().semget(key, options.count ?? 0, accessOf(options)), 'semget', subjectOfKey(key)), key);
}

/**
 * Makes a set that must not exist yet (semget(2) with IPC_CREAT and IPC_EXCL). Who opens it sees it with its values.
 *
 * @param key a number of 32 bits; `'private'` for a set without a key; `'random'` for a key that is free (`set.key` tells it)
 * @throws IpcError EEXIST, EINVAL (more semaphores than a set may have), ENOSPC (no more sets or semaphores: /proc/sys/kernel/sem)
 */
export function create(key: Key | 'random', options: CreateOptions = {}): SemaphoreSet {
  checkOptions(options, CREATE);
  const values = valuesOf(options);
  return makeNew(key, (checked) => made(checked, values, options.mode ?? 0o600));
}

/**
 * Finds a set that exists (semget(2)). One that was made a moment ago, and that nobody has used yet, is waited for up to half a second,
 * blocking this thread: its maker may not have given it values. Then it is opened as it is, and `initialised` is false.
 *
 * @throws IpcError ENOENT, EACCES, EINVAL (it has fewer semaphores than `count`)
 */
export function open(key: number, options: OpenOptions = {}): SemaphoreSet {
  const checked = checkPublicKey(key);
  checkOptions(options, ['access', 'count']);
  return opened(checked, options);
}

/**
 * Finds the set if it exists, as `open` does, else makes it; of several who do so at once, one makes it. `initial` and `mode` are those of a new
 * set; one that exists keeps its own (`created` tells), and has at least `count` semaphores, else it is EINVAL. A private set is always new.
 */
export function openOrCreate(key: Key, options: CreateOptions & Pick<OpenOptions, 'access'> = {}): SemaphoreSet {
  checkOptions(options, [...CREATE, 'access']);
  const values = valuesOf(options);
  const { access = 'read-write', mode = 0o600 } = options;
  accessOf({ access });
  return findOrMake(
    key,
    (checked) => opened(checked, { access, count: values.length }),
    (checked) => made(checked, values, mode),
  );
}

/**
 * The set with this id, as `ipcmk -S` and `set.id` tell it, as it is. It has to be readable for us.
 *
 * @throws IpcError EINVAL (there is none), EACCES
 */
export function fromId(id: number): SemaphoreSet {
  const { key, count, lastOperationTime } = statusById(SETS, id, statusOf);
  return new SemaphoreSet({ id, key, created: false, count, initialised: lastOperationTime !== undefined });
}

/**
 * Removes the set with this key for everybody (IPC_RMID of semctl(2)). Who waits for it gets EIDRM.
 *
 * @throws IpcError ENOENT, EPERM (neither owner nor creator)
 */
export function remove(key: number): void {
  removeByKey(SETS, key);
}
