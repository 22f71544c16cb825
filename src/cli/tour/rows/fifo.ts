/** A named pipe. */
import { pairOfFiles, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'fifo',
  mechanism: 'FIFO',
  way: 'kernel',
  family: 'stream',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: (place) => pairOfFiles(place, 'fifo', 'fifo'),
};
