/** Taking a lock in three forms: a promise, blocking this thread, at once. */
import { inspect } from 'node:util';
import { callBlocking, callBlockingSync } from '../core/blocking.js';
import { EAGAIN } from '../core/errno.js';
import { argumentError, check, closedError, IpcError } from '../core/errors.js';
import { Handle } from '../core/handle.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { checkOpenFile, type FileAccess, type Lockable, OpenFile, type OpenFileOptions } from './file.js';
import { FileLock } from './fileLock.js';
import { locksThrough } from './kernelLocks.js';
import { type Kind, RECORD } from './kind.js';
import { overlap, type Range, RANGE_OPTIONS, type RangeOptions, rangeOf, WHOLE } from './range.js';
import { claimRange } from './recordFiles.js';

/** How a file is locked. */
export interface LockOptions extends OpenFileOptions {
  /** Whether others may have a shared lock at the same time. False if omitted: nobody else has any. */
  shared?: boolean;
}

/** What a lock is, before it is taken. */
interface Wanted {
  kind: Kind;
  file: OpenFile;
  shared: boolean;
  range: Range;
  unclaim: () => void;
}

/** What an exclusive lock of this kind needs the file to be open for. */
function accessFor(kind: Kind, shared: boolean): FileAccess {
  return shared || kind.name === 'flock' ? 'read' : 'read-write';
}

/** Ranges that are waited for through descriptors of the caller's, by kind and descriptor. */
const waitedFor = new Map<string, Set<Range>>();

/**
 * Two locks on one open file do not exclude each other: the second converts the first. So that is refused while one is held, as the
 * kernel says, or waited for here.
 */
function claimOpenFile(kind: Kind, file: OpenFile, range: Range): () => void {
  if (typeof file.name === 'string') return () => {};
  const key = `${kind.name} ${file.name} ${file.identity.dev}:${file.identity.ino}`;
  const waiting = waitedFor.get(key) ?? new Set<Range>();
  const held = locksThrough(file.fd).filter((lock) => lock.kind === kind.name && !lock.waiting);
  if ([...held, ...waiting].some((other) => overlap(other, range))) {
    throw new IpcError({
      code: 'EBUSY',
      syscall: kind.syscall,
      ...file.subject,
      message: 'this open file has the lock, or waits for it',
      hint: 'locks on one open file convert each other instead of excluding: open the file once more, or name it by its path',
    });
  }
  waiting.add(range);
  waitedFor.set(key, waiting);
  return () => {
    waiting.delete(range);
    if (waiting.size === 0) waitedFor.delete(key);
  };
}

/** Checks what was asked for and opens the file. */
function prepare(kind: Kind, file: Lockable, options: LockOptions & RangeOptions, wait: readonly string[]): Wanted {
  const ofRange = kind.name === 'flock' ? [] : RANGE_OPTIONS;
  checkOpenFile(options, ['shared', ...ofRange, ...wait]);
  const { shared = false } = options;
  if (typeof shared !== 'boolean') throw argumentError(`shared must be true or false, got ${inspect(shared)}`);
  const range = kind.name === 'flock' ? { ...WHOLE } : rangeOf(options);
  const open = OpenFile.of(file, options, accessFor(kind, shared));
  try {
    const unclaim = kind === RECORD ? claimRange(open.identity, range, open.subject) : claimOpenFile(kind, open, range);
    return { kind, file: open, shared, range, unclaim };
  } catch (why) {
    open.close();
    throw why;
  }
}

/** The lock, once the kernel has given it. */
function held({ kind, file, range, shared, unclaim }: Wanted): FileLock {
  if (kind === RECORD) return new FileLock(kind, file, range, shared, unclaim);
  unclaim(); // the kernel tells of it from now on
  return new FileLock(kind, file, range, shared, () => {});
}

function dropped({ file, unclaim }: Wanted): void {
  file.close();
  unclaim();
}

/** Takes it at once, or not. */
function takeNow({ kind, file, shared, range }: Wanted): boolean {
  const taken = kind.take(file.fd, shared, range);
  if (taken === -EAGAIN) return false;
  check(taken, kind.syscall, file.subject);
  return true;
}

/** Waits for the lock. */
export async function acquire(
  kind: Kind,
  file: Lockable,
  options: LockOptions & RangeOptions & WaitOptions = {},
): Promise<FileLock> {
  const wanted = prepare(kind, file, options, WAIT_OPTIONS);
  try {
    checkSignal(options.signal);
    checkTimeout(options.timeoutMs);
    if (!takeNow(wanted)) {
      const { fd, subject, owner } = wanted.file;
      const awaited = { syscall: kind.waitSyscall, subject };
      const begin = kind.begin(fd, wanted.shared, wanted.range);
      check(await callBlocking(begin, options, awaited, owner), kind.waitSyscall, subject);
      // Who closed the file has dropped a record lock with that.
      if (kind === RECORD && owner instanceof Handle && owner.closed) throw closedError(owner.describe());
    }
    return held(wanted);
  } catch (why) {
    dropped(wanted);
    throw why;
  }
}

/** As `acquire`, blocking this thread. */
export function acquireSync(
  kind: Kind,
  file: Lockable,
  options: LockOptions & RangeOptions & SyncWaitOptions = {},
): FileLock {
  const wanted = prepare(kind, file, options, ['timeoutMs']);
  try {
    checkTimeout(options.timeoutMs);
    if (!takeNow(wanted)) {
      const { fd, subject } = wanted.file;
      const awaited = { syscall: kind.waitSyscall, subject };
      const begin = kind.begin(fd, wanted.shared, wanted.range);
      check(callBlockingSync(begin, options, awaited), kind.waitSyscall, subject);
    }
    return held(wanted);
  } catch (why) {
    dropped(wanted);
    throw why;
  }
}

/** Takes it at once; `undefined` if somebody has it. */
export function tryAcquire(kind: Kind, file: Lockable, options: LockOptions & RangeOptions = {}): FileLock | undefined {
  const wanted = prepare(kind, file, options, []);
  let taken = false;
  try {
    taken = takeNow(wanted);
    return taken ? held(wanted) : undefined;
  } finally {
    if (!taken) dropped(wanted);
  }
}
