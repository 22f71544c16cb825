/** A Unix stream socket. */
import { pairOfFiles, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'unix',
  mechanism: 'Unix stream socket',
  way: 'kernel',
  family: 'stream',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: (place) => pairOfFiles(place, 'unix', 'socket'),
};
