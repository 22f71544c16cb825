/** Two POSIX semaphores with names: each side waits for its own and posts the other's. */
import * as sem from '../../../sem/index.js';
import { numbered, type Primitive } from '../primitive.js';
import { removeIfThere } from '../row.js';

/** The primitive. */
export const primitive: Primitive = {
  name: 'sem',
  mechanism: 'POSIX semaphore with a name',
  way: 'memory',
  processes: 'unrelated',
  make(place) {
    const where = `/${place.name('sem')}`;
    for (const [side, name] of numbered(where, 2).entries()) sem.create(name, { value: 1 - side }).close();
    return { where };
  },
  join(side, where) {
    const both = numbered(where, 2).map((name) => sem.open(name));
    const [mine, others] = side === 0 ? both : both.toReversed();
    return {
      take: () => mine!.acquire(),
      hand: () => others!.release(),
      close: () => both.map((one) => one.close()),
    };
  },
  remove(where) {
    for (const name of numbered(where, 2)) removeIfThere(() => sem.unlink(name));
  },
};
