/** A condition variable with its mutex, and a word that says whose turn it is. */
import { Condition, Mutex } from '../../../lock/index.js';
import type { Primitive } from '../primitive.js';
import { PLACE } from '../turnCount.js';

const SEATS = 2;
const MUTEX = PLACE + 64;
const CONDITION = MUTEX + Mutex.byteLength;

/** The primitive. */
export const primitive: Primitive = {
  name: 'condition',
  mechanism: 'condition variable in a mapping',
  way: 'memory',
  processes: 'siblings',
  make(_place, memory) {
    Mutex.create(memory, MUTEX).close();
    Condition.create(memory, CONDITION, { seats: SEATS }).close();
    return {};
  },
  join(side, _where, memory) {
    const mutex = Mutex.open(memory, MUTEX);
    const condition = Condition.open(memory, CONDITION);
    const words = memory.int32;
    const turn = PLACE / 4;
    return {
      async take() {
        using guard = await mutex.lock();
        while (words[turn] !== side) await condition.wait(guard);
      },
      async hand() {
        using _guard = await mutex.lock();
        words[turn] = 1 - side;
        condition.signal();
      },
      close() {
        condition.close();
        mutex.close();
      },
    };
  },
};
