/** A System V set of two semaphores, one for each side. */
import { semaphoreSet } from '../../../sysv/index.js';
import type { Primitive } from '../primitive.js';
import { removeIfThere } from '../row.js';

/** The primitive. */
export const primitive: Primitive = {
  name: 'semset',
  mechanism: 'System V semaphore set',
  way: 'kernel',
  processes: 'unrelated',
  make() {
    using set = semaphoreSet.create('random', { initial: [1, 0] });
    return { where: `0x${set.key.toString(16)}` };
  },
  join(side, where) {
    const set = semaphoreSet.open(Number(where));
    return {
      take: () => set.acquire({ index: side }),
      hand: () => set.release({ index: 1 - side }),
      close: () => set.close(),
    };
  },
  remove(where) {
    removeIfThere(() => semaphoreSet.remove(Number(where)));
  },
};
