/** Open file description locks of fcntl(2): each is a byte of one file, which is opened anew for each turn. */
import { rmSync } from 'node:fs';
import { ofd } from '../../../filelock/index.js';
import { byLocks, type Primitive } from '../primitive.js';

/** The primitive. */
export const primitive: Primitive = {
  name: 'ofd',
  mechanism: 'open file description lock',
  way: 'kernel',
  processes: 'unrelated',
  make: (place) => ({ where: place.path('ofd') }),
  join: (side, where) => byLocks(side, (which) => ofd.acquire(where, { offset: which, length: 1, create: true })),
  remove: (where) => rmSync(where, { force: true }),
};
