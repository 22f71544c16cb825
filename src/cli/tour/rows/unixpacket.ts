/** A Unix seqpacket socket. */
import { pairOfFiles, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'unixpacket',
  mechanism: 'Unix seqpacket socket',
  way: 'kernel',
  family: 'message',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: (place) => pairOfFiles(place, 'unixpacket', 'packets'),
};
