/** A POSIX message queue. */
import * as mq from '../../../mq/index.js';
import { pairOfObjects, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'mq',
  mechanism: 'POSIX message queue',
  way: 'kernel',
  family: 'message',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: (place) => pairOfObjects(place, 'mq', mq.unlink),
};
