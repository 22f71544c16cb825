/** A queue that this process has by number: inherited, or got over a socket. */
import { constants, readlinkSync } from 'node:fs';
import { F_GETFL, F_SETFD, FD_CLOEXEC, native } from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { EBADF } from '../core/errno.js';
import { argumentError, check } from '../core/errors.js';
import { statusOf } from '../core/files.js';
import { MessageQueue } from './messageQueue.js';

const attributes = new Float64Array(3);

/**
 * Takes over a descriptor that this process inherited, or got over a socket, as a queue. It becomes close-on-exec, and is closed
 * with the handle. What the queue is open for (`access`) is as the other process opened it; whether calls block is shared with it.
 *
 * @throws TypeError ERR_INTERPROC_ARGUMENT if it is no message queue; IpcError EBADF
 */
export function fromFd(fd: number): MessageQueue {
  checkInteger('fd', fd, 0, 0x7fffffff);
  const subject = { object: `descriptor ${fd}` };
  statusOf(fd, subject);
  const found = native().mqAttributes(fd, attributes);
  if (found === -EBADF) throw argumentError(`descriptor ${fd} is not a message queue`);
  check(found, 'mq_getattr', subject);
  const flags = check(native().fcntl(fd, F_GETFL, 0), 'fcntl(F_GETFL)', subject);
  check(native().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl(F_SETFD)', subject);
  const name = readlinkSync(`/proc/self/fd/${fd}`);
  return new MessageQueue(fd, name, false, (flags & constants.O_NONBLOCK) === 0);
}
