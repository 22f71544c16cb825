/** Putting mapped memory into a pipe without copying it: vmsplice(2). */
import { constants } from 'node:fs';
import { inspect } from 'node:util';
import { F_GETFL, native, POLLOUT, SPLICE_F_NONBLOCK } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError, check } from '../core/errors.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { Mapping } from '../mmap/index.js';
import {
  attempt,
  type Descriptor,
  fdOf,
  handlesOf,
  MOST_BYTES,
  type Moving,
  whenMoved,
  whenMovedSync,
} from './moving.js';

/** Which part of the memory. */
export interface RangeOptions {
  /** Bytes from its beginning; 0 if omitted. */
  offset?: number;
  /** Bytes; all that follow if omitted. */
  length?: number;
}

const RANGE = ['offset', 'length'];

function prepareVmsplice(writer: Descriptor, memory: Mapping, options: RangeOptions): Moving {
  const goal = fdOf('writer', writer);
  if (!(memory instanceof Mapping)) {
    throw argumentError(
      `memory must be a Mapping, got ${inspect(memory, { depth: 0 })}; other memory may move or be freed while the pipe still refers to it`,
    );
  }
  // On a read end vmsplice(2) goes the other way, and would write into the memory.
  const flags = check(native().fcntl(goal, F_GETFL, 0), 'fcntl(F_GETFL)');
  if ((flags & 3) === constants.O_RDONLY)
    throw argumentError(`writer must be open for writing, and descriptor ${goal} is not`);
  const { offset = 0, length = memory.byteLength - offset } = options;
  checkInteger('offset', offset, 0, memory.byteLength - 1);
  checkInteger('length', length, 1, Math.min(memory.byteLength - offset, MOST_BYTES));
  return {
    syscall: 'vmsplice',
    handles: handlesOf(writer),
    call: () => native().vmsplice(goal, memory.native, offset, length, SPLICE_F_NONBLOCK),
    waitsFor: () => ({ fd: goal, side: POLLOUT, foreign: typeof writer === 'number' }),
    source: undefined,
  };
}

/**
 * Puts a part of mapped memory into a pipe without copying it (vmsplice(2)): the pipe refers to the pages. So what is changed in them before
 * the other end has read is what that reads, and the call cannot tell when it has: use the memory anew when the reader has said so, or
 * when more bytes than the pipe holds have followed. Closing the mapping meanwhile is safe.
 *
 * It takes a `Mapping` only, since nothing else stays where it is: V8 may free an array that nobody refers to but the pipe.
 *
 * @param writer the write end of a pipe
 * @returns how many bytes: at most as many pages as the pipe has room for (16 unless `capacity` was changed)
 * @throws IpcError EBADF (not the write end of a pipe), EPIPE (nobody reads), ETIMEDOUT
 */
export async function vmsplice(
  writer: Descriptor,
  memory: Mapping,
  options: RangeOptions & WaitOptions = {},
): Promise<number> {
  checkOptions(options, [...RANGE, ...WAIT_OPTIONS]);
  checkSignal(options.signal);
  checkTimeout(options.timeoutMs);
  return (await whenMoved(prepareVmsplice(writer, memory, options), options)) as number;
}

/** As `vmsplice`, blocking this thread. */
export function vmspliceSync(
  writer: Descriptor,
  memory: Mapping,
  options: RangeOptions & SyncWaitOptions = {},
): number {
  checkOptions(options, [...RANGE, 'timeoutMs']);
  return whenMovedSync(prepareVmsplice(writer, memory, options), checkTimeout(options.timeoutMs)) as number;
}

/** As `vmsplice`, as much as there is room for now, else `undefined`. */
export function tryVmsplice(writer: Descriptor, memory: Mapping, options: RangeOptions = {}): number | undefined {
  checkOptions(options, RANGE);
  return attempt(prepareVmsplice(writer, memory, options)) as number | undefined;
}
