/**
 * Memory mapping: mmap(2) and what goes with it.
 *
 * @example
 * using scores = mmap.file('/var/lib/game/scores', { access: 'read-write' });
 * new Float64Array(scores.buffer)[7] = 31.5;
 * await scores.sync();
 */
export type { Access } from './access.js';
export { anonymous, AnonymousMemory, type AnonymousOptions } from './anonymous.js';
export { createFile, type CreateFileOptions, file, type FileOptions } from './file.js';
export { attach, descriptor, type MapOptions } from './map.js';
export { Mapping, type MappingHandle, type Residence, type SyncOptions } from './mapping.js';
export { type Advice, pageSize, type Range } from './pages.js';
export { type MemoryRange, readMemory, writeMemory } from './processMemory.js';
