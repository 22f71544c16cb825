/** A Unix stream socket by an abstract name, which is in no folder and goes with its server. */
import { pair, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'unix-abstract',
  mechanism: 'Unix stream socket, abstract name',
  way: 'kernel',
  family: 'stream',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare(place) {
    const name = `unix:@${place.name('socket')}`;
    return pair(name, `${name}-back`, () => undefined);
  },
};
