/**
 * The sending side of a ring: layout.ts has the rules. No system call is made here.
 *
 * What is imported is copied into constants of this file, because V8 knows the value of those, while
 * it reads an import from memory and checks it at each use: a third of the time of a short message.
 */
import { IpcError } from '../../core/errors.js';
import * as copying from './copy.js';
import * as layout from './layout.js';

const { LastArray, MOST_INTO_RING, copyWords } = copying;
const { CONSUMER_ASLEEP, ENDED, HEAD, HEADER_BYTES, PAD, PRODUCER_ASLEEP, RECORD_HEADER, TAIL, WHOLE } = layout;

/**
 * Whether a plain store is enough to publish. x64 makes the stores of one processor visible to
 * others in their order, and V8 keeps those to typed arrays in theirs; elsewhere it takes an atomic
 * one. On x64 that would wait until every line written before has come from the other's cache: 120
 * ns for each message that is published by itself (docs/design/ring.md).
 */
const STORES_IN_ORDER = process.arch === 'x64' && process.versions.bun === undefined;

/** The error for words in shared memory that cannot be: the other side broke the rules. */
export function corrupt(what: string): IpcError {
  return new IpcError({ code: 'EBADMSG', syscall: 'ring', message: `the shared memory is corrupt: ${what}` });
}

/** Writes records and publishes them. */
export class RingProducer {
  /** The ring's memory. */
  readonly bytes: Uint8Array;
  /** Bytes of the data area. */
  readonly capacity: number;
  /** Bytes of the longest payload of one record. */
  readonly longest: number;
  readonly #int32: Int32Array;
  readonly #words: BigInt64Array;
  readonly #source = new LastArray();
  /** Bytes ever written, as int32; `#published` of them the consumer can see. */
  #tail: number;
  #published: number;
  /** The head as it was when last looked at. */
  #head: number;
  /** The longest payload that the claimed room has, -1 without a claim. */
  #claimed = -1;

  /** @param capacity as checked when the ring was made or joined; the word in memory is not trusted */
  constructor(buffer: ArrayBuffer, capacity: number) {
    this.bytes = new Uint8Array(buffer, 0, HEADER_BYTES + capacity);
    this.#int32 = new Int32Array(buffer, 0, (HEADER_BYTES + capacity) >> 2);
    this.#words = new BigInt64Array(buffer, 0, (HEADER_BYTES + capacity) >> 3);
    this.capacity = capacity;
    this.longest = layout.longestRecord(capacity);
    this.#tail = Atomics.load(this.#int32, TAIL);
    this.#published = this.#tail;
    this.#head = Atomics.load(this.#int32, HEAD);
  }

  /** Where a record of `size` bytes can begin in the data area, which may move the tail; -1 if there is no room. */
  #room(size: number): number {
    const at = this.#tail & (this.capacity - 1);
    const left = (this.capacity - at) | 0;
    if (size > left) return this.#roomAtStart(at, left, size);
    const free = (this.capacity - ((this.#tail - this.#head) | 0)) | 0;
    return size <= free || this.#lookForRoom(size) ? at : -1;
  }

  #roomAtStart(at: number, left: number, size: number): number {
    if (!this.#lookForRoom(left + size)) return -1;
    this.#int32[(HEADER_BYTES + at) >> 2] = PAD | (left - RECORD_HEADER);
    this.#tail = (this.#tail + left) | 0;
    return 0;
  }

  /** Pairs with the consumer's store of head (B2 of layout.ts). */
  #lookForRoom(total: number): boolean {
    const head = Atomics.load(this.#int32, HEAD);
    const used = (this.#tail - head) | 0;
    if (used < 0 || used > this.capacity) throw corrupt(`${used} bytes in use of ${this.capacity}`);
    this.#head = head;
    return this.capacity - used >= total;
  }

  /**
   * Room for a payload of `length` bytes: where it begins in `bytes` (a multiple of 8), or -1 if
   * there is none now. It becomes a message with `commit`; another claim takes its place.
   */
  claim(length: number): number {
    const at = this.#room(RECORD_HEADER + ((length + 7) & ~7));
    if (at < 0) return -1;
    this.#claimed = length;
    return (HEADER_BYTES + RECORD_HEADER + at) | 0;
  }

  /** The claimed payload is complete: a record of this kind, not visible before it is published. */
  commit(length: number = this.#claimed, kind: number = WHOLE): void {
    if (length < 0 || length > this.#claimed) throw new RangeError('commit() of what was not claimed');
    this.#claimed = -1;
    this.#finish(this.#tail & (this.capacity - 1), length, kind);
  }

  #finish(at: number, length: number, kind: number): void {
    const header = (HEADER_BYTES + at) >> 2;
    this.#int32[header] = length | kind;
    this.#int32[header + 1] = 0;
    this.#tail = (this.#tail + RECORD_HEADER + ((length + 7) & ~7)) | 0;
  }

  /** Writes a whole message; false if there is no room now. Not visible before it is published. */
  push(message: Uint8Array): boolean {
    const length = message.length;
    const at = this.#room(RECORD_HEADER + ((length + 7) & ~7));
    if (at < 0) return false;
    const start = (HEADER_BYTES + RECORD_HEADER + at) | 0;
    const words = length <= MOST_INTO_RING ? this.#source.wordsOf(message) : undefined;
    const count = length >> 3;
    if (words === undefined || words.length !== count) {
      this.bytes.set(message, start);
    } else {
      copyWords(this.#words, start >> 3, words, 0, count);
      for (let index = count << 3; index < length; index++) this.bytes[start + index] = message[index] as number;
    }
    this.#finish(at, length, WHOLE);
    return true;
  }

  /** Whether a record of `length` fits now; near the end of the data area it may need twice its size. */
  hasRoom(length: number): boolean {
    return this.#lookForRoom(Math.min(2 * (RECORD_HEADER + ((length + 7) & ~7)), this.capacity));
  }

  /** Bytes that are written and not published. */
  get unpublished(): number {
    return (this.#tail - this.#published) | 0;
  }

  /**
   * Makes what was written visible to a consumer that looks (A1 of layout.ts). True if it seems to
   * sleep. That is a guess: `publish`, which knows, must follow before this side waits for anything.
   */
  show(): boolean {
    if (STORES_IN_ORDER) this.#int32[TAIL] = this.#tail;
    else Atomics.store(this.#int32, TAIL, this.#tail);
    this.#published = this.#tail;
    return this.consumerSeemsAsleep;
  }

  /** A guess: what is read may be a moment old. */
  get consumerSeemsAsleep(): boolean {
    return this.#int32[CONSUMER_ASLEEP] !== 0;
  }

  /** Makes what was written visible (A1 of layout.ts). True if the consumer sleeps: wake it. */
  publish(): boolean {
    Atomics.store(this.#int32, TAIL, this.#tail);
    this.#published = this.#tail;
    return Atomics.load(this.#int32, CONSUMER_ASLEEP) !== 0 && Atomics.exchange(this.#int32, CONSUMER_ASLEEP, 0) !== 0;
  }

  /** Says that nothing follows. True if the consumer sleeps: wake it. */
  end(): boolean {
    this.publish();
    Atomics.store(this.#int32, ENDED, 1);
    return Atomics.exchange(this.#int32, CONSUMER_ASLEEP, 0) !== 0;
  }

  /**
   * Says that this side is about to sleep until a record of `length` fits. False if it fits
   * already: then do not sleep.
   */
  sleep(length: number): boolean {
    const wanted = Math.min(2 * (RECORD_HEADER + ((length + 7) & ~7)), this.capacity);
    Atomics.store(this.#int32, PRODUCER_ASLEEP, wanted);
    if (!this.#lookForRoom(wanted)) return true;
    this.awake();
    return false;
  }

  /** This side does not sleep any more. */
  awake(): void {
    Atomics.store(this.#int32, PRODUCER_ASLEEP, 0);
  }
}
