/**
 * System V IPC: sysvipc(7). Objects of the kernel that are found by a 32-bit key and live until they are removed,
 * whether or not anybody runs.
 *
 * @example
 * using jobs = sysv.messageQueue.openOrCreate(sysv.ftok('/etc/hostname', 7));
 * await jobs.send(3, Buffer.from('resize 17'));
 * const { type, data } = await jobs.receive({ type: 3 });
 */
export { ftok, IPC_PRIVATE, type Key } from './key.js';
export * as messageQueue from './messageQueue/index.js';
export type { Owner, OwnerChanges } from './owner.js';
export * as semaphoreSet from './semaphoreSet/index.js';
export * as sharedMemory from './sharedMemory/index.js';
