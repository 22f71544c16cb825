/**
 * What splice(2), tee(2) and vmsplice(2) have in common: bytes move without coming out of the kernel, when one side has some and the
 * other has room.
 *
 * Each call moves what it can, be it less than was asked for, as read(2) and write(2) do. A wait that ends early has moved nothing.
 */
import { constants } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { F_DUPFD_CLOEXEC, native, POLLHUP, POLLIN, POLLOUT } from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { callBlocking } from '../core/blocking.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { argumentError, check, timeoutError } from '../core/errors.js';
import { isKind, statusOf } from '../core/files.js';
import { DescriptorHandle } from '../core/handle.js';
import { blockOnce, forgetDescriptor, onceReady, type Side } from '../core/readiness.js';
import { checkSignal, pend, type WaitOptions, type WaitOwner } from '../core/wait.js';
import { PipeWriter } from './writer.js';

/** A descriptor, or a handle that has one. */
export type Descriptor = number | DescriptorHandle;

/** How much to move. */
export interface AmountOptions {
  /** Bytes at most, 1 to 2^31 - 1; 65536 if omitted. */
  bytes?: number;
}

const CHUNK = 65536;
export const MOST_BYTES = 0x7fff_ffff;

/** The handles among what was passed. */
export function handlesOf(...descriptors: readonly Descriptor[]): DescriptorHandle[] {
  return descriptors.filter((one): one is DescriptorHandle => typeof one === 'object');
}

/** Several handles as one owner of a wait. */
function together(handles: readonly DescriptorHandle[]): WaitOwner | undefined {
  if (handles.length === 0) return undefined;
  return {
    beginWait: (cancel) => handles.forEach((one) => void one.beginWait(cancel)),
    endWait: (cancel) => handles.forEach((one) => void one.endWait(cancel)),
  };
}

/** The number of what was passed as `name`. */
export function fdOf(name: string, descriptor: Descriptor): number {
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

/** How many bytes to move at most. */
export function amountOf(bytes: number | undefined): number {
  if (bytes !== undefined) checkInteger('bytes', bytes, 1, MOST_BYTES);
  return bytes ?? CHUNK;
}

/** Something that moves bytes when it can. */
export interface Moving {
  syscall: string;
  handles: readonly DescriptorHandle[];
  /** The system call, without waiting. */
  call(): number;
  /** What it waits for, after it could not. */
  waitsFor(): Awaiting;
  /** What it reads from, where 0 may be the end; none for memory. */
  source: number | undefined;
  /** Starts it on a thread, if one side is a file, where the disk decides when it is done. */
  onThread?: (token: number) => number;
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

/** What can be moved now: how many bytes, `null` at the end, `undefined` for not now. */
export function attempt(what: Moving): number | null | undefined {
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

/** As `attempt`, as soon as something can be moved. */
export async function whenMoved(what: Moving, options: WaitOptions): Promise<number | null> {
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

/** As `whenMoved`, blocking this thread. */
export function whenMovedSync(what: Moving, timeoutMs: number): number | null {
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

/** Whether this side of a descriptor would not block now, or is over. */
export const isReady = (fd: number, side: Side): boolean => native().poll(fd, side, 0) !== 0;

/** Of two descriptors that which is not ready: the first to be read from, the second to be written to. */
export function notReady(from: Descriptor, source: number, to: Descriptor, goal: number): Awaiting {
  const full = typeof to === 'object' && isBehind(to);
  if (full || isReady(source, POLLIN)) return { fd: goal, side: POLLOUT, foreign: typeof to === 'number' };
  return { fd: source, side: POLLIN, foreign: typeof from === 'number' };
}
