/** Two eventfds of the kind that is a semaphore, which both processes inherit. */
import * as eventfd from '../../../eventfd/index.js';
import type { Primitive } from '../primitive.js';

/** After the memory. */
const FIRST = 4;

/** The primitive. */
export const primitive: Primitive = {
  name: 'eventfd',
  mechanism: 'eventfd as a semaphore',
  way: 'kernel',
  processes: 'siblings',
  make() {
    const both = [1, 0].map((initial) => eventfd.create({ initial, semaphore: true }));
    return { fds: both.map(({ fd }) => fd), close: () => both.map((one) => one.close()) };
  },
  join(side) {
    const mine = eventfd.fromDescriptor(FIRST + side);
    const others = eventfd.fromDescriptor(FIRST + 1 - side);
    return {
      take: () => mine.wait(),
      hand: () => others.add(),
      close() {
        mine.close();
        others.close();
      },
    };
  },
};
