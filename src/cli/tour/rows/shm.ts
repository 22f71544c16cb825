/** A ring in a memfd, which one process hands to the other over a Unix socket. */
import { pair, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'shm',
  mechanism: 'ring in a memfd',
  way: 'memory',
  family: 'memory',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare(place) {
    // The memory has no name, and the socket's is an abstract one: both vanish with their processes.
    return pair(`shm:${place.name('memfd')}`, `shm:${place.name('memfd-back')}`, () => undefined);
  },
};
