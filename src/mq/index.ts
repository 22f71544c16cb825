/**
 * POSIX message queues: mq_overview(7). A message keeps its boundaries and its priority, and the
 * kernel keeps it until it is taken, whether or not anybody runs.
 *
 * @example
 * using jobs = mq.openOrCreate('/jobs', { maxMessages: 10, messageSize: 1024 });
 * await jobs.send(Buffer.from('resize 17'), { priority: 5 });
 * const { data, priority } = await jobs.receive();
 */
import { constants } from 'node:fs';
import { native } from '../sys/index.js';
import { checkInteger, checkMode, checkOptions, checkString } from '../core/arguments.js';
import { argumentError, check } from '../core/errors.js';
import { openOrMake } from '../core/named.js';
import { MessageQueue } from './messageQueue.js';

export { fromFd } from './inherited.js';
export { list, type QueueEntry, type Registration } from './list.js';
export type { ToldBy } from './notice.js';
export { type Attributes, type Message, MessageQueue, type Priority } from './messageQueue.js';

/** Which way a queue is used. */
export type Access = 'send' | 'receive' | 'both';

/** How a queue is opened. */
export interface OpenOptions {
  /** 'both' if omitted. */
  access?: Access;
}

/** How a queue is made. */
export interface CreateOptions extends OpenOptions {
  /** 1 to /proc/sys/fs/mqueue/msg_max; the system's msg_default (10) if both sizes are omitted. */
  maxMessages?: number;
  /** Bytes, 1 to /proc/sys/fs/mqueue/msgsize_max; the system's msgsize_default (8192) if both are omitted. */
  messageSize?: number;
  /** Permission bits, exactly these whatever the umask; 0600 if omitted. */
  mode?: number;
}

const ACCESS: Record<Access, number> = {
  send: constants.O_WRONLY,
  receive: constants.O_RDONLY,
  both: constants.O_RDWR,
};
const DEFAULT_MESSAGES = 10;
const DEFAULT_SIZE = 8192;

function checkName(name: string): void {
  checkString('name', name);
  if (!/^\/(?!\.{1,2}$)[^/]+$/.test(name)) {
    throw argumentError(
      `a queue's name is one slash and then no other, like '/jobs', got '${name}'`,
      'ERR_INTERPROC_NAME',
    );
  }
}

function accessOf(options: OpenOptions): number {
  const flags = ACCESS[options.access ?? 'both'];
  if (flags === undefined) {
    throw argumentError(`access must be 'send', 'receive' or 'both', got ${String(options.access)}`);
  }
  return flags;
}

function checkCreate(name: string, options: CreateOptions): void {
  checkName(name);
  checkOptions(options, ['access', 'maxMessages', 'messageSize', 'mode']);
  const { maxMessages, messageSize, mode } = options;
  if (maxMessages !== undefined) checkInteger('maxMessages', maxMessages, 1, 0x7fffffff);
  if (messageSize !== undefined) checkInteger('messageSize', messageSize, 1, 0x7fffffff);
  if (mode !== undefined) checkMode(mode);
  accessOf(options);
}

/**
 * Makes a queue that must not exist yet (mq_open(3) with O_CREAT and O_EXCL).
 *
 * @throws IpcError EEXIST, EINVAL (over a limit), ENOSPC, EMFILE (RLIMIT_MSGQUEUE), EACCES
 */
export function create(name: string, options: CreateOptions = {}): MessageQueue {
  checkCreate(name, options);
  const { maxMessages, messageSize, mode = 0o600 } = options;
  const asked = maxMessages !== undefined || messageSize !== undefined;
  const flags = accessOf(options) | constants.O_CREAT | constants.O_EXCL;
  const fd = check(
    native().mqOpen(name, flags, mode, asked ? (maxMessages ?? DEFAULT_MESSAGES) : 0, messageSize ?? DEFAULT_SIZE),
    'mq_open',
    { object: name },
  );
  const queue = new MessageQueue(fd, name, true);
  check(native().fchmod(fd, mode), 'fchmod', { object: name });
  return queue;
}

/** Opens a queue that exists (mq_open(3)). @throws IpcError ENOENT, EACCES */
export function open(name: string, options: OpenOptions = {}): MessageQueue {
  checkName(name);
  checkOptions(options, ['access']);
  return new MessageQueue(
    check(native().mqOpen(name, accessOf(options), 0, 0, 0), 'mq_open', { object: name }),
    name,
    false,
  );
}

/**
 * Opens the queue if it exists, else makes it; of several who do so at once, one makes it. The
 * options are those of a new queue; one that exists keeps its own (`created` tells).
 */
export function openOrCreate(name: string, options: CreateOptions = {}): MessageQueue {
  checkCreate(name, options);
  return openOrMake(
    () => open(name, options.access === undefined ? {} : { access: options.access }),
    () => create(name, options),
  );
}

/** Removes the name (mq_unlink(3)); who has the queue open goes on using it. @throws IpcError ENOENT, EACCES */
export function unlink(name: string): void {
  checkName(name);
  check(native().mqUnlink(name), 'mq_unlink', { object: name });
}
