/** Mutexes in memory that both processes have mapped. */
import { Mutex } from '../../../lock/index.js';
import { byLocks, LOCKS, type Primitive } from '../primitive.js';
import { PLACE } from '../turnCount.js';

const places = Array.from({ length: LOCKS }, (_, which) => PLACE + which * Mutex.byteLength);

/** The primitive. */
export const primitive: Primitive = {
  name: 'mutex',
  mechanism: 'mutex in a mapping',
  way: 'memory',
  processes: 'siblings',
  make(_place, memory) {
    for (const place of places) Mutex.create(memory, place).close();
    return {};
  },
  join(side, _where, memory) {
    const all = places.map((place) => Mutex.open(memory, place));
    return byLocks(side, (which) => all[which]!.lock());
  },
};
