/** A Unix stream socket. */
import { rmSync } from 'node:fs';
import { pair, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'unix',
  mechanism: 'Unix stream socket',
  way: 'kernel',
  family: 'stream',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare(place) {
    const [there, back] = [place.path('socket'), place.path('socket-back')];
    return pair(`unix:${there}`, `unix:${back}`, () => {
      for (const path of [there, back]) rmSync(path, { force: true });
    });
  },
};
