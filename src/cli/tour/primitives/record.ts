/** Record locks of fcntl(2), which belong to a process: each is a byte of one file. */
import { rmSync } from 'node:fs';
import { record } from '../../../filelock/index.js';
import { byLocks, type Primitive } from '../primitive.js';

/** The primitive. */
export const primitive: Primitive = {
  name: 'record',
  mechanism: 'record lock',
  way: 'kernel',
  processes: 'unrelated',
  make: (place) => ({ where: place.path('record') }),
  join: (side, where) => byLocks(side, (which) => record.acquire(where, { offset: which, length: 1, create: true })),
  remove: (where) => rmSync(where, { force: true }),
};
