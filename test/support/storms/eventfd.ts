/** Storms over an eventfd that is used as a semaphore. It knows no owner: a count that was taken by who died is lost. */
import * as eventfd from '../../../src/eventfd/index.js';
import type { Opened, Primitive } from './primitive.js';

const FIRST = 3;

function opened(counter: eventfd.Eventfd): Opened {
  const turn = { deaths: 0, release: () => counter.addSync() };
  return {
    async take({ signal, timeoutMs }) {
      await counter.wait({ signal, timeoutMs });
      return turn;
    },
    takeSync({ timeoutMs }) {
      counter.waitSync({ timeoutMs });
      return turn;
    },
  };
}

export const semaphore: Primitive = {
  loses: true,
  make(t) {
    const counter = eventfd.create({ initial: 1, semaphore: true });
    t.after(() => counter.close());
    return {
      place: String(FIRST),
      fds: [counter.fd],
      ours: opened(counter),
      free() {
        const taken = Number(counter.tryWait() ?? 0n);
        if (taken > 0) counter.addSync(taken);
        return taken;
      },
      giveBack: () => counter.addSync(),
    };
  },
  open: (fd) => opened(eventfd.fromDescriptor(Number(fd))),
};
