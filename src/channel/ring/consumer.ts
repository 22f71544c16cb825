/**
 * The receiving side of a ring: layout.ts has the rules, own.ts says why it is written like this. No
 * system call is made here.
 *
 * The memory is written by a peer, so it is hostile: each word is read once, checked, and only
 * the checked copy is used.
 */
import * as copying from './copy.js';
import * as layout from './layout.js';
import { ownWords } from './own.js';
import { corrupt } from './producer.js';

const { MOST_OUT_OF_RING, copyWords, noArray, remember } = copying;
const {
  CONSUMER_ASLEEP,
  ENDED,
  HEAD,
  HEADER_BYTES,
  KIND_MASK,
  LENGTH_MASK,
  PAD,
  PRODUCER_ASLEEP,
  RECORD_HEADER,
  TAIL,
} = layout;

// Indices of the consumer's own words.
/** Bytes ever read, modulo 2^32. */
const READ = 0;
/** As far as this `READ` may come without another look: the end of what is published, or of the data area. */
const READABLE = 1;
/** As many of the bytes read the producer may use again. */
const RELEASED = 2;
/** The first word of the record that `peek` found last, its payload's length, and how many bytes it takes. */
const WORD = 3;
const LENGTH = 4;
const SIZE = 5;

/** Reads records and gives their room back. */
export interface RingConsumer {
  /** The ring's memory. */
  readonly bytes: Buffer;
  /** Bytes of the data area. */
  readonly capacity: number;
  /**
   * Where the payload of the next record begins in `bytes`, with its `kind()` and `length()`; -1 if
   * there is none. It stays the next one until `skip`.
   *
   * Messages often are as long as the one before. Where that is so, nothing is computed from the
   * word that was read, so that the processor, having guessed it, fetches the records that follow
   * while this one is still on its way from the other's cache: three times as fast as waiting for
   * each (docs/design/ring.md).
   */
  peek(): number;
  /** The kind of the record that `peek` found. */
  kind(): number;
  /** The payload's length of the record that `peek` found. */
  length(): number;
  /** Past the record that `peek` found. Its room is not free before `release`. */
  skip(): void;
  /**
   * Copies the next record into `target`: the length, or -1 if there is none. The payload must fit.
   */
  popInto(target: Uint8Array): number;
  /**
   * Copies the payload that `peek` found at `at` into `target` from `start` on, a multiple of 8.
   *
   * @param words the words of `target`; what follows the payload up to a multiple of 8 may be written, too
   */
  copyOut(at: number, target: Buffer, words: BigInt64Array, start: number): void;
  /** Bytes that are read and not given back. */
  unreleased(): number;
  /**
   * Gives the room of what was read back (B1 of layout.ts). True if the producer sleeps and has
   * enough room now: wake it.
   */
  release(): boolean;
  /** Whether there is a record now. */
  ready(): boolean;
  /** Whether the producer has said that nothing follows what it has published. */
  markedEnd(): boolean;
  /** Whether nothing follows, and everything was read. */
  ended(): boolean;
  /** Says that this side is about to sleep. False if there is something to do: then do not sleep. */
  sleep(): boolean;
  /** This side does not sleep any more. */
  awake(): void;
}

/** @param capacity as checked when the ring was made or joined; the word in memory is not trusted */
export function ringConsumer(buffer: ArrayBuffer, capacity: number): RingConsumer {
  const bytes = Buffer.from(buffer, 0, HEADER_BYTES + capacity);
  const int32 = new Int32Array(buffer, 0, (HEADER_BYTES + capacity) >> 2);
  const ring = new BigInt64Array(buffer, 0, (HEADER_BYTES + capacity) >> 3);
  const mask = capacity - 1;
  const own = ownWords(6);
  const last = noArray();

  own[READ] = Atomics.load(int32, HEAD);
  own[READABLE] = own[READ] as number;
  own[RELEASED] = own[READ] as number;
  own[SIZE] = RECORD_HEADER; // of the empty message, whose first word is 0

  /** Whether there is a record. Pairs with the producer's store of tail (A2 of layout.ts). */
  function look(): boolean {
    const tail = Atomics.load(int32, TAIL);
    const filled = (tail - (own[READ] as number)) | 0;
    if (filled < 0 || filled > capacity || (tail & 7) !== 0) {
      throw corrupt(`${filled} bytes waiting in a ring of ${capacity}`);
    }
    const left = capacity - ((own[READ] as number) & mask);
    own[READABLE] = ((own[READ] as number) + Math.min(filled, left)) | 0;
    return filled > 0;
  }

  function ready(): boolean {
    return own[READ] !== own[READABLE] || look();
  }

  /** Where in the memory the next record begins. */
  function next(): number {
    return (HEADER_BYTES + ((own[READ] as number) & mask)) | 0;
  }

  function skip(): void {
    own[READ] = ((own[READ] as number) + (own[SIZE] as number)) | 0;
  }

  function peek(): number {
    const at = next();
    const readable = ((own[READABLE] as number) - (own[READ] as number)) | 0;
    if (readable < (own[SIZE] as number) || int32[at >> 2] !== own[WORD]) return peekOther();
    return (at + RECORD_HEADER) | 0;
  }

  /** The next record is not as the one before, or there is none. */
  function peekOther(): number {
    while (ready()) {
      const at = next();
      const word = int32[at >> 2] as number;
      const length = word & LENGTH_MASK;
      const size = RECORD_HEADER + ((length + 7) & ~7);
      const readable = ((own[READABLE] as number) - (own[READ] as number)) | 0;
      if (size > readable) throw corrupt(`a record of ${length} bytes where ${readable} are filled`);
      if ((word & KIND_MASK) !== PAD) {
        own[WORD] = word;
        own[LENGTH] = length;
        own[SIZE] = size;
        return at + RECORD_HEADER;
      }
      own[READ] = ((own[READ] as number) + size) | 0;
    }
    return -1;
  }

  function copyTo(target: Uint8Array, at: number, length: number): void {
    const count = length >> 3;
    if (last.array !== target || last.words.length < count) {
      if (length <= MOST_OUT_OF_RING) remember(last, target);
      bytes.copy(target, 0, at, at + length);
      return;
    }
    copyWords(last.words, 0, ring, at >> 3, count);
    for (let index = count << 3; index < length; index++) target[index] = bytes[at + index] as number;
  }

  function markedEnd(): boolean {
    return Atomics.load(int32, ENDED) !== 0;
  }

  function awake(): void {
    Atomics.store(int32, CONSUMER_ASLEEP, 0);
  }

  return {
    bytes,
    capacity,
    peek,
    kind: () => (own[WORD] as number) & KIND_MASK,
    length: () => own[LENGTH] as number,
    skip,

    popInto(target) {
      const at = peek();
      if (at < 0) return -1;
      const length = own[LENGTH] as number;
      if (length > target.length)
        throw new RangeError(`a message of ${length} bytes does not fit into ${target.length}`);
      copyTo(target, at, length);
      skip();
      return length;
    },

    copyOut(at, target, words, start) {
      const length = own[LENGTH] as number;
      if (length > MOST_OUT_OF_RING) bytes.copy(target, start, at, at + length);
      else copyWords(words, start >> 3, ring, at >> 3, (length + 7) >> 3);
    },

    unreleased: () => ((own[READ] as number) - (own[RELEASED] as number)) | 0,

    release() {
      if (own[RELEASED] !== own[READ]) {
        Atomics.store(int32, HEAD, own[READ] as number);
        own[RELEASED] = own[READ] as number;
      }
      const wanted = Atomics.load(int32, PRODUCER_ASLEEP);
      if (wanted === 0) return false;
      const used = (Atomics.load(int32, TAIL) - (own[READ] as number)) | 0;
      if (capacity - used < wanted) return false;
      return Atomics.exchange(int32, PRODUCER_ASLEEP, 0) !== 0;
    },

    ready,
    markedEnd,
    ended: () => markedEnd() && !ready(),

    sleep() {
      Atomics.store(int32, CONSUMER_ASLEEP, 1);
      if (!ready() && !markedEnd()) return true;
      awake();
      return false;
    },

    awake,
  };
}
