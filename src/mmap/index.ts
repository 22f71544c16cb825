/** Memory mapping: mmap(2). */
export { anonymous, descriptor, Mapping } from './mapping.js';
export { type MemoryRange, readMemory, writeMemory } from './processMemory.js';
