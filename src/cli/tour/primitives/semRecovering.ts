/** Semaphores whose permits come back: whoever has one is known, so a turn is held, as with locks. */
import * as sem from '../../../sem/index.js';
import { byLocks, LOCKS, numbered, type Primitive } from '../primitive.js';
import { removeIfThere } from '../row.js';

/** The primitive. */
export const primitive: Primitive = {
  name: 'sem-recovering',
  mechanism: 'semaphore whose permits come back',
  way: 'kernel',
  processes: 'unrelated',
  make(place) {
    const where = `/${place.name('sem')}`;
    for (const name of numbered(where, LOCKS)) sem.create(name, { recover: true, value: 1 }).close();
    return { where };
  },
  async join(side, where) {
    const all = numbered(where, LOCKS).map((name) => sem.open(name, { recover: true }));
    const turns = await byLocks(side, (which) => all[which]!.acquire());
    return { ...turns, close: () => all.map((one) => one.close()) };
  },
  remove(where) {
    for (const name of numbered(where, LOCKS)) removeIfThere(() => sem.unlink(name, { recover: true }));
  },
};
