/** One robust mutex, as the addon binds it for this thread of JavaScript: native/robust.c. */
import { EOPNOTSUPP } from '../core/errno.js';
import { check } from '../core/errors.js';
import type { Mapping } from '../mmap/index.js';
import { type BoundLock, native } from '../sys/index.js';
import type { DeadOwner } from './guard.js';
import { unsupported } from './place.js';

/**
 * Binds the mutex at this place. The memory stays mapped until `unbind`, which is refused while the mutex is held.
 *
 * @param recorded whether process and thread of the owner are noted behind its 40 bytes
 */
export function bind(mapping: Mapping, offset: number, recorded: boolean): BoundLock {
  const bound = native().lockBind(mapping.native, offset, recorded);
  if (typeof bound !== 'number') return bound;
  if (bound === -EOPNOTSUPP) throw unsupported();
  throw new Error(`not bound: ${check(bound, 'mmap')}`);
}

const numbers = new Uint32Array(2);

/** Whose death the last `take` has told of. */
export function deadOwner(bound: BoundLock): DeadOwner {
  bound.died(numbers);
  const [pid, tid] = numbers as unknown as [number, number];
  return { pid: pid === 0 ? undefined : pid, tid: tid === 0 ? undefined : tid };
}
