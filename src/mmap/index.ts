/** Memory mapping: mmap(2). */
export { anonymous, descriptor, Mapping } from './mapping.js';
