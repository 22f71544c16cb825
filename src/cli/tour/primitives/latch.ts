/** Latches, of which each serves once: turn n ends when latch n is counted down. */
import { Latch } from '../../../lock/index.js';
import type { Primitive } from '../primitive.js';
import { PLACE } from '../turnCount.js';

const OPTIONS = { count: 1, seats: 2 };
const BYTES = Latch.byteLength(OPTIONS.seats);
/** So many are there at once. Who has waited for one makes that of two turns before anew, which nobody looks at any more. */
const RING = 8;

const placeOf = (turn: number): number => PLACE + (turn % RING) * BYTES;

/** The primitive. */
export const primitive: Primitive = {
  name: 'latch',
  mechanism: 'latch in a mapping, one for each turn',
  way: 'memory',
  processes: 'siblings',
  make(_place, memory) {
    for (let turn = 0; turn < RING; turn++) Latch.create(memory, placeOf(turn), OPTIONS).close();
    return {};
  },
  join(side, _where, memory) {
    let turn: number = side;
    return {
      async take() {
        if (turn === 0) return;
        using latch = Latch.open(memory, placeOf(turn - 1));
        await latch.wait();
        if (turn < 3) return;
        const old = placeOf(turn - 3);
        memory.bytes.fill(0, old, old + BYTES);
        Latch.create(memory, old, OPTIONS).close();
      },
      hand() {
        using latch = Latch.open(memory, placeOf(turn));
        latch.countDown();
        turn += 2;
      },
    };
  },
};
