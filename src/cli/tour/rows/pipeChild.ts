/** A pipe between a process and its child: the sender starts the receiver and hands the other ends down to it. */
import * as pipe from '../../../pipe/index.js';
import type { Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'pipe-child',
  mechanism: 'pipe between parent and child',
  way: 'kernel',
  family: 'stream',
  processes: 'parent and child',
  coalesce: true,
  passes: 5,
  prepare() {
    const [there, back] = [pipe.create(), pipe.create()];
    const cleanUp = (): void => {
      there.close();
      back.close();
    };
    const ends = [there.writer, back.reader, there.reader, back.writer];
    const parent = { program: 'parent', urls: ['fd:3', 'fd:4'], fds: ends.map((end) => end.handOver()) } as const;
    return { url: 'fd:3', parent, started: cleanUp, cleanUp };
  },
};
