/** A ring in anonymous memory between a process and its child, which inherits it. */
import { anonymous } from '../../../mmap/index.js';
import type { Row } from '../row.js';

/** A ring of 1 MiB and its header. */
const BYTES = (1 << 20) + 1024;

/** The row. */
export const row: Row = {
  name: 'anonymous',
  mechanism: 'ring in anonymous memory, parent and child',
  way: 'memory',
  family: 'memory',
  processes: 'parent and child',
  coalesce: true,
  passes: 5,
  prepare() {
    const [there, back] = [anonymous(BYTES), anonymous(BYTES)];
    const cleanUp = (): void => {
      there.close();
      back.close();
    };
    const fds = [there.fd, back.fd, there.fd, back.fd];
    const parent = { program: 'parent', urls: ['fd:3', 'fd:4'], fds } as const;
    return { url: 'fd:3', parent, started: cleanUp, cleanUp };
  },
};
