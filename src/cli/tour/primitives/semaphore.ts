/** Semaphores of `lock` in memory that both processes have mapped. Their permits have holders, so a turn is held, as with locks. */
import { Semaphore } from '../../../lock/index.js';
import { byLocks, LOCKS, type Primitive } from '../primitive.js';
import { PLACE } from '../turnCount.js';

const SEATS = 2;
const places = Array.from({ length: LOCKS }, (_, which) => PLACE + which * Semaphore.byteLength(SEATS));

/** The primitive. */
export const primitive: Primitive = {
  name: 'semaphore',
  mechanism: 'semaphore with holders in a mapping',
  way: 'memory',
  processes: 'siblings',
  make(_place, memory) {
    for (const place of places) Semaphore.create(memory, place, { seats: SEATS, permits: 1 }).close();
    return {};
  },
  join(side, _where, memory) {
    const all = places.map((place) => Semaphore.open(memory, place));
    return byLocks(side, (which) => all[which]!.acquire());
  },
};
