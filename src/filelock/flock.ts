/**
 * Locks of flock(2): on a whole file, for an open file. All descriptors that mean this open file share the lock: duplicates, those of
 * children that inherited it, of processes that were sent it. It ends with the last of them, or with `release()` in any.
 *
 * Locks of fcntl(2), which are `record` and `ofd`, do not see it, nor does it see them. What flock(1) and `interproc lock` take is
 * this one.
 */
import { argumentError } from '../core/errors.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import * as form from './acquire.js';
import { type Lockable, OpenFile } from './file.js';
import type { FileLock } from './fileLock.js';
import { FLOCK } from './kind.js';
import { WHOLE } from './range.js';

/**
 * Waits for the lock (flock(2)). The wait has a small thread of its own, none of libuv's. After an abort or a time-out nothing is
 * held; a lock that was got at the same moment is delivered.
 *
 * @param file a path, which is opened anew (for reading, unless `access` says); or what you have open
 * @throws IpcError ENOENT, EACCES, ELOOP of open; EBADF; EBUSY (this very open file has it already); ENOLCK; ETIMEDOUT
 * @example
 * using lock = await filelock.flock.acquire('/run/jobs.lock', { create: true });
 */
export function acquire(file: Lockable, options?: form.LockOptions & WaitOptions): Promise<FileLock> {
  return form.acquire(FLOCK, file, options);
}

/** As `acquire`, blocking this thread. */
export function acquireSync(file: Lockable, options?: form.LockOptions & SyncWaitOptions): FileLock {
  return form.acquireSync(FLOCK, file, options);
}

/** As `acquire`, at once; `undefined` if somebody has it. */
export function tryAcquire(file: Lockable, options?: form.LockOptions): FileLock | undefined {
  return form.tryAcquire(FLOCK, file, options);
}

/**
 * Gives back the lock of an open file (LOCK_UN of flock(2)), by whichever of its descriptors and by whomever it was taken; nothing
 * happens if there is none. A lock that was taken here is given back by its `release()`.
 *
 * @throws IpcError EBADF
 */
export function unlock(file: Exclude<Lockable, string>): void {
  if (typeof file === 'string') throw argumentError(`only what is open can be unlocked, got the path '${file}'`);
  const open = OpenFile.of(file, {}, 'read');
  FLOCK.give(open.fd, WHOLE);
  open.close();
}
