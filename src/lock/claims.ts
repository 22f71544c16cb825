/**
 * What stands in the claim of a seat, for each kind of table: one word with all that a thread has and wants. Those who change it and those who only
 * look (waits/) read it by the same masks; docs/protocol.md has them for other languages.
 */

/** Of an rwlock. */
export const RWLOCK = {
  /** How often it has it for reading. */
  readers: 0xff_ffff,
  wantsRead: 1 << 24,
  wantsWrite: 1 << 25,
  /** It has it for writing. */
  writes: 1 << 26,
  /** Died having it, which nobody has been told yet. */
  diedReading: 1 << 27,
  diedWriting: 1 << 28,
} as const;

/** Of a semaphore: the lowest 15 bits are the permits that it has, the next 15 those that it wants. */
export const SEMAPHORE = {
  most: 0x7fff,
  wantedAt: 15,
  /** Died having permits, which nobody has been told yet. */
  died: 1 << 30,
} as const;

/** Of a barrier: how many parts of the thread have arrived, how many may go on, and for how many the round was broken. */
export const BARRIER = { most: 0x3ff, passedAt: 10, brokenAt: 20 } as const;
