/** A pipe between siblings: their parent makes it and hands one end down to each. */
import * as pipe from '../../../pipe/index.js';
import { pair, type Row } from '../row.js';

/** The row. */
export const row: Row = {
  name: 'pipe',
  mechanism: 'pipe between siblings',
  way: 'kernel',
  family: 'stream',
  processes: 'siblings',
  coalesce: true,
  passes: 5,
  prepare() {
    const [there, back] = [pipe.create(), pipe.create()];
    const close = (): void => {
      there.close();
      back.close();
    };
    const fds = {
      sender: [there.writer.handOver(), back.reader.handOver()],
      receiver: [there.reader.handOver(), back.writer.handOver()],
    };
    // While the parent has the ends open, neither child would see the other one's end.
    return { ...pair('fd:3', 'fd:4', close, fds), started: close };
  },
};
