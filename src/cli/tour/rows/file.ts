/** A file on disk, through the page cache: the kernel writes it to the disk when it sees fit. */
import { pairOfFiles, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'file',
  mechanism: 'file, page cache',
  way: 'file',
  family: 'stream',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: (place) => pairOfFiles(place, 'file', 'log'),
};
