/** A file on disk, each message made durable (fdatasync) before the next. */
import { rmSync } from 'node:fs';
import { pair, type Row } from '../row.js';

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
  prepare(place) {
    const [there, back] = [place.path('durable'), place.path('durable-back')];
    return pair(`file:${there}?sync`, `file:${back}?sync`, () => {
      for (const path of [there, back]) rmSync(path, { force: true });
    });
  },
};
