/** Memory for the rings of a run: made by the parent, mapped by both sides. */
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { formatRing, ringBytes } from '../../src/channel/ring/memory.js';

/** Bytes of each ring: as many as in the C programs. */
export const CAPACITY = 1 << 20;

/** Memory of the parent, and how the child gets at it. */
export interface Made {
  rings: mmap.Mapping[];
  /** For the child's command line, one for each ring. */
  names: string[];
  /** For `startOther`. */
  descriptors: number[];
  /** Call it once the child is over. */
  forget: () => void;
}

/**
 * Makes memory for rings.
 *
 * @param mechanism `shm`: sealed memfds that the child inherits; `posixshm`: objects in /dev/shm, found by name
 */
export function makeRings(mechanism: string, count: number): Made {
  const size = ringBytes(CAPACITY);
  const memories: shm.SharedMemory[] = [];
  if (mechanism !== 'shm' && mechanism !== 'posixshm')
    throw new RangeError(`--mechanism must be shm or posixshm, not ${mechanism}`);
  for (let i = 0; i < count; i++) {
    memories.push(
      mechanism === 'shm' ? shm.memfd({ size, name: 'bench' }) : shm.create(`/bench-${process.pid}-${i}`, { size }),
    );
  }
  let forgotten = false;
  const forget = (): void => {
    if (forgotten) return;
    forgotten = true;
    for (const memory of memories) {
      if (memory.name !== undefined) shm.unlink(memory.name);
      memory.close();
    }
  };
  process.once('exit', forget);
  const rings = memories.map((memory) => memory.map());
  for (const ring of rings) formatRing(ring, CAPACITY);
  return {
    rings,
    names: memories.map((memory, i) => memory.name ?? `descriptor:${3 + i}`),
    descriptors: mechanism === 'shm' ? memories.map((memory) => memory.fd) : [],
    forget,
  };
}

/** The ring of this name, in the child. */
export function openRing(name: string): mmap.Mapping {
  using memory = name.startsWith('/') ? shm.open(name) : shm.fromDescriptor(Number(name.slice('descriptor:'.length)));
  return memory.map();
}

/** Private memory at the beginning of a page: the kernel copies to and from it some 10 % faster than elsewhere. C has it, too. */
export function alignedMemory(size: number): ArrayBuffer {
  return mmap.anonymous(size, { shared: false }).buffer;
}
