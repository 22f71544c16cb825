/**
 * Moving bytes without taking them out of the kernel: splice(2) from or to a pipe, tee(2) from pipe to pipe, and vmsplice(2) from
 * mapped memory into a pipe.
 *
 * Each call moves what it can, be it less than was asked for, as read(2) and write(2) do. A wait that ends early has moved nothing.
 */
import { constants } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { F_DUPFD_CLOEXEC, F_GETFL, native, POLLHUP, POLLIN, POLLOUT, SPLICE_F_NONBLOCK } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { callBlocking } from '../core/blocking.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { argumentError, check, rangeError, timeoutError } from '../core/errors.js';
import { isKind, statusOf } from '../core/files.js';
import { DescriptorHandle } from '../core/handle.js';
import { blockOnce, forgetDescriptor, onceReady, type Side } from '../core/readiness.js';
import { setNonBlocking } from '../core/transfer.js';
import {
  checkSignal,
  checkTimeout,
  pend,
  type SyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  type WaitOwner,
} from '../core/wait.js';
import { Mapping } from '../mmap/index.js';
import { PipeWriter } from './writer.js';

/** A descriptor, or a handle that has one. */
export type Descriptor = number | DescriptorHandle;

/** How much to move. */
export interface AmountOptions {
  /** Bytes at most, 1 to 2^31 - 1; 65536 if omitted. */
  bytes?: number;
}

/** How much to move, and from and to where. */
export interface SpliceOptions extends AmountOptions {
  /** Where in the first file, in bytes; where that is, if omitted, which moves on then. A pipe has none. */
  fromOffset?: number | bigint;
  /** Where in the second file. */
  toOffset?: number | bigint;
}

/** Which part of the memory. */
export interface RangeOptions {
  /** Bytes from its beginning; 0 if omitted. */
  offset?: number;
  /** Bytes; all that follow if omitted. */
  length?: number;
}

const AMOUNT = ['bytes'];
const SPLICE = ['bytes', 'fromOffset', 'toOffset'];
const RANGE = ['offset', 'length'];
const CHUNK = 65536;
const MOST_BYTES = 0x7fff_ffff;

/** Several handles as one owner of a wait. */
function together(handles: readonly DescriptorHandle[]): WaitOwner | undefined {
  if (handles.length === 0) return undefined;
  return {
    beginWait: (cancel) => handles.forEach((one) => void one.beginWait(cancel)),
    endWait: (cancel) => handles.forEach((one) => void one.endWait(cancel)),
  };
}

function fdOf(name: string, descriptor: Descriptor): number {
  if (typeof descriptor === 'object' && descriptor instanceof DescriptorHandle) {
    descriptor.use();
    return descriptor.fd;
  }
  if (typeof descriptor !== 'number') {
    throw argumentError(`${name} must be a descriptor or a handle, got ${inspect(descriptor, { depth: 0 })}`);
  }
  checkInteger(name, descriptor, 0, MOST_BYTES);
  return descriptor;
}

function amountOf(bytes: number | undefined): number {
  if (bytes !== undefined) checkInteger('bytes', bytes, 1, MOST_BYTES);
  return bytes ?? CHUNK;
}

/** Something that moves bytes when it can. */
interface Moving {
  syscall: string;
  handles: readonly DescriptorHandle[];
  /** The system call, without waiting. */
  call(): number;
  /** What it waits for, after it could not. */
  waitsFor(): Awaiting;
  /** What it reads from, where 0 may be the end; none for memory. */
  source: number | undefined;
}

/** The side of a descriptor that is waited for. */
interface Awaiting {
  fd: number;
  side: Side;
  /** Whether the number is the caller's, who may close it meanwhile. */
  foreign: boolean;
}

/** Whether what waits in a writer must go out before. */
const isBehind = (handle: DescriptorHandle): boolean => handle instanceof PipeWriter && handle.behind;

/** What a call answered: `undefined` for not now. */
function outcome(what: Moving, moved: number): number | null | undefined {
  if (moved === -EAGAIN || moved === -EINTR) return undefined;
  if (check(moved, what.syscall) > 0 || what.source === undefined) return moved;
  // A FIFO that no writer has opened yet reads as ended, too, but does not poll as hung up.
  const { mode } = statusOf(what.source);
  if (!isKind(mode, constants.S_IFIFO)) return null;
  return (native().poll(what.source, POLLIN, 0) & POLLHUP) !== 0 ? null : undefined;
}

function attempt(what: Moving): number | null | undefined {
  for (const handle of what.handles) handle.use();
  if (what.handles.some(isBehind)) return undefined;
  return outcome(what, what.call());
}

/** A descriptor to wait on: a duplicate of one that is not ours, whose number may mean another file before the wait is over. */
function lasting({ fd, foreign }: Awaiting): { fd: number; release(): void } {
  if (!foreign) return { fd, release: () => undefined };
  const own = check(native().fcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl(F_DUPFD_CLOEXEC)');
  const release = (): void => {
    forgetDescriptor(own);
    native().close(own);
  };
  return { fd: own, release };
}

/** Resolves when a side is ready, or over. */
function whenReady(what: Moving, options: WaitOptions): Promise<void> {
  return pend<void>(together(what.handles), options, { syscall: what.syscall }, (settle) => {
    const wanted = what.waitsFor();
    const { fd, release } = lasting(wanted);
    try {
      const forget = onceReady(fd, wanted.side, () => {
        release();
        settle.resolve();
      });
      return (why) => {
        forget();
        release();
        settle.reject(why);
      };
    } catch (why) {
      release();
      throw why;
    }
  });
}

async function whenMoved(what: Prepared, options: WaitOptions): Promise<number | null> {
  const timeoutMs = options.timeoutMs ?? Infinity;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const moved =
      what.onThread === undefined ? attempt(what) : await attemptOnThread(what, what.onThread, options.signal);
    if (moved !== undefined) return moved;
    const left = deadline - performance.now();
    if (left <= 0) throw timeoutError(what.syscall, timeoutMs);
    await whenReady(what, { signal: options.signal, timeoutMs: left });
    checkSignal(options.signal);
  }
}

/** As `attempt`, while a thread waits for the disk; for the pipe it does not wait. */
async function attemptOnThread(
  what: Moving,
  start: (token: number) => number,
  signal: AbortSignal | undefined,
): Promise<number | null | undefined> {
  for (const handle of what.handles) handle.use();
  if (what.handles.some(isBehind)) return undefined;
  const moved = await callBlocking(start, { signal }, { syscall: what.syscall }, together(what.handles));
  if (moved > 0) return moved; // even if a handle was closed meanwhile
  for (const handle of what.handles) handle.use();
  return outcome(what, moved);
}

function whenMovedSync(what: Moving, timeoutMs: number): number | null {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const moved = attempt(what);
    if (moved !== undefined) return moved;
    const left = deadline - performance.now();
    if (left <= 0) throw timeoutError(what.syscall, timeoutMs);
    const { fd, side } = what.waitsFor();
    blockOnce(fd, side, Math.ceil(left));
  }
}

const isReady = (fd: number, side: Side): boolean => native().poll(fd, side, 0) !== 0;

/** Of two descriptors that which is not ready: the first to be read from, the second to be written to. */
function notReady(from: Descriptor, source: number, to: Descriptor, goal: number): Awaiting {
  const full = typeof to === 'object' && isBehind(to);
  if (full || isReady(source, POLLIN)) return { fd: goal, side: POLLOUT, foreign: typeof to === 'number' };
  return { fd: source, side: POLLIN, foreign: typeof from === 'number' };
}

interface Prepared extends Moving {
  /** Starts it on a thread, if one side is a file, where the disk decides when it is done. */
  onThread?: (token: number) => number;
}

function offsetOf(name: string, offset: number | bigint | undefined): number {
  if (offset === undefined) return -1;
  if (typeof offset === 'bigint' && (offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER))) {
    throw rangeError(`${name} must be from 0 to ${Number.MAX_SAFE_INTEGER}, got ${offset}n`);
  }
  const value = typeof offset === 'bigint' ? Number(offset) : offset;
  checkInteger(name, value, 0, Number.MAX_SAFE_INTEGER);
  return value;
}

function prepareSplice(from: Descriptor, to: Descriptor, options: SpliceOptions): Prepared {
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
    handles: [from, to].filter((one): one is DescriptorHandle => typeof one === 'object'),
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

function prepareTee(from: Descriptor, to: Descriptor, options: AmountOptions): Moving {
  const [source, goal] = [fdOf('from', from), fdOf('to', to)];
  const length = amountOf(options.bytes);
  return {
    syscall: 'tee',
    handles: [from, to].filter((one): one is DescriptorHandle => typeof one === 'object'),
    call: () => native().tee(source, goal, length, SPLICE_F_NONBLOCK),
    waitsFor: () => notReady(from, source, to, goal),
    source,
  };
}

/**
 * Copies what stands in one pipe into another, without taking it out (tee(2)): the pages themselves are in both then. The next
 * call copies the same again, so take out as many bytes as were copied, as with `splice`, before it.
 *
 * @param from the read end of a pipe
 * @param to the write end of another
 * @returns how many bytes; `null` at the end of `from`
 * @throws IpcError EBADF (wrong direction), EINVAL (no pipe, or the same one), EPIPE, ETIMEDOUT
 */
export async function tee(
  from: Descriptor,
  to: Descriptor,
  options: AmountOptions & WaitOptions = {},
): Promise<number | null> {
  checkOptions(options, [...AMOUNT, ...WAIT_OPTIONS]);
  checkSignal(options.signal);
  checkTimeout(options.timeoutMs);
  return whenMoved(prepareTee(from, to, options), options);
}

/** As `tee`, blocking this thread. */
export function teeSync(
  from: Descriptor,
  to: Descriptor,
  options: AmountOptions & SyncWaitOptions = {},
): number | null {
  checkOptions(options, [...AMOUNT, 'timeoutMs']);
  return whenMovedSync(prepareTee(from, to, options), checkTimeout(options.timeoutMs));
}

/** As `tee`, what can be copied now, else `undefined`. */
export function tryTee(from: Descriptor, to: Descriptor, options: AmountOptions = {}): number | null | undefined {
  checkOptions(options, AMOUNT);
  return attempt(prepareTee(from, to, options));
}

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
    handles: typeof writer === 'object' ? [writer] : [],
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
