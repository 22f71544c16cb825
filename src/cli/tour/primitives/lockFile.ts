/** Lock files, which say who has them: made and removed in each turn. */
import { rmSync } from 'node:fs';
import { lockFile } from '../../../filelock/index.js';
import { byLocks, LOCKS, numbered, type Primitive } from '../primitive.js';

/** The primitive. */
export const primitive: Primitive = {
  name: 'lock-file',
  mechanism: 'lock file',
  way: 'kernel',
  processes: 'unrelated',
  make: (place) => ({ where: place.path('lock') }),
  join(side, where) {
    const files = numbered(where, LOCKS);
    return byLocks(side, (which) => lockFile(files[which]!));
  },
  remove(where) {
    for (const file of numbered(where, LOCKS)) rmSync(file, { force: true });
  },
};
