/** What may be done with mapped memory, and how the kernel is told. */
import { MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from '../sys/index.js';
import { argumentError } from '../core/errors.js';

/**
 * `'read'`: nobody can store through this mapping. `'read-write'`: what is stored is seen by all who map it, and goes to
 * the file. `'copy-on-write'`: what is stored stays in this process.
 */
export type Access = 'read' | 'read-write' | 'copy-on-write';

const HOW: Record<Access, { protection: number; flags: number }> = {
  read: { protection: PROT_READ, flags: MAP_SHARED },
  'read-write': { protection: PROT_READ | PROT_WRITE, flags: MAP_SHARED },
  'copy-on-write': { protection: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE },
};

/** The arguments of mmap(2) for an access. */
export function howToMap(access: Access): { protection: number; flags: number } {
  return HOW[access];
}

/** Throws for what is no access. */
export function checkAccess(access: unknown): asserts access is Access {
  if (!Object.hasOwn(HOW, String(access))) {
    throw argumentError(`access must be one of ${Object.keys(HOW).join(', ')}, got ${String(access)}`);
  }
}
