/** A file on disk, through the page cache: the kernel writes it to the disk when it sees fit. */
import { rmSync } from 'node:fs';
import { pair, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'file',
  mechanism: 'file, page cache',
  way: 'file',
  family: 'stream',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare(place) {
    const [there, back] = [place.path('log'), place.path('log-back')];
    return pair(`file:${there}`, `file:${back}`, () => {
      for (const path of [there, back]) rmSync(path, { force: true });
    });
  },
};
