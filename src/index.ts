/**
 * interproc: every Unix mechanism between processes, as itself, and one channel over all of them.
 * Importing it does nothing; the addon is loaded by the first call that needs it.
 */
export * as channel from './channel/index.js';
export { AbortError, type InterprocErrorCode, IpcError } from './core/errors.js';
export type { SyncWaitOptions, WaitOptions } from './core/wait.js';
export * as eventfd from './eventfd/index.js';
export * as fifo from './fifo/index.js';
export * as filelock from './filelock/index.js';
export * as futex from './futex/index.js';
export * as layout from './layout/index.js';
export * as lock from './lock/index.js';
export * as mmap from './mmap/index.js';
export * as mq from './mq/index.js';
export * as pipe from './pipe/index.js';
export * as proc from './proc/index.js';
export * as sem from './sem/index.js';
export * as shm from './shm/index.js';
export * as signal from './signal/index.js';
export * as sysv from './sysv/index.js';
export * as unix from './unix/index.js';
