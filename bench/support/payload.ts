/**
 * The payload of every bench message and its check: the same words as in `bench/c/common.h`.
 *
 * Word 0 of message n is n, word i is i * MIX, and the first word of each further page has n added.
 */

/** From this payload size on (bytes) rates are in bytes and checks look at one word in each page. */
export const LARGE = 4096;

const MIX = 0x9e3779b1 | 0;
const PAGE_WORDS = 1024;
const STOCK = 32;

/** Makes a filled payload the one of message n. */
export function stamp(words: Int32Array, n: number): void {
  words[0] = n;
  for (let i = PAGE_WORDS; i < words.length; i += PAGE_WORDS) words[i] = (Math.imul(i, MIX) + n) | 0;
}

function slotsOf(size: number): number {
  return size < LARGE ? STOCK : 1;
}

/** Bytes of the memory of a stock. */
export function stockBytes(size: number): number {
  return slotsOf(size) * size;
}

/**
 * What a sender has to send: messages that are made a whole round before they leave, so that a copy does not wait for
 * the stamp just stored.
 */
export class Stock {
  readonly size: number;
  readonly messages: readonly Buffer[];
  readonly words: readonly Int32Array[];

  /**
   * @param size bytes of each message, a multiple of 4
   * @param memory where they stand, one behind the other as in C
   */
  constructor(size: number, memory: ArrayBuffer = new ArrayBuffer(stockBytes(size))) {
    this.size = size;
    const words = Array.from({ length: slotsOf(size) }, (_, slot) => new Int32Array(memory, slot * size, size >>> 2));
    words.forEach((message, slot) => {
      for (let i = 0; i < message.length; i++) message[i] = Math.imul(i, MIX);
      stamp(message, slot);
    });
    this.words = words;
    this.messages = words.map((message) => Buffer.from(memory, message.byteOffset, message.byteLength));
  }

  /** The slot of message n: the index into `messages` and `words`. */
  slot(n: number): number {
    return this.words.length === 1 ? 0 : n & (STOCK - 1);
  }

  /** Message n has left: its slot becomes the next message for it. With one slot, call it after the bytes were taken. */
  renew(n: number): void {
    const words = this.words[this.slot(n)]!;
    if (words.length <= PAGE_WORDS) words[0] = n + this.words.length;
    else stamp(words, n + this.words.length);
  }
}

/** What a receiver has found: every message is handed to one of the `see` functions, in order. */
export class Check {
  readonly size: number;
  count = 0;
  #sum = 0;
  #wrong = 0;

  /** @param size bytes of each message, a multiple of 4 */
  constructor(size: number) {
    this.size = size;
  }

  /**
   * Looks at a message in an Int32Array. A small message is summed word by word; of a large one, which the copy out
   * has read as a whole, one word in each page.
   *
   * @param words memory that holds the message
   * @param at index of its first word
   */
  seeWords(words: Int32Array, at: number): void {
    let sum = 0;
    if (this.size === 64) {
      sum =
        (words[at]! +
          words[at + 1]! +
          words[at + 2]! +
          words[at + 3]! +
          words[at + 4]! +
          words[at + 5]! +
          words[at + 6]! +
          words[at + 7]! +
          words[at + 8]! +
          words[at + 9]! +
          words[at + 10]! +
          words[at + 11]! +
          words[at + 12]! +
          words[at + 13]! +
          words[at + 14]! +
          words[at + 15]!) |
        0;
    } else {
      const step = this.size < LARGE ? 1 : PAGE_WORDS;
      for (let i = 0; i < this.size >>> 2; i += step) sum = (sum + words[at + i]!) | 0;
    }
    this.#seen(sum, words[at]!);
  }

  /**
   * The same for bytes at any alignment.
   *
   * @param view memory that holds the message
   * @param at offset of its first byte
   */
  seeView(view: DataView, at: number): void {
    let sum = 0;
    if (this.size === 64) {
      sum =
        (view.getInt32(at, true) +
          view.getInt32(at + 4, true) +
          view.getInt32(at + 8, true) +
          view.getInt32(at + 12, true) +
          view.getInt32(at + 16, true) +
          view.getInt32(at + 20, true) +
          view.getInt32(at + 24, true) +
          view.getInt32(at + 28, true) +
          view.getInt32(at + 32, true) +
          view.getInt32(at + 36, true) +
          view.getInt32(at + 40, true) +
          view.getInt32(at + 44, true) +
          view.getInt32(at + 48, true) +
          view.getInt32(at + 52, true) +
          view.getInt32(at + 56, true) +
          view.getInt32(at + 60, true)) |
        0;
    } else {
      const step = this.size < LARGE ? 4 : PAGE_WORDS * 4;
      for (let i = 0; i < this.size; i += step) sum = (sum + view.getInt32(at + i, true)) | 0;
    }
    this.#seen(sum, view.getInt32(at, true));
  }

  /**
   * The same for a message that was cut out as a Buffer. readInt32LE would cost 8 ns a word, so the words are read
   * through `view`, a DataView of the chunk that the message was cut out of.
   */
  seeCut(message: Buffer, view: DataView): void {
    if (message.length !== this.size) this.#wrong |= 1;
    else this.seeView(view, message.byteOffset - view.byteOffset);
  }

  #seen(sum: number, first: number): void {
    this.#sum = (this.#sum + sum) | 0;
    this.#wrong |= first ^ this.count;
    this.count++;
  }

  /** True when exactly `total` messages came, in order, with the words they were sent with. */
  passed(total: number): boolean {
    let one = 0;
    let stamped = 1;
    const step = this.size < LARGE ? 1 : PAGE_WORDS;
    for (let i = step; i < this.size >>> 2; i += step) {
      one = (one + Math.imul(i, MIX)) | 0;
      if (i % PAGE_WORDS === 0) stamped++;
    }
    const n = BigInt(total);
    const expected = BigInt(one) * n + BigInt(stamped) * ((n * (n - 1n)) / 2n);
    return this.#wrong === 0 && this.count === total && this.#sum === Number(BigInt.asIntN(32, expected));
  }
}

/** What a receiver of messages of 64 bytes has found, looking at them in 64-bit words: half as many reads. */
export interface SmallCheck {
  /** Looks at the message whose first word is at this index of the 64-bit words. */
  see(at: number): void;
  /** How many were seen. */
  count(): number;
  /** As of `Check`. */
  passed(total: number): boolean;
}

/** A check of what comes into this memory, written like the ring itself (src/channel/ring/own.ts). */
export function smallCheck(memory: ArrayBuffer): SmallCheck {
  const words = new Int32Array(memory);
  const longs = new BigInt64Array(memory);
  const sum = new BigInt64Array(new ArrayBuffer(256));
  const own = new Int32Array(new ArrayBuffer(256)); // how many, and whether one was wrong
  return {
    see(at) {
      sum[0] =
        sum[0]! +
        longs[at]! +
        longs[(at + 1) | 0]! +
        longs[(at + 2) | 0]! +
        longs[(at + 3) | 0]! +
        longs[(at + 4) | 0]! +
        longs[(at + 5) | 0]! +
        longs[(at + 6) | 0]! +
        longs[(at + 7) | 0]!;
      own[1] = own[1]! | (words[at << 1]! ^ own[0]!);
      own[0] = (own[0]! + 1) | 0;
    },
    count: () => own[0]!,
    passed(total) {
      let each = 0n;
      for (let i = 1; i < 16; i++) each += BigInt(Math.imul(i, MIX) >>> 0) << BigInt(32 * (i % 2));
      const n = BigInt(total);
      const expected = BigInt.asIntN(64, each * n + (n * (n - 1n)) / 2n);
      return own[1] === 0 && own[0] === total && sum[0] === expected;
    },
  };
}
