/**
 * Open file description locks: F_OFD_SETLK of fcntl(2). They are on ranges of a file, for an open file, and so between threads and
 * parts of a program as between processes. The kind for new code.
 *
 * They exclude each other and record locks, of whatever language. All descriptors that mean this open file share the lock;
 * it ends with the last of them, or with `release()` in any. The kernel finds no deadlocks among them.
 */
import { F_OFD_GETLK } from '../sys/index.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import * as form from './acquire.js';
import type { Lockable } from './file.js';
import type { FileLock } from './fileLock.js';
import { holderOf, type Holder, type HolderOptions } from './holders.js';
import { OFD } from './kind.js';
import type { RangeOptions } from './range.js';

/**
 * Waits for the lock (F_OFD_SETLKW of fcntl(2)). The wait has a small thread of its own, none of libuv's. After an abort or a time-out
 * nothing is held; a lock that was got at the same moment is delivered.
 *
 * @param file a path, which is opened anew: for reading if the lock is shared, else for reading and writing, unless `access`
 *   says; or what you have open for reading (shared) or writing (exclusive)
 * @throws IpcError ENOENT, EACCES, ELOOP of open; EBADF (not open for what the lock needs); EBUSY (this very open file has some of
 *   these bytes locked already); ENOLCK; ETIMEDOUT
 * @example
 * using header = await filelock.ofd.acquire('table.db', { offset: 0, length: 100, shared: true });
 */
export function acquire(file: Lockable, options?: form.LockOptions & RangeOptions & WaitOptions): Promise<FileLock> {
  return form.acquire(OFD, file, options);
}

/** As `acquire`, blocking this thread. */
export function acquireSync(file: Lockable, options?: form.LockOptions & RangeOptions & SyncWaitOptions): FileLock {
  return form.acquireSync(OFD, file, options);
}

/** As `acquire`, at once; `undefined` if somebody has some of it. */
export function tryAcquire(file: Lockable, options?: form.LockOptions & RangeOptions): FileLock | undefined {
  return form.tryAcquire(OFD, file, options);
}

/**
 * A lock that is in the way of such a lock (F_OFD_GETLK of fcntl(2)), of which there may be more; `undefined` if there is none. The
 * kernel knows no process for the lock of an open file: `pids` are those that have it open, as far as they can be looked into.
 *
 * @throws IpcError ENOENT, EACCES, ELOOP of open; EBADF
 */
export function holder(file: Lockable, options?: HolderOptions): Holder | undefined {
  return holderOf(F_OFD_GETLK, file, options);
}
