/** Locks for readers and writers in memory that both processes have mapped, taken for writing. */
import { RwLock } from '../../../lock/index.js';
import { byLocks, LOCKS, type Primitive } from '../primitive.js';
import { PLACE } from '../turnCount.js';

const SEATS = 2;
const places = Array.from({ length: LOCKS }, (_, which) => PLACE + which * RwLock.byteLength(SEATS));

/** The primitive. */
export const primitive: Primitive = {
  name: 'rwlock',
  mechanism: 'readers-writer lock in a mapping',
  way: 'memory',
  processes: 'siblings',
  make(_place, memory) {
    for (const place of places) RwLock.create(memory, place, { seats: SEATS }).close();
    return {};
  },
  join(side, _where, memory) {
    const all = places.map((place) => RwLock.open(memory, place));
    return byLocks(side, (which) => all[which]!.lock('write'));
  },
};
