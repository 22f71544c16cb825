/** Locks in shared memory, as bytes: docs/design/locks.md has the layouts. What is read here is somebody else's memory, and is checked. */

/** At 40 of a mutex, and of the head of a table: this is one of ours. */
export const LOCK_MAGIC = 0x6b_6c_70_69; // "iplk"

export const TID_MASK = 0x3fff_ffff;
export const OWNER_DIED = 0x4000_0000;
export const WAITERS = 0x8000_0000;

/** Bytes of a mutex; of the head of a table; of a seat. */
export const MUTEX_BYTES = 64;
export const HEADER_BYTES = 128;
export const SEAT_BYTES = 64;

/** Offsets in every object. */
const KIND = 16;
export const MAGIC = 40;
export const WHAT = 44;
/** Which object it is: the lowest byte at `WHAT`. */
export const OBJECTS = { mutex: 1, rwlock: 2, condition: 3, barrier: 4, semaphore: 5, latch: 6, once: 7 } as const;

/** Offsets in the head of a table, and in a seat. */
export const SEATS = 48;
export const OWN = 64;
export const SEAT_PID = 40;
export const SEAT_WAKE = 44;
export const SEAT_CLAIM = 48;
export const SEAT_TICKET = 52;
export const SEAT_INDEX = 56;

/** Of the claim of a seat at an rwlock. */
export const RWLOCK = { readers: 0xff_ffff, wantsRead: 1 << 24, wantsWrite: 1 << 25, writes: 1 << 26 } as const;
/** At a semaphore: the lowest 15 bits are held, the next 15 wanted. */
export const SEMAPHORE = { most: 0x7fff, wantedAt: 15 } as const;
/** At a barrier. */
export const BARRIER_ARRIVED = 1;

/** Of `kind` of pthread_mutex_t: robust, and shared by processes. */
const ROBUST = 16;
const SHARED = 128;

/** A mutex that somebody has. */
export interface HeldMutex {
  /** The thread that has it. */
  readonly tid: number;
  /** Whether somebody has said that he waits. */
  readonly hasWaiters: boolean;
}

/** Who has a mutex; `undefined` if nobody has, if its owner has died, or if this is no robust mutex that processes share. */
export function readMutex(bytes: DataView): HeldMutex | undefined {
  const isOurs = bytes.byteLength >= MAGIC + 4 && bytes.getUint32(MAGIC, true) === LOCK_MAGIC;
  const kind = bytes.getUint32(KIND, true);
  if (!isOurs && (kind & ROBUST) === 0) return undefined;
  if ((kind & SHARED) === 0) return undefined;
  const word = bytes.getUint32(0, true);
  const tid = word & TID_MASK;
  if (tid === 0 || (word & OWNER_DIED) !== 0) return undefined;
  return { tid, hasWaiters: (word & WAITERS) !== 0 };
}
