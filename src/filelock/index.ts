/**
 * Locks of files, by which processes and threads take turns: flock(2), and the open file description and record locks of fcntl(2);
 * `lockFile`, the whole that most programs want; leases, which tell when somebody else opens a file.
 *
 * All of them are advisory: who does not ask is not stopped. All are the kernel's, which takes them from a process that dies, however
 * it dies.
 *
 * @example
 * using lock = await filelock.lockFile('/run/jobs.lock', { timeoutMs: 1000 });
 */
export type { LockOptions } from './acquire.js';
export type { FileAccess, Lockable, OpenFileOptions } from './file.js';
export { FileLock } from './fileLock.js';
export * as flock from './flock.js';
export { type Holder, type HolderOptions, holders } from './holders.js';
export {
  allLocks as locks,
  type KernelLock,
  type LockKind,
  locksThrough,
  type PlacedLock,
  placeSeen,
} from './kernelLocks.js';
export { Lease, lease, type LeaseBreak, leaseBreakMs, type LeaseType } from './lease.js';
export { LockFile, lockFile, lockFileSync, owner, tryLockFile, type LockFileOptions } from './lockFile.js';
export type { LockOwner } from './ownerRecord.js';
export * as ofd from './ofd.js';
export type { RangeOptions } from './range.js';
export * as record from './record.js';
