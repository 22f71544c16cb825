/** A ring in a POSIX shared memory object. */
import * as shm from '../../../shm/index.js';
import { pairOfObjects, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'posixshm',
  mechanism: 'ring in POSIX shared memory',
  way: 'memory',
  family: 'memory',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: (place) => pairOfObjects(place, 'posixshm', shm.unlink),
};
