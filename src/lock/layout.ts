/**
 * Where everything is in the memory of a lock: docs/protocol.md has the same for other languages. All words have 32 bits, in the
 * byte order of the machine; offsets are bytes.
 *
 * Each robust mutex is a pthread_mutex_t of 40 bytes as glibc lays it out on 64-bit machines:
 *
 *   0 word      owner's thread | FUTEX_WAITERS | FUTEX_OWNER_DIED. Written by compare-exchange by who takes and frees it, by the
 *               kernel at the owner's death, and by who is about to sleep (FUTEX_WAITERS only). 0: free
 *   8 owner     written by the owner; INT_MAX while a death is being repaired, INT_MAX - 1 for ever if it was not
 *   16 kind     never changes
 *   24 list     the owner's, of his address space; never followed by us
 */

/** Bytes of a mutex, with what stands behind it. */
export const MUTEX_BYTES = 64;
/** Every object begins at a multiple of this. */
export const ALIGNMENT = 64;

/** `word` of a robust mutex. */
export const WAITERS = 0x8000_0000;
export const OWNER_DIED = 0x4000_0000;
export const TID_MASK = 0x3fff_ffff;

/** Offsets in a robust mutex. */
export const OWNER = 8;
export const KIND = 16;
export const LIST = 24;
/** Of `owner`: a death is being repaired. */
export const INCONSISTENT = 0x7fff_ffff;
/** Of `owner`: nobody repaired it. */
export const NOT_RECOVERABLE = 0x7fff_fffe;
/** Of `kind`: robust and for several processes; the lowest two bits are the type. */
export const ROBUST_AND_SHARED = 16 | 128;
export const TYPE_MASK = 3;
/** Of `kind`, of what glibc has initialised: whether it may be elided, which concerns those that are not robust. */
export const ELISION_MASK = 256 | 512;

/** Behind the first 40 bytes of every object. Written last when it is made: who sees it sees all of the object. */
export const MAGIC = 40;
/** 'iplk'. 0: nothing is here, or nothing any more. */
export const MAGIC_WORD = 0x6b6c_7069;
/** Which object it is, the version of its layout, and whose mutex it has; never changes. */
export const WHAT = 44;
/** Of a mutex: process and thread of its last owner that was one of ours. Written by the owner; stale while it is free. */
export const LAST_PID = 48;
export const LAST_TID = 52;
/** Of `Once`: 1 when it was done. Written by the owner. */
export const DONE = 56;

const VERSION = 1;
/** glibc's layout of 64-bit machines. musl has another one. */
const GLIBC_64 = 1;

/** The objects. */
export const OBJECTS = { mutex: 1, rwlock: 2, condition: 3, barrier: 4, semaphore: 5, latch: 6, once: 7 } as const;

/** One of the objects. */
export type ObjectName = keyof typeof OBJECTS;

/** The word at `WHAT`. */
export function whatWord(object: ObjectName): number {
  return OBJECTS[object] | (VERSION << 8) | (GLIBC_64 << 16);
}

/*
 * A table: a robust mutex, the door, of whoever changes the table, some words of its own, and seats. Its first 48 bytes are those of
 * a mutex's object.
 */

/** How many seats there are. Never changes. */
export const SEATS = 48;
/** No seat from here on was ever taken. Grows, behind the door. */
export const TOP = 52;
/** The next ticket. Behind the door; runs over after 2^32. */
export const TICKET = 56;
/** Changes with every release that was made outside of the door. Whoever leaves the door looks whether it has changed inside. */
export const DIRTY = 60;
/** Words of the kind: consistency (rwlock), capacity (semaphore), parties and round and outcome (barrier), count (latch). */
export const OWN = 64;
/** Bytes before the seats. */
export const TABLE_BYTES = 128;

/** Bytes of a seat, which begins with a robust mutex: `life`, which a thread has for as long as it takes part. */
export const SEAT_BYTES = 64;
/** Of who sits there. Written when the seat is taken. */
export const SEAT_PID = 40;
/** Changes when something has happened for the one who sits there, who sleeps on it. */
export const SEAT_WAKE = 44;
/** What he has and what he wants, in one word, changed by compare-exchange: each change is all of a step. 0: nothing. */
export const SEAT_CLAIM = 48;
/** When he began to want it. Behind the door. */
export const SEAT_TICKET = 52;
/** Its number, so that the table is found from a seat. Never changes. */
export const SEAT_INDEX = 56;
/** The thread, once its owner has died: `life` has been made good for the next one. Behind the door. */
export const SEAT_DEAD_TID = 60;
