/** A worker that rings an eventfd: once, or whenever `turn` is set, which it then sets to 0. */
import { workerData } from 'node:worker_threads';
import { native } from '../../../src/sys/index.js';

const { fd, turn } = workerData as { fd: number; turn?: Int32Array };
if (turn === undefined) {
  native().eventfdRing(fd);
} else {
  for (;;) {
    Atomics.wait(turn, 0, 0);
    native().eventfdRing(fd);
    Atomics.store(turn, 0, 0);
    Atomics.notify(turn, 0);
  }
}
