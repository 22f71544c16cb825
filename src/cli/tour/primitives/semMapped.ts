/** Two POSIX semaphores in memory that both processes have mapped. */
import * as sem from '../../../sem/index.js';
import type { Primitive } from '../primitive.js';
import { PLACE } from '../turnCount.js';

/** Each in a line of the cache of its own. */
const APART = 64;

/** The primitive. */
export const primitive: Primitive = {
  name: 'sem-mapped',
  mechanism: 'POSIX semaphore in a mapping',
  way: 'memory',
  processes: 'siblings',
  make(_place, memory) {
    for (const side of [0, 1]) sem.create(memory, PLACE + side * APART, { value: 1 - side });
    return {};
  },
  join(side, _where, memory) {
    const mine = sem.open(memory, PLACE + side * APART);
    const others = sem.open(memory, PLACE + (1 - side) * APART);
    return { take: () => mine.acquire(), hand: () => others.release() };
  },
};
