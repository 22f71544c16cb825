/**
 * A lock file: one at a time has it, and what stands in it says who. The lock is flock(2) on the file, so the kernel takes it from an
 * owner that dies, and what a dead one has left behind is taken over at once; no age, pid or heartbeat is looked at.
 *
 * Who has it holds, besides, a lock on one byte far behind the end (F_OFD_SETLK), once its record is written. Nobody waits for that one;
 * by it `owner()` sees, without taking anything, that the record is a living owner's.
 */
import { constants } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB, LOCK_UN, native, O_NONBLOCK } from '../sys/index.js';
import { checkMode, checkOptions, checkString } from '../core/arguments.js';
import { callBlocking, callBlockingSync } from '../core/blocking.js';
import { EAGAIN, ENOENT } from '../core/errno.js';
import { argumentError, check, IpcError, timeoutError } from '../core/errors.js';
import { atExit } from '../core/exit.js';
import { type FileStatus, isKind, kindOf, namesDescriptor } from '../core/files.js';
import { DescriptorHandle } from '../core/handle.js';
import { giveName, openLockFile, type OpenLockFile } from '../core/lockName.js';
import { traceOf } from '../core/trace.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { holders, processOf } from './holders.js';
import { type LockOwner, ownerByPid, readOwner, writeOwner } from './ownerRecord.js';

/** How a lock file is taken. */
export interface LockFileOptions {
  /** Permission bits of a file that is made, exactly these whatever the umask; 0600 if omitted. Who may not open it for reading and writing cannot take it. */
  mode?: number;
  /**
   * Whether the file is removed when it is released. If omitted, a file that was made for this is, also if its first owner died,
   * and one that was there, empty, stays: others may use it with flock(1), which cannot know that a file is removed.
   */
  remove?: boolean;
}

const OPTIONS = ['mode', 'remove'];
/** The byte that says that the record is a living owner's. */
const MARK = 2n ** 62n;
const AWAITED = 'flock';
const trace = traceOf('filelock');

function setMark(fd: number, type: number): number {
  return native().ofdSetLock(fd, type, MARK, 1n);
}

/** A lock file that is ours until it is released: `using lock = await filelock.lockFile(path)`. */
export class LockFile extends DescriptorHandle {
  readonly path: string;
  /** The record of an owner that has left the file behind: it was killed, or ended without releasing. */
  readonly takenOver: LockOwner | undefined;

  /** @internal */
  constructor(fd: number, path: string, takenOver: LockOwner | undefined, remove: boolean) {
    super(fd, `the lock file ${path}`);
    this.path = path;
    this.takenOver = takenOver;
    const stay = atExit(() => this.close());
    this.beforeClose(() => {
      stay();
      if (!remove) native().ftruncate(fd, 0);
      setMark(fd, F_UNLCK);
      if (remove) giveName(path, fd);
      else native().flock(fd, LOCK_UN);
      trace('releaseFile', { path });
    });
    trace('lockFile', { path, takenOver });
  }

  /** Gives it back, and removes the file if it is to be. Calling it again does nothing. */
  release(): void {
    this.close();
  }

  describe(): string {
    return `the lock file ${this.path}`;
  }

  protected override details(): Record<string, unknown> {
    return { path: this.path, ...(this.takenOver === undefined ? {} : { takenOver: this.takenOver }) };
  }
}

function refuse(path: string): (found: FileStatus) => void {
  return ({ mode, links }) => {
    if (isKind(mode, constants.S_IFREG) && links <= 1) return;
    const instead = isKind(mode, constants.S_IFREG) ? 'a file with further names' : kindOf(mode);
    throw new IpcError({
      code: 'EINVAL',
      syscall: 'open',
      path,
      message: `${instead} is in the place of the lock file`,
      hint: 'what is written into a lock file must not end up elsewhere: it has one name, and is a regular file',
    });
  };
}

/** The lock is held: looks at what is in the file, and writes who has it. `undefined` if the path means another file by now. */
function occupy(path: string, { fd, made }: OpenLockFile, options: LockFileOptions): LockFile | undefined {
  if (!namesDescriptor(path, fd)) return undefined;
  const before = readOwner(fd, { path });
  if (before === null) {
    throw new IpcError({
      code: 'EEXIST',
      syscall: 'open',
      path,
      message: 'what is in this file is no lock file’s record',
      hint: 'a lock file is empty, or says who had it; name another path, or empty this file',
    });
  }
  const { remove = before === undefined ? made : !before.stays } = options;
  try {
    writeOwner(fd, !remove, { path });
    check(setMark(fd, F_WRLCK), 'fcntl(F_OFD_SETLK)', { path });
  } catch (why) {
    if (remove) giveName(path, fd);
    else native().ftruncate(fd, 0);
    throw why;
  }
  return new LockFile(fd, path, before?.owner, remove);
}

/** Takes the lock at once, or not. */
function takeNow(fd: number, path: string): boolean {
  const taken = native().flock(fd, LOCK_EX | LOCK_NB);
  if (taken === -EAGAIN) return false;
  check(taken, AWAITED, { path });
  return true;
}

function openFor(path: string, { mode = 0o600 }: LockFileOptions): OpenLockFile {
  return openLockFile(path, mode, refuse(path));
}

const waitFor =
  (fd: number) =>
  (token: number): number =>
    native().blockingFlock(token, fd, LOCK_EX);

function checkLockFile(path: string, options: LockFileOptions, wait: readonly string[]): void {
  checkString('path', path);
  checkOptions(options, [...OPTIONS, ...wait]);
  const { mode = 0o600, remove } = options;
  checkMode(mode);
  if (remove !== undefined && typeof remove !== 'boolean') {
    throw argumentError(`remove must be true or false, got ${inspect(remove)}`);
  }
}

/** What is left of a time-out, counted over several waits. */
function remaining(timeoutMs: number): () => number {
  const deadline = performance.now() + timeoutMs;
  return () => Math.max(0, deadline - performance.now());
}

/** The time-out is told as it was given, and not as what was left of it. */
function asGiven(why: unknown, timeoutMs: number, path: string): unknown {
  return why instanceof IpcError && why.code === 'ETIMEDOUT' ? timeoutError(AWAITED, timeoutMs, { path }) : why;
}

/**
 * Waits until nobody has the lock file, and takes it. The file is made if it is not there, and says who has it from then on.
 *
 * It excludes everybody who takes it by this function, in this thread, another, or another process; and flock(1) and `interproc lock`
 * where the file stays (`remove`). After an abort or a time-out nothing is held; a lock that was got at the same moment is
 * delivered. It is released, too, when the process exits, unless a signal kills it; then the next one takes it over at once, and
 * `takenOver` says whose it was.
 *
 * @throws IpcError ETIMEDOUT; EACCES, ENOENT (the folder), ELOOP (a symbolic link) of open; EINVAL (no regular file, or one with
 *   several names); EEXIST (the file has other contents); ENOSPC; ENOLCK
 * @example
 * using lock = await filelock.lockFile('/run/jobs.lock', { timeoutMs: 1000 });
 * if (lock.takenOver) console.warn('the last one died:', lock.takenOver.command);
 */
export async function lockFile(path: string, options: LockFileOptions & WaitOptions = {}): Promise<LockFile> {
  checkLockFile(path, options, WAIT_OPTIONS);
  const signal = checkSignal(options.signal);
  const timeoutMs = checkTimeout(options.timeoutMs);
  const left = remaining(timeoutMs);
  for (;;) {
    const open = openFor(path, options);
    let lock: LockFile | undefined;
    try {
      if (!takeNow(open.fd, path)) {
        const wait = { signal, timeoutMs: left() };
        check(await callBlocking(waitFor(open.fd), wait, { syscall: AWAITED, subject: { path } }), AWAITED, { path });
      }
      lock = occupy(path, open, options);
    } catch (why) {
      throw asGiven(why, timeoutMs, path);
    } finally {
      if (lock === undefined) native().close(open.fd);
    }
    if (lock !== undefined) return lock;
  }
}

/** As `lockFile`, blocking this thread. */
export function lockFileSync(path: string, options: LockFileOptions & SyncWaitOptions = {}): LockFile {
  checkLockFile(path, options, ['timeoutMs']);
  const timeoutMs = checkTimeout(options.timeoutMs);
  const left = remaining(timeoutMs);
  for (;;) {
    const open = openFor(path, options);
    let lock: LockFile | undefined;
    try {
      if (!takeNow(open.fd, path)) {
        const awaited = { syscall: AWAITED, subject: { path } };
        check(callBlockingSync(waitFor(open.fd), { timeoutMs: left() }, awaited), AWAITED, { path });
      }
      lock = occupy(path, open, options);
    } catch (why) {
      throw asGiven(why, timeoutMs, path);
    } finally {
      if (lock === undefined) native().close(open.fd);
    }
    if (lock !== undefined) return lock;
  }
}

/** As `lockFile`, at once; `undefined` if somebody has it: `owner()` says who. */
export function tryLockFile(path: string, options: LockFileOptions = {}): LockFile | undefined {
  checkLockFile(path, options, []);
  for (;;) {
    const open = openFor(path, options);
    let lock: LockFile | undefined;
    try {
      if (!takeNow(open.fd, path)) return undefined;
      lock = occupy(path, open, options);
    } finally {
      if (lock === undefined) native().close(open.fd);
    }
    if (lock !== undefined) return lock;
  }
}

/** Whether the mark of a living owner is on the file. */
function isMarked(fd: number, path: string): boolean {
  return check(native().ofdGetLock(fd, F_RDLCK, MARK, 1n), 'fcntl(F_OFD_GETLK)', { path }) !== F_UNLCK;
}

/**
 * Who has a lock file now; `undefined` if nobody has, whatever is written there. It takes nothing and is in nobody's way.
 *
 * Where somebody has it who has written no record, as flock(1), the kernel is asked for the pid (proc_locks(5)), and `since` is
 * `undefined`.
 *
 * @throws IpcError EACCES, ELOOP (a symbolic link) of open
 */
export function owner(path: string): LockOwner | undefined {
  checkString('path', path);
  for (;;) {
    const fd = native().open(path, constants.O_RDONLY | constants.O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd === -ENOENT) return undefined;
    check(fd, 'open', { path });
    try {
      // The mark is set after the record and taken away before it changes.
      const marked = isMarked(fd, path);
      const record = marked ? readOwner(fd, { path }) : undefined;
      if (!namesDescriptor(path, fd)) continue; // released meanwhile, and perhaps taken anew
      if (record && isMarked(fd, path)) return record.owner;
      if (marked) continue;
      const holder = holders(fd).find(({ kind, shared, waiting }) => kind === 'flock' && !shared && !waiting);
      return holder === undefined ? undefined : ownerByPid(processOf(holder.pid, holder.pids));
    } finally {
      native().close(fd);
    }
  }
}
