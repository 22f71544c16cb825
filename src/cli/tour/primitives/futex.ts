/** A word of memory that says whose turn it is; the kernel is asked only to sleep until it changes. */
import * as futex from '../../../futex/index.js';
import type { Primitive } from '../primitive.js';
import { PLACE } from '../turnCount.js';

/** The primitive. */
export const primitive: Primitive = {
  name: 'futex',
  mechanism: 'futex on a word of a mapping',
  way: 'memory',
  processes: 'siblings',
  make: () => ({}),
  join(side, _where, memory) {
    const words = memory.int32;
    const word = PLACE / 4;
    return {
      async take() {
        while (Atomics.load(words, word) !== side) await futex.wait(memory, PLACE, 1 - side);
      },
      hand() {
        Atomics.store(words, word, 1 - side);
        futex.wake(memory, PLACE);
      },
    };
  },
};
