/** What is read of locks in shared memory, as bytes (docs/design/locks.md). It is memory of others, so it is checked. */
import { KIND, MAGIC, MAGIC_WORD, OWNER_DIED, ROBUST_AND_SHARED, TID_MASK, WAITERS } from '../layout.js';

/** A mutex that somebody has. */
export interface HeldMutex {
  /** The thread that has it. */
  readonly tid: number;
  /** Whether somebody has said that he waits. */
  readonly hasWaiters: boolean;
}

/** Whether the bytes are one of our objects, be it a mutex or a table, which begins with one. */
export const isOurs = (bytes: DataView): boolean =>
  bytes.byteLength >= MAGIC + 4 && bytes.getUint32(MAGIC, true) === MAGIC_WORD;

/** Who has a mutex; `undefined` if nobody has, if its owner has died, or if this is no robust mutex that processes share. */
export function readMutex(bytes: DataView): HeldMutex | undefined {
  const isRobust = (bytes.getUint32(KIND, true) & ROBUST_AND_SHARED) === ROBUST_AND_SHARED;
  if (!isRobust && !isOurs(bytes)) return undefined;
  const word = bytes.getUint32(0, true);
  const tid = word & TID_MASK;
  if (tid === 0 || (word & OWNER_DIED) !== 0) return undefined;
  return { tid, hasWaiters: (word & WAITERS) !== 0 };
}
