/** A ring in a POSIX shared memory object. */
import * as shm from '../../../shm/index.js';
import { pair, type Row, removeIfThere } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'posixshm',
  mechanism: 'ring in POSIX shared memory',
  way: 'memory',
  family: 'memory',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare(place) {
    const [there, back] = [`/${place.name('shm')}`, `/${place.name('shm-back')}`];
    return pair(`posixshm:${there}`, `posixshm:${back}`, () => {
      for (const name of [there, back]) removeIfThere(() => shm.unlink(name));
    });
  },
};
