/**
 * Record locks: F_SETLK of fcntl(2), which lockf(3) uses, too. They are on ranges of a file, for a **process**. Use them
 * to share files with programs that do, and `ofd` otherwise:
 *
 * - When any part of this process closes any descriptor of the file, all its record locks on it are gone. `fs.readFile` of it does.
 *   `isHeld()` asks the kernel.
 * - Parts of one process do not exclude each other. Here they are refused: another lock on the same bytes is `EBUSY`, as is one
 *   from another worker on the same file.
 * - Children do not inherit them.
 *
 * What this family opens itself is closed when no record lock of this thread depends on it any more.
 */
import { F_GETLK } from '../sys/index.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import * as form from './acquire.js';
import type { Lockable } from './file.js';
import type { FileLock } from './fileLock.js';
import { holderOf, type Holder, type HolderOptions } from './holders.js';
import { RECORD } from './kind.js';
import type { RangeOptions } from './range.js';

/**
 * Waits for the lock (F_SETLKW of fcntl(2)). The wait has a small thread of its own, none of libuv's. After an abort or a time-out
 * nothing is held; a lock that was got at the same moment is delivered.
 *
 * The kernel refuses a wait that would close a circle of processes. It cannot see that one of them waits in one of its parts and would
 * release in another, so a process with several waits at once can be refused without need.
 *
 * @param file a path, which is opened anew: for reading if the lock is shared, else for reading and writing, unless `access`
 *   says; or what you have open for reading (shared) or writing (exclusive)
 * @throws IpcError ENOENT, EACCES, ELOOP of open; EBADF (not open for what the lock needs); EBUSY (this process has some of it);
 *   EDEADLK (the holder waits for us); ENOLCK; ETIMEDOUT
 * @example
 * using row = await filelock.record.acquire('table.dbf', { offset: 4096, length: 512 });
 */
export function acquire(file: Lockable, options?: form.LockOptions & RangeOptions & WaitOptions): Promise<FileLock> {
  return form.acquire(RECORD, file, options);
}

/** As `acquire`, blocking this thread. */
export function acquireSync(file: Lockable, options?: form.LockOptions & RangeOptions & SyncWaitOptions): FileLock {
  return form.acquireSync(RECORD, file, options);
}

/** As `acquire`, at once; `undefined` if another process has some of it. */
export function tryAcquire(file: Lockable, options?: form.LockOptions & RangeOptions): FileLock | undefined {
  return form.tryAcquire(RECORD, file, options);
}

/**
 * A lock of another process that is in the way of such a lock (F_GETLK of fcntl(2)), of which there may be more; `undefined` if
 * there is none. Locks of this process never are.
 *
 * @throws IpcError ENOENT, EACCES, ELOOP of open; EBADF
 */
export function holder(file: Lockable, options?: HolderOptions): Holder | undefined {
  return holderOf(F_GETLK, file, options);
}
