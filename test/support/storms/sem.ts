/** Storms over POSIX semaphores: those whose permits come back, and libc's, which lose them. */
import * as sem from '../../../src/sem/index.js';
import * as mmap from '../../../src/mmap/index.js';
import { join } from 'node:path';
import { temporaryFolder } from '../folder.js';
import { newNamed, newRecovering } from '../../sem/support.js';
import type { Opened, Primitive, Turn } from './primitive.js';

const turn = (permit: sem.Permit): Turn => ({ deaths: 0, release: () => permit.release() });

function opened(semaphore: sem.Semaphore | sem.RecoveringSemaphore): Opened {
  return {
    take: async ({ signal, timeoutMs }) => turn(await semaphore.acquire({ signal, timeoutMs })),
    takeSync: ({ timeoutMs }) => turn(semaphore.acquireSync({ timeoutMs })),
  };
}

function recovering(capacity: number): Primitive {
  return {
    capacity,
    make(t) {
      const semaphore = newRecovering(t, capacity);
      return { place: semaphore.name, ours: opened(semaphore) };
    },
    open: (name) => opened(sem.open(name, { recover: true })),
  };
}

export const recoveringOne = recovering(1);
export const recoveringThree = recovering(3);

function plain(capacity: number): Primitive {
  return {
    capacity,
    loses: true,
    make(t) {
      const semaphore = newNamed(t, capacity);
      return {
        place: semaphore.name,
        ours: opened(semaphore),
        free: () => semaphore.value,
        giveBack: () => semaphore.release(),
      };
    },
    open: (name) => opened(sem.open(name)),
  };
}

export const plainOne = plain(1);
export const plainThree = plain(3);

/** One at a place in the memory of a file. */
export const placedOne: Primitive = {
  loses: true,
  make(t) {
    const place = join(temporaryFolder(t), 'memory');
    const memory = mmap.createFile(place, { size: 4096 });
    t.after(() => memory.close());
    const semaphore = sem.create(memory, 0, { value: 1 });
    return { place, ours: opened(semaphore), free: () => semaphore.value, giveBack: () => semaphore.release() };
  },
  open: (path) => opened(sem.open(mmap.file(path, { access: 'read-write' }), 0)),
};
