/** A System V message queue. */
import { messageQueue } from '../../../sysv/index.js';
import { pair, removeIfThere, type Row } from '../row.js';

/** A key that was free a moment ago; nothing reserves one. */
function freeKey(): number {
  using queue = messageQueue.create('random');
  queue.remove();
  return queue.key;
}

/** The row. */
export const row: Row = {
  name: 'msgq',
  mechanism: 'System V message queue',
  way: 'kernel',
  family: 'message',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: () => {
    const keys = [freeKey(), freeKey()] as const;
    const [there, back] = keys.map((key) => `msgq:0x${key.toString(16)}`) as [string, string];
    return pair(there, back, () => {
      for (const key of keys) removeIfThere(() => messageQueue.remove(key));
    });
  },
};
