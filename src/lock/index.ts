/**
 * Locks in shared memory, for processes and threads, which survive the death of whoever has them: at any moment, however he dies.
 *
 * @example
 * using memory = mmap.createFile('/dev/shm/ledger', { size: 4096 });
 * const mutex = lock.Mutex.openOrCreate(memory, 0);
 * using guard = await mutex.lock();
 * if (guard.ownerDied) { repair(memory); guard.markConsistent(); }
 */
export { Barrier, type BarrierCreateOptions } from './barrier.js';
export { Condition } from './condition.js';
export { type DeadOwner, Guard } from './guard.js';
export { Latch, type LatchCreateOptions } from './latch.js';
export { Mutex, type MutexCreateOptions, type MutexKind, type MutexOpenOptions } from './mutex.js';
export { Once, type OnceAction } from './once.js';
export { RwLock, type RwLockMode } from './rwlock.js';
export { type PermitOptions, Semaphore, type SemaphoreCreateOptions } from './semaphore.js';
export type { SeatOptions } from './tableMemory.js';
export { type Certainty, type Cycle, type Edge, type Mechanism, type Party, type Waits, waits } from './waits/index.js';
