/** A ring in a mapped file. */
import { pairOfFiles, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'mmap',
  mechanism: 'ring in a mapped file',
  way: 'memory',
  family: 'memory',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: (place) => pairOfFiles(place, 'mmap', 'ring'),
};
