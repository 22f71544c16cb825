/**
 * Something that is done once: turn n is an action, and who comes to do it, too, waits until it is done. Whoever waits for the end of a turn
 * has begun the one after it already, as with locks (`byLocks`).
 */
import { Once } from '../../../lock/index.js';
import type { Mapping } from '../../../mmap/index.js';
import type { Primitive } from '../primitive.js';
import { PLACE } from '../turnCount.js';

/** So many are there at once. Who has waited for one makes that of two turns before anew, which nobody looks at any more. */
const RING = 8;

const placeOf = (turn: number): number => PLACE + (turn % RING) * Once.byteLength;

/** An action that has begun, and is done when it is told to be. */
async function begin(memory: Mapping, turn: number): Promise<() => Promise<void>> {
  const once = Once.open(memory, placeOf(turn));
  let end!: () => void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let began!: () => void;
  const begun = new Promise<void>((resolve) => {
    began = resolve;
  });
  const done = once.run(() => {
    began();
    return ended;
  });
  await Promise.race([begun, done]);
  return async () => {
    end();
    await done;
    once.close();
  };
}

/** The primitive. */
export const primitive: Primitive = {
  name: 'once',
  mechanism: 'once in a mapping, one for each turn',
  way: 'memory',
  processes: 'siblings',
  make(_place, memory) {
    for (let turn = 0; turn < RING; turn++) Once.create(memory, placeOf(turn)).close();
    return {};
  },
  async join(side, _where, memory) {
    let turn: number = side;
    let end = await begin(memory, turn);
    return {
      async take() {
        if (turn === 0) return;
        using before = Once.open(memory, placeOf(turn - 1));
        await before.run(() => undefined);
        if (turn < 3) return;
        const old = placeOf(turn - 3);
        memory.bytes.fill(0, old, old + Once.byteLength);
        Once.create(memory, old).close();
      },
      async hand() {
        const next = await begin(memory, turn + 2);
        await end();
        end = next;
        turn += 2;
      },
      close: () => end(),
    };
  },
};
