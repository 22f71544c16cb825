/** Moving bytes from one descriptor to another, one of which is a pipe, inside the kernel: splice(2). */
import { constants } from 'node:fs';
import { native, POLLIN, POLLOUT, SPLICE_F_NONBLOCK } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { EAGAIN } from '../core/errno.js';
import { rangeError } from '../core/errors.js';
import { isKind, statusOf } from '../core/files.js';
import { setNonBlocking } from '../core/transfer.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import {
  type AmountOptions,
  amountOf,
  attempt,
  type Descriptor,
  fdOf,
  handlesOf,
  isReady,
  type Moving,
  notReady,
  whenMoved,
  whenMovedSync,
} from './moving.js';

/** How much to move, and from and to where. */
export interface SpliceOptions extends AmountOptions {
  /** Where in the first file, in bytes; where that is, if omitted, which moves on then. A pipe has none. */
  fromOffset?: number | bigint;
  /** Where in the second file. */
  toOffset?: number | bigint;
}

const SPLICE = ['bytes', 'fromOffset', 'toOffset'];

function offsetOf(name: string, offset: number | bigint | undefined): number {
  if (offset === undefined) return -1;
  if (typeof offset === 'bigint' && (offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER))) {
    throw rangeError(`${name} must be from 0 to ${Number.MAX_SAFE_INTEGER}, got ${offset}n`);
  }
  const value = typeof offset === 'bigint' ? Number(offset) : offset;
  checkInteger(name, value, 0, Number.MAX_SAFE_INTEGER);
  return value;
}

function prepareSplice(from: Descriptor, to: Descriptor, options: SpliceOptions): Moving {
  const [source, goal] = [fdOf('from', from), fdOf('to', to)];
  const length = amountOf(options.bytes);
  const fromOffset = offsetOf('fromOffset', options.fromOffset);
  const toOffset = offsetOf('toOffset', options.toOffset);
  let onDisk = false;
  let isDevice = false;
  for (const fd of [source, goal]) {
    const { mode } = statusOf(fd, { object: `descriptor ${fd}` });
    // Of a pipe the call is told not to wait; a socket has to be told itself.
    if (isKind(mode, constants.S_IFSOCK)) setNonBlocking(fd, true);
    isDevice ||= isKind(mode, constants.S_IFCHR);
    onDisk ||= isKind(mode, constants.S_IFREG) || isKind(mode, constants.S_IFBLK);
  }
  return {
    syscall: 'splice',
    handles: handlesOf(from, to),
    call: () => {
      // A terminal does not heed the flag either, and whoever else has it may rely on its mode: it is asked before.
      if (isDevice && !(isReady(source, POLLIN) && isReady(goal, POLLOUT))) return -EAGAIN;
      return native().splice(source, fromOffset, goal, toOffset, length, SPLICE_F_NONBLOCK);
    },
    waitsFor: () => notReady(from, source, to, goal),
    source,
    ...(onDisk
      ? {
          onThread: (token: number) =>
            native().blockingSplice(token, source, fromOffset, goal, toOffset, length, SPLICE_F_NONBLOCK),
        }
      : {}),
  };
}

/**
 * Moves bytes from one descriptor to another, one of which is a pipe, inside the kernel (splice(2)), once there are some and
 * there is room. A socket becomes non-blocking. To or from a file a thread does it, since no file can be waited for.
 *
 * An abort or a time-out has moved nothing: a call that had moved some resolves with how many. It does not overtake writes
 * of a `PipeWriter` that still wait. A time-out does not count what the disk takes.
 *
 * @param from a pipe, socket or file open for reading
 * @param to a pipe, socket or file open for writing, not for appending
 * @returns how many bytes; `null` at the end of `from`
 * @throws IpcError EBADF (wrong direction), EINVAL (no pipe; both ends of one pipe; O_APPEND), ESPIPE (an offset in a pipe), EPIPE
 *   (nobody reads `to`), ENOSPC, ETIMEDOUT
 * @example
 * using ends = pipe.create();
 * const file = openSync('big.log', 'r');
 * while ((await pipe.splice(file, ends.writer, { bytes: 1 << 20 })) !== null); // somebody reads the other end
 */
export async function splice(
  from: Descriptor,
  to: Descriptor,
  options: SpliceOptions & WaitOptions = {},
): Promise<number | null> {
  checkOptions(options, [...SPLICE, ...WAIT_OPTIONS]);
  checkSignal(options.signal);
  checkTimeout(options.timeoutMs);
  return whenMoved(prepareSplice(from, to, options), options);
}

/** As `splice`, blocking this thread. */
export function spliceSync(
  from: Descriptor,
  to: Descriptor,
  options: SpliceOptions & SyncWaitOptions = {},
): number | null {
  checkOptions(options, [...SPLICE, 'timeoutMs']);
  return whenMovedSync(prepareSplice(from, to, options), checkTimeout(options.timeoutMs));
}

/** As `splice`, what can be moved now, else `undefined`. To and from a file it takes as long as the disk does. */
export function trySplice(from: Descriptor, to: Descriptor, options: SpliceOptions = {}): number | null | undefined {
  checkOptions(options, SPLICE);
  return attempt(prepareSplice(from, to, options));
}
