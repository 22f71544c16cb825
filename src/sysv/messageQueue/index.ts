/**
 * System V message queues: sysvipc(7), msgop(2). A message has a type, by which receivers choose, keeps its boundaries, and the
 * kernel keeps it until it is taken, whether or not anybody runs.
 *
 * @example
 * using jobs = sysv.messageQueue.openOrCreate(0x1234);
 * await jobs.send(3, Buffer.from('resize 17'));
 * const { type, data } = await jobs.receive({ type: 3 });
 */
import { IPC_CREAT, IPC_EXCL, native } from '../../sys/index.js';
import { checkOptions } from '../../core/arguments.js';
import { argumentError, check, systemError } from '../../core/errors.js';
import { findOrMake, makeNew, removeByKey, statusById } from '../finding.js';
import { checkPublicKey, type Key } from '../key.js';
import { subjectOfKey } from '../kind.js';
import { checkObjectMode } from '../owner.js';
import { MessageQueue } from './queue.js';
import { checkMaxBytes, QUEUES, statusOf } from './status.js';

export { configureWaiting, type WaitingOptions } from '../../core/places.js';
export type { Departure } from './departure.js';
export { type Message, MessageQueue } from './queue.js';
export type { ReceiveIntoOptions, ReceiveOptions, Select } from './selection.js';
export type { Changes, Status } from './status.js';

/** What is to be done with a queue: the kernel is asked for this permission when it is opened, and with each call again. */
export type Access = 'send' | 'receive' | 'both';

/** How a queue is opened. */
export interface OpenOptions {
  /** What must be permitted, else it is EACCES; 'both' if omitted. */
  access?: Access;
}

/** How a queue is made. */
export interface CreateOptions {
  /** Permission bits, 0 to 0777, exactly these: System V knows no umask. 0600 if omitted. */
  mode?: number;
  /**
   * Bytes that the queue holds at most; /proc/sys/kernel/msgmnb (16384) if omitted, and more than that only with
   * CAP_SYS_RESOURCE.
   */
  maxBytes?: number;
}

/** What msgget(2) is to ask for. */
const ACCESS: Record<Access, number> = { send: 0o200, receive: 0o400, both: 0o600 };

function accessOf(options: OpenOptions): number {
  const mode = ACCESS[options.access ?? 'both'];
  if (mode === undefined) {
    throw argumentError(`access must be 'send', 'receive' or 'both', got ${String(options.access)}`);
  }
  return mode;
}

function checkCreate(options: CreateOptions): void {
  checkOptions(options, ['mode', 'maxBytes']);
  if (options.mode !== undefined) checkObjectMode(options.mode);
  if (options.maxBytes !== undefined) checkMaxBytes(options.maxBytes);
}

function made(key: number, { mode = 0o600, maxBytes }: CreateOptions): MessageQueue {
  const id = check(native().msgget(key, mode | IPC_CREAT | IPC_EXCL), 'msgget', subjectOfKey(key));
  if (maxBytes !== undefined) {
    const set = native().msgctlSet(id, process.geteuid?.() ?? 0, process.getegid?.() ?? 0, mode, maxBytes);
    if (set < 0) {
      native().msgctlRemove(id);
      throw systemError(set, 'msgctl(IPC_SET)', subjectOfKey(key));
    }
  }
  return new MessageQueue({ id, key, created: true });
}

/**
 * Makes a queue that must not exist yet (msgget(2) with IPC_CREAT and IPC_EXCL).
 *
 * @param key a number of 32 bits; `'private'` for a queue without a key; `'random'` for a key that is free (`queue.key` tells it)
 * @throws IpcError EEXIST, ENOSPC (/proc/sys/kernel/msgmni), EPERM (`maxBytes` above /proc/sys/kernel/msgmnb)
 */
export function create(key: Key | 'random', options: CreateOptions = {}): MessageQueue {
  checkCreate(options);
  return makeNew(key, (checked) => made(checked, options));
}

/** Finds a queue that exists (msgget(2)). @throws IpcError ENOENT, EACCES */
export function open(key: number, options: OpenOptions = {}): MessageQueue {
  const checked = checkPublicKey(key);
  checkOptions(options, ['access']);
  const id = check(native().msgget(checked, accessOf(options)), 'msgget', subjectOfKey(checked));
  return new MessageQueue({ id, key: checked, created: false });
}

/**
 * Finds the queue if it exists, else makes it; of several who do so at once, one makes it. `mode` and `maxBytes` are those of a
 * new queue; one that exists keeps its own (`created` tells). A private queue is always new.
 */
export function openOrCreate(key: Key, options: CreateOptions & OpenOptions = {}): MessageQueue {
  const { access, ...making } = options;
  checkOptions(options, ['access', 'mode', 'maxBytes']);
  checkCreate(making);
  accessOf(options);
  return findOrMake(
    key,
    (checked) => open(checked, access === undefined ? {} : { access }),
    (checked) => made(checked, making),
  );
}

/**
 * The queue with this id, as `ipcmk -Q` and `queue.id` tell it. It has to be readable for us.
 *
 * @throws IpcError EINVAL (there is none), EACCES
 */
export function fromId(id: number): MessageQueue {
  const { key } = statusById(QUEUES, id, statusOf);
  return new MessageQueue({ id, key, created: false });
}

/**
 * Removes the queue with this key and its messages for everybody (IPC_RMID of msgctl(2)). Who waits for it gets EIDRM.
 *
 * @throws IpcError ENOENT, EPERM (neither owner nor creator)
 */
export function remove(key: number): void {
  removeByKey(QUEUES, key);
}
