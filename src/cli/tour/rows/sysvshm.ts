/** A ring in a System V segment. */
import { sharedMemory } from '../../../sysv/index.js';
import { pair, removeIfThere, type Row } from '../row.js';

/** A key that was free a moment ago; nothing reserves one. */
function freeKey(): number {
  const { key } = sharedMemory.create('random', { size: 1 });
  sharedMemory.remove(key);
  return key;
}

/** The row. */
export const row: Row = {
  name: 'sysvshm',
  mechanism: 'ring in System V shared memory',
  way: 'memory',
  family: 'memory',
  processes: 'unrelated',
  coalesce: true,
  passes: 5,
  prepare: () => {
    const keys = [freeKey(), freeKey()] as const;
    const [there, back] = keys.map((key) => `sysvshm:0x${key.toString(16)}`) as [string, string];
    return pair(there, back, () => {
      for (const key of keys) removeIfThere(() => sharedMemory.remove(key));
    });
  },
};
