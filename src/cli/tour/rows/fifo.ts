/** A named pipe. */
import { rmSync } from 'node:fs';
import { pair, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'fifo',
  mechanism: 'FIFO',
  way: 'kernel',
  family: 'stream',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare(place) {
    const [there, back] = [place.path('fifo'), place.path('fifo-back')];
    return pair(`fifo:${there}`, `fifo:${back}`, () => {
      for (const path of [there, back]) rmSync(path, { force: true });
    });
  },
};
