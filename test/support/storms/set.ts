/** Storms over System V semaphore sets, whose permits the kernel gives back with `undo`, and loses without. */
import { semaphoreSet } from '../../../src/sysv/index.js';
import { newSet } from '../../sysv/sets.js';
import type { Opened, Primitive, Turn } from './primitive.js';

const turn = (permit: semaphoreSet.Permit): Turn => ({ deaths: 0, release: () => permit.release() });

function opened(set: semaphoreSet.SemaphoreSet, undo: boolean): Opened {
  return {
    take: async ({ signal, timeoutMs }) => turn(await set.acquire({ undo, signal, timeoutMs })),
    takeSync: ({ timeoutMs }) => turn(set.acquireSync({ undo, timeoutMs })),
  };
}

function primitive(undo: boolean, capacity: number): Primitive {
  return {
    capacity,
    loses: !undo,
    make(t) {
      const set = newSet(t, { initial: capacity });
      return {
        place: String(set.id),
        ours: opened(set, undo),
        free: () => set.getValue(),
        giveBack: () => set.release(),
      };
    },
    open: (id) => opened(semaphoreSet.fromId(Number(id)), undo),
  };
}

export const undoOne = primitive(true, 1);
export const undoThree = primitive(true, 3);
export const plainOne = primitive(false, 1);
