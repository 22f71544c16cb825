/** A POSIX message queue. */
import * as mq from '../../../mq/index.js';
import { pair, type Row, removeIfThere } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'mq',
  mechanism: 'POSIX message queue',
  way: 'kernel',
  family: 'message',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare(place) {
    const [there, back] = [`/${place.name('mq')}`, `/${place.name('mq-back')}`];
    return pair(`mq:${there}`, `mq:${back}`, () => {
      for (const name of [there, back]) removeIfThere(() => mq.unlink(name));
    });
  },
};
