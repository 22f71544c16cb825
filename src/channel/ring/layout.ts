/**
 * The ring in shared memory, word by word: one producer, one consumer, messages of any length.
 * docs/protocol.md has the same for programs in other languages.
 *
 * All words are 32-bit, little-endian, each on a line of 128 bytes of its own (two cache lines:
 * processors fetch them in pairs), so that the two sides do not fight for a line they do not share.
 *
 * | byte | word | written by | meaning |
 * | --- | --- | --- | --- |
 * | 0 | magic | creator, before anybody else sees it | 0x474E5249, "IRNG" |
 * | 4 | version | creator | 1 |
 * | 8 | capacity | creator | bytes of the data area, a power of two |
 * | 12 | producer | producer, once | its pid, for people; 0 before it came |
 * | 16 | consumer | consumer, once | its pid, for people; 0 before it came |
 * | 20 | joined | both, atomic or | bit 0: a producer was here, bit 1: a consumer was here |
 * | 128 | tail | producer | bytes ever published, modulo 2^32 |
 * | 256 | head | consumer | bytes ever taken, modulo 2^32 |
 * | 384 | consumer asleep | both | 1: the consumer sleeps; who changes it to 0 must wake it |
 * | 512 | producer asleep | both | n > 0: the producer sleeps until n bytes are free; as above |
 * | 640 | ended | producer | 1: nothing will follow what tail says |
 * | 1024 | data | producer | records |
 *
 * A record begins at a multiple of 8: one word with the payload's length in its low 28 bits and the
 * kind in its high 4, one word that is 0, the payload, and room up to a multiple of 8. It never
 * crosses the end of the data area: what is left there is one `PAD` record.
 *
 * Order: the producer writes a record, then publishes it by storing tail (A1); the consumer loads
 * tail (A2), reads records before it, then gives the room back by storing head (B1), which the
 * producer loads (B2) before it writes there. A1 pairs with A2 and B1 with B2: `Atomics` are
 * sequentially consistent, which is more than the release and acquire that these need, and what
 * sleeping needs: store tail, then load "asleep"; store "asleep", then load tail. One of the two
 * sides sees the other's store.
 *
 * A crash at any point leaves a tail that covers whole records only: what was being written is as
 * if never begun. A stale head or tail that one side keeps for itself only makes the ring look
 * fuller (to the producer) or emptier (to the consumer) than it is.
 */

/** Indices of 32-bit words. */
export const MAGIC = 0;
export const VERSION = 1;
export const CAPACITY = 2;
export const PRODUCER_PID = 3;
export const CONSUMER_PID = 4;
export const JOINED = 5;
export const TAIL = 128 / 4;
export const HEAD = 256 / 4;
export const CONSUMER_ASLEEP = 384 / 4;
export const PRODUCER_ASLEEP = 512 / 4;
export const ENDED = 640 / 4;

/** Bytes before the data area. */
export const HEADER_BYTES = 1024;

export const RING_MAGIC = 0x474e5249;
export const RING_VERSION = 1;
export const JOINED_PRODUCER = 1;
export const JOINED_CONSUMER = 2;

/** Bytes of a record before its payload. */
export const RECORD_HEADER = 8;
export const LENGTH_MASK = 0x0fffffff;

/** Kinds of records, as they stand in the high 4 bits. */
export const WHOLE = 0;
export const FIRST = 1 << 28;
export const MORE = 2 << 28;
export const LAST = 3 << 28;
export const PAD = 4 << 28;
export const KIND_MASK = 0xf0000000 | 0;

/** What a ring holds if nobody says otherwise: it should stay in a processor's cache. */
export const DEFAULT_CAPACITY = 1 << 20;
export const LEAST_CAPACITY = 1 << 12;
export const MOST_CAPACITY = 1 << 30;

/** The longest payload of one record: a quarter of the ring, so that two sides can overlap. */
export function longestRecord(capacity: number): number {
  return Math.min(capacity >> 2, LENGTH_MASK) - RECORD_HEADER;
}

/** The smallest capacity that is a power of two, in range, and at least what was asked for. */
export function roundCapacity(asked: number): number {
  let capacity = LEAST_CAPACITY;
  while (capacity < asked && capacity < MOST_CAPACITY) capacity *= 2;
  return capacity;
}
