/** A barrier for two: the end of a turn is where both meet. */
import { Barrier } from '../../../lock/index.js';
import type { Primitive } from '../primitive.js';
import { PLACE } from '../turnCount.js';

/** The primitive. */
export const primitive: Primitive = {
  name: 'barrier',
  mechanism: 'barrier in a mapping',
  way: 'memory',
  processes: 'siblings',
  make(_place, memory) {
    Barrier.create(memory, PLACE, { parties: 2, seats: 2 }).close();
    return {};
  },
  join(side, _where, memory) {
    const barrier = Barrier.open(memory, PLACE);
    let first = side === 0;
    return {
      async take() {
        // Side 0 has the first turn: nobody's ends before it.
        if (first) first = false;
        else await barrier.wait();
      },
      hand: () => barrier.wait(),
      close: () => barrier.close(),
    };
  },
};
