/**
 * FIFOs, also called named pipes: fifo(7). A pipe with a name in the file system, so that processes
 * that are not related meet there; the file itself never holds a byte.
 *
 * @example
 * fifo.create('/tmp/jobs');
 * const [reader, writer] = await Promise.all([fifo.openReader('/tmp/jobs'), fifo.openWriter('/tmp/jobs')]);
 */
import { constants } from 'node:fs';
import { native } from '../sys/index.js';
import { checkMode, checkOptions, checkString } from '../core/arguments.js';
import { callBlocking, callBlockingSync } from '../core/blocking.js';
import { ENXIO } from '../core/errno.js';
import { check, IpcError, timeoutError } from '../core/errors.js';
import { isKind, kindOf, settle, statusAt, statusOf } from '../core/files.js';
import { traceOf } from '../core/trace.js';
import { type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { PipeReader, PipeWriter } from '../pipe/index.js';

export { PipeReader, PipeWriter } from '../pipe/index.js';

/** How a FIFO is made. */
export interface CreateOptions {
  /** Permission bits, exactly these whatever the umask; 0600 if omitted. */
  mode?: number;
}

const READ = constants.O_RDONLY | constants.O_NOFOLLOW;
const WRITE = constants.O_WRONLY | constants.O_NOFOLLOW;
const trace = traceOf('fifo');

/**
 * Makes a FIFO where nothing is yet (mkfifo(3)). A symbolic link in its place is not followed. Its
 * mode is never wider than asked, not even for a moment.
 *
 * @throws IpcError EEXIST, ENOENT (the folder), ENOTDIR, EACCES, EROFS, ENOSPC, ENAMETOOLONG
 */
export function create(path: string, options: CreateOptions = {}): void {
  checkString('path', path);
  checkOptions(options, ['mode']);
  const { mode = 0o600 } = options;
  checkMode(mode);
  check(native().mkfifo(path, mode), 'mkfifo', { path });
  settle(path, mode, (fd) => refuseOther(path, statusOf(fd, { path }).mode));
  trace('create', { path, mode });
}

/**
 * Removes the name (unlink(2)); who has the FIFO open goes on using it.
 *
 * @throws IpcError ENOENT, EACCES, EPERM; EINVAL if it is something else than a FIFO
 */
export function unlink(path: string): void {
  look(path, 'unlink');
  check(native().unlink(path), 'unlink', { path });
  trace('unlink', { path });
}

/** Throws unless this mode is a FIFO's. */
function refuseOther(path: string, mode: number, syscall = 'open'): void {
  if (isKind(mode, constants.S_IFIFO)) return;
  const isLink = isKind(mode, constants.S_IFLNK);
  throw new IpcError({
    code: isLink ? 'ELOOP' : 'EINVAL',
    syscall,
    path,
    message: `it is no FIFO but ${kindOf(mode)}`,
    ...(isLink ? {} : { hint: 'only a FIFO is opened or removed here; fifo.create(path) makes one where nothing is' }),
  });
}

/** Throws unless a FIFO is there: opening a device, for instance, would have effects by itself. */
function look(path: string, syscall = 'open'): void {
  checkString('path', path);
  const found = statusAt(path);
  if (found === undefined)
    throw new IpcError({ code: 'ENOENT', syscall, path, hint: 'fifo.create(path) makes a FIFO' });
  refuseOther(path, found.mode, syscall);
}

/** What open(2) gave, if it is still the FIFO that was looked at; else it is closed again. */
function taken(path: string, opened: number): number {
  const fd = check(opened, 'open', { path });
  try {
    refuseOther(path, statusOf(fd, { path }).mode);
  } catch (why) {
    native().close(fd);
    throw why;
  }
  return fd;
}

function readerOn(path: string, opened: number): PipeReader {
  const fd = taken(path, opened);
  trace('open', { path, fd, access: 'read' });
  return new PipeReader(fd, `the reader of the FIFO ${path}`, { path });
}

function writerOn(path: string, opened: number): PipeWriter {
  const fd = taken(path, opened);
  trace('open', { path, fd, access: 'write' });
  return new PipeWriter(fd, `the writer of the FIFO ${path}`, { path });
}

async function openWaiting(path: string, flags: number, options: WaitOptions | undefined): Promise<number> {
  checkOptions(options, WAIT_OPTIONS);
  look(path);
  const start = (token: number): number => native().blockingOpen(token, path, flags, 0);
  return callBlocking(start, options, { syscall: 'open', subject: { path } });
}

function openBlocking(path: string, flags: number, options: SyncWaitOptions | undefined): number {
  checkOptions(options, ['timeoutMs']);
  look(path);
  const start = (token: number): number => native().blockingOpen(token, path, flags, 0);
  return callBlockingSync(start, options, { syscall: 'open', subject: { path } });
}

/**
 * Opens the FIFO for reading as soon as somebody has it open for writing (open(2)). The wait has a
 * thread of its own, none of libuv's; after an abort or a time-out the FIFO is as if nobody had
 * come. A `timeoutMs` of 0 cannot tell whether a writer is there, and always times out.
 *
 * @throws IpcError ENOENT, EACCES, EINVAL (no FIFO), ELOOP (a symbolic link), ETIMEDOUT
 */
export async function openReader(path: string, options?: WaitOptions): Promise<PipeReader> {
  return readerOn(path, await openWaiting(path, READ, options));
}

/** As `openReader`, blocking this thread. */
export function openReaderSync(path: string, options?: SyncWaitOptions): PipeReader {
  return readerOn(path, openBlocking(path, READ, options));
}

/**
 * Opens the FIFO for reading whether or not there is a writer (O_NONBLOCK). Before the first writer
 * has come, reading waits (the `try` forms give `undefined`); it is `null` only after the last one
 * has gone.
 */
export function tryOpenReader(path: string): PipeReader {
  look(path);
  return readerOn(path, native().open(path, READ | constants.O_NONBLOCK, 0));
}

/**
 * Opens the FIFO for writing as soon as somebody has it open for reading (open(2)). The wait has a
 * thread of its own, none of libuv's; after an abort or a time-out the FIFO is as if nobody had come.
 *
 * @throws IpcError ENOENT, EACCES, EINVAL (no FIFO), ELOOP (a symbolic link), ETIMEDOUT
 */
export async function openWriter(path: string, options?: WaitOptions): Promise<PipeWriter> {
  if (options?.timeoutMs !== 0) return writerOn(path, await openWaiting(path, WRITE, options));
  return tryOpenWriter(path) ?? tooLate(path);
}

/** As `openWriter`, blocking this thread. */
export function openWriterSync(path: string, options?: SyncWaitOptions): PipeWriter {
  if (options?.timeoutMs !== 0) return writerOn(path, openBlocking(path, WRITE, options));
  return tryOpenWriter(path) ?? tooLate(path);
}

/** Opens the FIFO for writing if somebody has it open for reading, else `undefined` (ENXIO). */
export function tryOpenWriter(path: string): PipeWriter | undefined {
  look(path);
  const opened = native().open(path, WRITE | constants.O_NONBLOCK, 0);
  return opened === -ENXIO ? undefined : writerOn(path, opened);
}

function tooLate(path: string): never {
  throw timeoutError('open', 0, { path });
}
