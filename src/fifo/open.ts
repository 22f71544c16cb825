/**
 * Opening: open(2) of a FIFO, which waits for the other side unless it is asked not to.
 *
 * A reader that is to outlive the last writer holds a write end itself. So the kernel always counts a
 * writer: reading never meets the end, and the buffer, with what earlier writers left in it, is never
 * given up. That is one descriptor more, needs write permission, and has no moment between two opens in
 * which bytes could be lost.
 */
import { constants } from 'node:fs';
import { native } from '../sys/index.js';
import { checkOptions } from '../core/arguments.js';
import { callBlocking, callBlockingSync } from '../core/blocking.js';
import { EACCES, ENXIO } from '../core/errno.js';
import { argumentError, IpcError, systemError, timeoutError } from '../core/errors.js';
import { traceOf } from '../core/trace.js';
import { type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { PipeReader, PipeWriter } from '../pipe/index.js';
import { checkOwner, type Owner } from '../core/owner.js';
import { look, taken } from './look.js';
import { FifoReadWriter } from './readWriter.js';

/** Which FIFO is opened. */
export interface OpenOptions {
  /** Whose it has to be: `'self'`, the user that this process acts as, or a uid. Another's is refused with EACCES. */
  owner?: Owner;
}

/** Which FIFO is opened for reading, and when its end is. */
export interface ReaderOptions extends OpenOptions {
  /**
   * True: the reader goes on with the next writer when the last one has closed, and never reads the end. It needs write
   * permission, too. False if omitted.
   */
  reopen?: boolean;
}

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const READ = O_RDONLY | O_NOFOLLOW;
const WRITE = O_WRONLY | O_NOFOLLOW;
const OF_WRITER = ['owner'];
const OF_READER = [...OF_WRITER, 'reopen'];
const trace = traceOf('fifo');

/** Throws for options that cannot be meant, and for what stands at the path if that is no FIFO of the owner. */
function lookAt(path: string, options: ReaderOptions | undefined, known: readonly string[]): void {
  checkOptions(options, known);
  checkOwner(options?.owner);
  if (options?.reopen !== undefined && typeof options.reopen !== 'boolean') {
    throw argumentError(`reopen must be true or false, got ${String(options.reopen)}`);
  }
  look(path, options?.owner);
}

/** A write end of the FIFO that is open as `fd`, whatever its path names by now. */
function writeEndOf(fd: number, path: string): number {
  const own = native().open(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK, 0);
  if (own >= 0) return own;
  native().close(fd);
  if (own !== -EACCES) throw systemError(own, 'open', { path });
  const hint = 'with reopen the reader holds a write end itself, so it needs write permission for the FIFO, too';
  throw new IpcError({ code: 'EACCES', syscall: 'open', path, hint });
}

function readerOn(path: string, opened: number, { owner, reopen = false }: ReaderOptions = {}): PipeReader {
  const fd = taken(path, opened, owner);
  const what = `the reader of the FIFO ${path}`;
  trace('open', { path, fd, access: 'read', reopen });
  if (!reopen) return new PipeReader(fd, what, { path });
  const own = writeEndOf(fd, path);
  return new PipeReader(fd, what, { path }, () => native().close(own));
}

function writerOn(path: string, opened: number, { owner }: OpenOptions = {}): PipeWriter {
  const fd = taken(path, opened, owner);
  trace('open', { path, fd, access: 'write' });
  return new PipeWriter(fd, `the writer of the FIFO ${path}`, { path });
}

function openWaiting(path: string, flags: number, options: WaitOptions | undefined): Promise<number> {
  const start = (token: number): number => native().blockingOpen(token, path, flags, 0);
  return callBlocking(start, options, { syscall: 'open', subject: { path } });
}

function openBlocking(path: string, flags: number, options: SyncWaitOptions | undefined): number {
  const start = (token: number): number => native().blockingOpen(token, path, flags, 0);
  return callBlockingSync(start, options, { syscall: 'open', subject: { path } });
}

/**
 * Opens the FIFO for reading as soon as somebody has it open for writing (open(2)). The wait has a
 * thread of its own, none of libuv's; after an abort or a time-out the FIFO is as if nobody had
 * come. A `timeoutMs` of 0 cannot tell whether a writer is there, and always times out.
 *
 * @throws IpcError ENOENT, EACCES (also another owner's), EINVAL (no FIFO), ELOOP (a symbolic link), ETIMEDOUT
 * @example
 * using jobs = await fifo.openReader('/run/jobs', { reopen: true, owner: 'self' });
 * for await (const chunk of jobs) work(chunk); // of one writer after the other
 */
export async function openReader(path: string, options?: ReaderOptions & WaitOptions): Promise<PipeReader> {
  lookAt(path, options, [...OF_READER, ...WAIT_OPTIONS]);
  return readerOn(path, await openWaiting(path, READ, options), options);
}

/** As `openReader`, blocking this thread. */
export function openReaderSync(path: string, options?: ReaderOptions & SyncWaitOptions): PipeReader {
  lookAt(path, options, [...OF_READER, 'timeoutMs']);
  return readerOn(path, openBlocking(path, READ, options), options);
}

/**
 * Opens the FIFO for reading whether or not there is a writer (O_NONBLOCK). Before the first writer
 * has come, reading waits (the `try` forms give `undefined`); it is `null` only after the last one
 * has gone, and never with `reopen`.
 */
export function tryOpenReader(path: string, options?: ReaderOptions): PipeReader {
  lookAt(path, options, OF_READER);
  return readerOn(path, native().open(path, READ | O_NONBLOCK, 0), options);
}

/**
 * Opens the FIFO for writing as soon as somebody has it open for reading (open(2)). The wait has a
 * thread of its own, none of libuv's; after an abort or a time-out the FIFO is as if nobody had come.
 *
 * @throws IpcError ENOENT, EACCES (also another owner's), EINVAL (no FIFO), ELOOP (a symbolic link), ETIMEDOUT
 */
export async function openWriter(path: string, options?: OpenOptions & WaitOptions): Promise<PipeWriter> {
  lookAt(path, options, [...OF_WRITER, ...WAIT_OPTIONS]);
  if (options?.timeoutMs !== 0) return writerOn(path, await openWaiting(path, WRITE, options), options);
  return writerNow(path, options) ?? tooLate(path);
}

/** As `openWriter`, blocking this thread. */
export function openWriterSync(path: string, options?: OpenOptions & SyncWaitOptions): PipeWriter {
  lookAt(path, options, [...OF_WRITER, 'timeoutMs']);
  if (options?.timeoutMs !== 0) return writerOn(path, openBlocking(path, WRITE, options), options);
  return writerNow(path, options) ?? tooLate(path);
}

/** Opens the FIFO for writing if somebody has it open for reading, else `undefined` (ENXIO). */
export function tryOpenWriter(path: string, options?: OpenOptions): PipeWriter | undefined {
  lookAt(path, options, OF_WRITER);
  return writerNow(path, options);
}

function writerNow(path: string, options: OpenOptions | undefined): PipeWriter | undefined {
  const opened = native().open(path, WRITE | O_NONBLOCK, 0);
  return opened === -ENXIO ? undefined : writerOn(path, opened, options);
}

function tooLate(path: string): never {
  throw timeoutError('open', 0, { path });
}

/**
 * Opens the FIFO for reading and writing (O_RDWR). On Linux that waits for nobody, and opens it for others, too: their
 * opens go through, and what they write stays while this is open. It reads what anybody writes, itself included,
 * and never the end.
 *
 * @throws IpcError ENOENT, EACCES (also another owner's), EINVAL (no FIFO), ELOOP (a symbolic link)
 */
export function openReadWrite(path: string, options?: OpenOptions): FifoReadWriter {
  lookAt(path, options, OF_WRITER);
  const fd = taken(path, native().open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0), options?.owner);
  trace('open', { path, fd, access: 'read and write' });
  return new FifoReadWriter(fd, path);
}
