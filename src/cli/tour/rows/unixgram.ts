/** A Unix datagram socket. */
import { pairOfFiles, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'unixgram',
  mechanism: 'Unix datagram socket',
  way: 'kernel',
  family: 'message',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: (place) => pairOfFiles(place, 'unixgram', 'datagrams'),
};
