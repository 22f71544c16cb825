/**
 * The receiving side of a ring: layout.ts has the rules. No system call is made here.
 *
 * The memory is written by a peer, so it is hostile: each word is read once, checked, and only
 * the checked copy is used.
 */
import * as copying from './copy.js';
import * as layout from './layout.js';
import { corrupt } from './producer.js';

// Constants of this file: see producer.ts.
const { LastArray, MOST_OUT_OF_RING, copyWords } = copying;
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

/** Reads records and gives their room back. */
export class RingConsumer {
  /** The ring's memory. */
  readonly bytes: Buffer;
  /** Bytes of the data area. */
  readonly capacity: number;
  /** The kind of the record that `peek` found. */
  kind = 0;
  /** The payload's length of the record that `peek` found. */
  length = 0;
  /** The first word of the last record, and how many bytes it took. */
  #word = 0;
  #size = RECORD_HEADER;
  readonly #int32: Int32Array;
  readonly #words: BigInt64Array;
  readonly #target = new LastArray();
  /** Bytes ever read, as int32; `#released` of them the producer may use again. */
  #head: number;
  #released: number;
  /** The tail as it was when last looked at. */
  #tail: number;

  /** @param capacity as checked when the ring was made or joined; the word in memory is not trusted */
  constructor(buffer: ArrayBuffer, capacity: number) {
    this.bytes = Buffer.from(buffer, 0, HEADER_BYTES + capacity);
    this.#int32 = new Int32Array(buffer, 0, (HEADER_BYTES + capacity) >> 2);
    this.#words = new BigInt64Array(buffer, 0, (HEADER_BYTES + capacity) >> 3);
    this.capacity = capacity;
    this.#head = Atomics.load(this.#int32, HEAD);
    this.#released = this.#head;
    this.#tail = this.#head;
  }

  /** Pairs with the producer's store of tail (A2 of layout.ts). */
  #look(): boolean {
    const tail = Atomics.load(this.#int32, TAIL);
    const filled = (tail - this.#head) | 0;
    if (filled < 0 || filled > this.capacity || (tail & 7) !== 0) {
      throw corrupt(`${filled} bytes waiting in a ring of ${this.capacity}`);
    }
    this.#tail = tail;
    return filled > 0;
  }

  /**
   * Where the payload of the next record begins in `bytes`, with its `kind` and `length`; -1 if
   * there is none. It stays the next one until `skip`.
   *
   * Messages often are as long as the one before. Where that is so, nothing is computed from the
   * word that was read, so that the processor, having guessed it, fetches the records that follow
   * while this one is still on its way from the other's cache: three times as fast as waiting for
   * each (docs/design/ring.md).
   */
  peek(): number {
    for (;;) {
      if (this.#head === this.#tail && !this.#look()) return -1;
      const at = this.#head & (this.capacity - 1);
      const word = this.#int32[(HEADER_BYTES + at) >> 2] as number;
      if (word !== this.#word) this.#learn(word);
      const size = this.#size;
      if (size > ((this.#tail - this.#head) | 0) || ((at + size) | 0) > this.capacity) {
        throw corrupt(`a record of ${this.length} bytes where ${(this.#tail - this.#head) | 0} are filled`);
      }
      if (this.kind !== PAD) return (HEADER_BYTES + RECORD_HEADER + at) | 0;
      this.#head = (this.#head + size) | 0;
    }
  }

  /** The first word of a record says something else than the one before. */
  #learn(word: number): void {
    this.#word = word;
    this.kind = word & KIND_MASK;
    this.length = word & LENGTH_MASK;
    this.#size = RECORD_HEADER + ((this.length + 7) & ~7);
  }

  /** Past the record that `peek` found. Its room is not free before `release`. */
  skip(): void {
    this.#head = (this.#head + this.#size) | 0;
  }

  /**
   * Copies the next record into `target` and gives its room back: the length, or -1 if there is
   * none. The payload must fit.
   */
  popInto(target: Uint8Array): number {
    const at = this.peek();
    if (at < 0) return -1;
    const length = this.length;
    if (length > target.length) throw new RangeError(`a message of ${length} bytes does not fit into ${target.length}`);
    const words = length <= MOST_OUT_OF_RING ? this.#target.wordsOf(target) : undefined;
    const count = length >> 3;
    if (words === undefined || words.length < count) {
      this.bytes.copy(target, 0, at, at + length);
    } else {
      copyWords(words, 0, this.#words, at >> 3, count);
      for (let index = count << 3; index < length; index++) target[index] = this.bytes[at + index] as number;
    }
    this.skip();
    return length;
  }

  /**
   * Copies the payload that `peek` found at `at` into `target` from `start` on, a multiple of 8.
   *
   * @param words the words of `target`; what follows the payload up to a multiple of 8 may be written, too
   */
  copyOut(at: number, target: Buffer, words: BigInt64Array, start: number): void {
    const length = this.length;
    if (length > MOST_OUT_OF_RING) this.bytes.copy(target, start, at, at + length);
    else copyWords(words, start >> 3, this.#words, at >> 3, (length + 7) >> 3);
  }

  /** Bytes that are read and not given back. */
  get unreleased(): number {
    return (this.#head - this.#released) | 0;
  }

  /**
   * Gives the room of what was read back (B1 of layout.ts). True if the producer sleeps and has
   * enough room now: wake it.
   */
  release(): boolean {
    if (this.#released !== this.#head) {
      Atomics.store(this.#int32, HEAD, this.#head);
      this.#released = this.#head;
    }
    const wanted = Atomics.load(this.#int32, PRODUCER_ASLEEP);
    if (wanted === 0) return false;
    const used = (Atomics.load(this.#int32, TAIL) - this.#head) | 0;
    if (this.capacity - used < wanted) return false;
    return Atomics.exchange(this.#int32, PRODUCER_ASLEEP, 0) !== 0;
  }

  /** Whether there is a record now. */
  get ready(): boolean {
    return this.#head !== this.#tail || this.#look();
  }

  /** Whether the producer has said that nothing follows what it has published. */
  get markedEnd(): boolean {
    return Atomics.load(this.#int32, ENDED) !== 0;
  }

  /** Whether nothing follows, and everything was read. */
  get ended(): boolean {
    return this.markedEnd && !this.ready;
  }

  /** Says that this side is about to sleep. False if there is something to do: then do not sleep. */
  sleep(): boolean {
    Atomics.store(this.#int32, CONSUMER_ASLEEP, 1);
    if (!this.ready && Atomics.load(this.#int32, ENDED) === 0) return true;
    this.awake();
    return false;
  }

  /** This side does not sleep any more. */
  awake(): void {
    Atomics.store(this.#int32, CONSUMER_ASLEEP, 0);
  }
}
