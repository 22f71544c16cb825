/** A file on disk, each message made durable (fdatasync) before the next. */
import { pairOfFiles, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'file-durable',
  mechanism: 'file, each message durable',
  way: 'file',
  family: 'stream',
  processes: 'unrelated',
  coalesce: false,
  passes: 1,
  mostSeconds: 30,
  prepare: (place) => pairOfFiles(place, 'file', 'durable', '?sync'),
};
