/** The sending side of a ring: layout.ts has the rules, own.ts says why it is written like this. No system call is made here. */
import { IpcError } from '../../core/errors.js';
import * as copying from './copy.js';
import * as layout from './layout.js';
import { ownWords } from './own.js';

const { MOST_INTO_RING, copyWords, noArray, remember } = copying;
const { CONSUMER_ASLEEP, ENDED, HEAD, HEADER_BYTES, PAD, PRODUCER_ASLEEP, RECORD_HEADER, TAIL, WHOLE } = layout;

/**
 * Whether a plain store is enough to publish. x64 makes the stores of one processor visible to
 * others in their order, and V8 keeps those to typed arrays in theirs; elsewhere it takes an atomic
 * one. On x64 that would wait until every line written before has come from the other's cache: 120
 * ns for each message that is published by itself (docs/design/ring.md).
 */
const STORES_IN_ORDER = process.arch === 'x64' && process.versions.bun === undefined;

// Indices of the producer's own words.
/** Bytes ever written, modulo 2^32. */
const WRITTEN = 0;
/** As far as this `WRITTEN` may come without another look: the end of the room known, or of the data area. */
const WRITABLE = 1;
/** As many of the bytes written the consumer can see. */
const PUBLISHED = 2;
/** The head as it was when last looked at. */
const HEAD_SEEN = 3;
/** The longest payload that the claimed room has, -1 without a claim. */
const CLAIMED = 4;
/** 1 if `show` has guessed and `publish` not looked yet. */
const GUESSED = 5;

/** The error for words in shared memory that cannot be: the other side broke the rules. */
export function corrupt(what: string): IpcError {
  return new IpcError({ code: 'EBADMSG', syscall: 'ring', message: `the shared memory is corrupt: ${what}` });
}

/** Writes records and publishes them. */
export interface RingProducer {
  /** The ring's memory. */
  readonly bytes: Uint8Array;
  /** Bytes of the data area. */
  readonly capacity: number;
  /** Bytes of the longest payload of one record. */
  readonly longest: number;
  /**
   * Room for a payload of `length` bytes: where it begins in `bytes` (a multiple of 8), or -1 if
   * there is none now. It becomes a message with `commit`; another claim takes its place.
   */
  claim(length: number): number;
  /** The claimed payload is complete: a record of this length (all that was claimed) and kind, not visible before it is published. */
  commit(length?: number, kind?: number): void;
  /** Writes a whole message; false if there is no room now. Not visible before it is published. */
  push(message: Uint8Array): boolean;
  /** Whether a record of `length` fits now; near the end of the data area it may need twice its size. */
  hasRoom(length: number): boolean;
  /** Bytes that are written and not published. */
  unpublished(): number;
  /** Whether nothing is left for `publish` to do: all is visible, and a consumer that sleeps was found. */
  idle(): boolean;
  /** A guess: what is read may be a moment old. */
  consumerSeemsAsleep(): boolean;
  /**
   * Makes what was written visible to a consumer that looks (A1 of layout.ts). True if it seems to
   * sleep. That is a guess: `publish`, which knows, must follow before this side waits for anything.
   */
  show(): boolean;
  /** Makes what was written visible (A1 of layout.ts). True if the consumer sleeps: wake it. */
  publish(): boolean;
  /** Says that nothing follows. True if the consumer sleeps: wake it. */
  end(): boolean;
  /**
   * Says that this side is about to sleep until a record of `length` fits. False if it fits
   * already: then do not sleep.
   */
  sleep(length: number): boolean;
  /** This side does not sleep any more. */
  awake(): void;
}

/** @param capacity as checked when the ring was made or joined; the word in memory is not trusted */
export function ringProducer(buffer: ArrayBuffer, capacity: number): RingProducer {
  const bytes = new Uint8Array(buffer, 0, HEADER_BYTES + capacity);
  const int32 = new Int32Array(buffer, 0, (HEADER_BYTES + capacity) >> 2);
  const words = new BigInt64Array(buffer, 0, (HEADER_BYTES + capacity) >> 3);
  const mask = capacity - 1;
  const own = ownWords(6);
  /** The first 8 bytes of the record written last: the second 4 are 0. */
  const header = ownWords(2);
  const headerWord = new BigInt64Array(header.buffer, 0, 1);
  const last = noArray();

  own[WRITTEN] = Atomics.load(int32, TAIL);
  own[WRITABLE] = own[WRITTEN] as number;
  own[PUBLISHED] = own[WRITTEN] as number;
  own[HEAD_SEEN] = Atomics.load(int32, HEAD);
  own[CLAIMED] = -1;

  function sizeOf(length: number): number {
    return (RECORD_HEADER + ((length + 7) & ~7)) | 0;
  }

  function free(): number {
    return (capacity - (((own[WRITTEN] as number) - (own[HEAD_SEEN] as number)) | 0)) | 0;
  }

  /** Free bytes, after a look at the head. Pairs with the consumer's store of it (B2 of layout.ts). */
  function look(): number {
    const head = Atomics.load(int32, HEAD);
    const used = ((own[WRITTEN] as number) - head) | 0;
    if (used < 0 || used > capacity) throw corrupt(`${used} bytes in use of ${capacity}`);
    own[HEAD_SEEN] = head;
    return capacity - used;
  }

  /** Whether a record of `size` bytes can be written where `WRITTEN` says, which may move it. */
  function makeRoom(size: number): boolean {
    const left = capacity - ((own[WRITTEN] as number) & mask);
    const needed = size > left ? left + size : size;
    if (needed > free() && needed > look()) return false;
    if (size > left) {
      int32[(HEADER_BYTES + capacity - left) >> 2] = PAD | (left - RECORD_HEADER);
      own[WRITTEN] = ((own[WRITTEN] as number) + left) | 0;
    }
    const written = own[WRITTEN] as number;
    own[WRITABLE] = (written + Math.min(free(), capacity - (written & mask))) | 0;
    return true;
  }

  function hasRoomFor(size: number): boolean {
    return size <= (((own[WRITABLE] as number) - (own[WRITTEN] as number)) | 0) || makeRoom(size);
  }

  /** Where in the memory the next record begins. */
  function next(): number {
    return (HEADER_BYTES + ((own[WRITTEN] as number) & mask)) | 0;
  }

  function finish(length: number, kind: number): void {
    if (header[0] !== (length | kind)) header[0] = length | kind;
    words[next() >> 3] = headerWord[0] as bigint; // one store of 8 bytes: the processor can have only so many on their way
    own[WRITTEN] = ((own[WRITTEN] as number) + sizeOf(length)) | 0;
  }

  function copyIn(message: Uint8Array, at: number): void {
    const length = message.length;
    const count = length >> 3;
    if (last.array !== message || last.words.length !== count) {
      if (length <= MOST_INTO_RING) remember(last, message);
      bytes.set(message, at);
      return;
    }
    copyWords(words, at >> 3, last.words, 0, count);
    for (let index = count << 3; index < length; index++) bytes[at + index] = message[index] as number;
  }

  /** What a sleeper asks for. */
  function wantedFor(length: number): number {
    return Math.min(2 * sizeOf(length), capacity);
  }

  function consumerSeemsAsleep(): boolean {
    return int32[CONSUMER_ASLEEP] !== 0;
  }

  function publish(): boolean {
    Atomics.store(int32, TAIL, own[WRITTEN] as number);
    own[PUBLISHED] = own[WRITTEN] as number;
    own[GUESSED] = 0;
    return Atomics.load(int32, CONSUMER_ASLEEP) !== 0 && Atomics.exchange(int32, CONSUMER_ASLEEP, 0) !== 0;
  }

  function awake(): void {
    Atomics.store(int32, PRODUCER_ASLEEP, 0);
  }

  return {
    bytes,
    capacity,
    longest: layout.longestRecord(capacity),

    claim(length) {
      if (!hasRoomFor(sizeOf(length))) return -1;
      own[CLAIMED] = length;
      return (next() + RECORD_HEADER) | 0;
    },

    commit(length = own[CLAIMED] as number, kind = WHOLE) {
      if (length < 0 || length > (own[CLAIMED] as number)) throw new RangeError('commit() of what was not claimed');
      own[CLAIMED] = -1;
      finish(length, kind);
    },

    push(message) {
      const length = message.length;
      if (!hasRoomFor(sizeOf(length))) return false;
      copyIn(message, (next() + RECORD_HEADER) | 0);
      finish(length, WHOLE);
      return true;
    },

    hasRoom: (length) => look() >= wantedFor(length),

    unpublished: () => ((own[WRITTEN] as number) - (own[PUBLISHED] as number)) | 0,

    idle: () => own[WRITTEN] === own[PUBLISHED] && own[GUESSED] === 0,

    consumerSeemsAsleep,

    show() {
      if (STORES_IN_ORDER) int32[TAIL] = own[WRITTEN] as number;
      else Atomics.store(int32, TAIL, own[WRITTEN] as number);
      own[PUBLISHED] = own[WRITTEN] as number;
      own[GUESSED] = 1;
      return consumerSeemsAsleep();
    },

    publish,

    end() {
      const slept = publish();
      Atomics.store(int32, ENDED, 1);
      return Atomics.exchange(int32, CONSUMER_ASLEEP, 0) !== 0 || slept;
    },

    sleep(length) {
      const wanted = wantedFor(length);
      Atomics.store(int32, PRODUCER_ASLEEP, wanted);
      if (look() < wanted) return true;
      awake();
      return false;
    },

    awake,
  };
}
