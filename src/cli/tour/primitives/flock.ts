/** Locks of flock(2): each is a file of its own, which is opened anew for each turn. */
import { rmSync } from 'node:fs';
import { flock } from '../../../filelock/index.js';
import { byLocks, LOCKS, numbered, type Primitive } from '../primitive.js';

/** The primitive. */
export const primitive: Primitive = {
  name: 'flock',
  mechanism: 'flock',
  way: 'kernel',
  processes: 'unrelated',
  make: (place) => ({ where: place.path('flock') }),
  join(side, where) {
    const files = numbered(where, LOCKS);
    return byLocks(side, (which) => flock.acquire(files[which]!, { create: true }));
  },
  remove(where) {
    for (const file of numbered(where, LOCKS)) rmSync(file, { force: true });
  },
};
