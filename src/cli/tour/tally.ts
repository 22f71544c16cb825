/**
 * What arrived, counted and hashed without the digest's time in the measurement: the bytes are
 * gathered, and hashed when the part is over or the room is full. If it is full and the channel is
 * bounded, the clock stops meanwhile, since the sender has to wait; where it is not, the sender goes on
 * and the time counts.
 */
import { createHash } from 'node:crypto';

/** The room, which all of the tour's own file fits into. It bounds the memory for longer ones. */
const ROOM = 64 * 1024 * 1024;
/** Up to here a message is copied word by word. */
const SHORT = 256;

/** One part of what arrived; `ended` is when the last of it came, in nanoseconds of CLOCK_MONOTONIC. */
export interface Part {
  bytes: number;
  messages: number;
  digest: string;
  ended: string;
}

/** Gathers one part after the other. */
export class Tally {
  readonly #clockStops: boolean;
  readonly #room = Buffer.alloc(ROOM, 1);
  readonly #roomWords = new Int32Array(this.#room.buffer, this.#room.byteOffset, ROOM >> 2);
  #lastBytes: Buffer | undefined;
  #lastWords: Int32Array = this.#roomWords;
  #hash = createHash('sha256');
  #used = 0;
  #bytes = 0;
  #messages = 0;
  #stopped = 0n;

  /** The memory is touched here, so that the kernel need not find it while the clock runs. */
  constructor(clockStops: boolean) {
    this.#clockStops = clockStops;
  }

  /** A message that stands in `bytes`. */
  add(bytes: Buffer, start: number, end: number): void {
    let from = start;
    while (this.#used + end - from > ROOM) {
      const part = ROOM - this.#used;
      bytes.copy(this.#room, this.#used, from, from + part);
      this.#used = ROOM;
      from += part;
      this.#digest();
    }
    this.#gather(bytes, from, end);
    this.#bytes += end - start;
    this.#messages += 1;
  }

  /** `copy` makes an object for each call, which costs five times what copying a small message does. */
  #gather(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    const first = bytes.byteOffset + start;
    if (length <= SHORT && ((first | this.#used | length) & 3) === 0) {
      const from = this.#wordsOf(bytes);
      const to = this.#roomWords;
      const source = first >> 2;
      const target = this.#used >> 2;
      const count = length >> 2;
      for (let at = 0; at < count; at++) to[target + at] = from[source + at] as number;
    } else {
      bytes.copy(this.#room, this.#used, start, end);
    }
    this.#used += length;
  }

  /** The words of the memory below `bytes`; messages come from the same memory again and again. */
  #wordsOf(bytes: Buffer): Int32Array {
    if (bytes !== this.#lastBytes) {
      this.#lastBytes = bytes;
      this.#lastWords = new Int32Array(bytes.buffer, 0, bytes.buffer.byteLength >> 2);
    }
    return this.#lastWords;
  }

  #digest(): void {
    const begun = process.hrtime.bigint();
    this.#hash.update(this.#room.subarray(0, this.#used));
    this.#used = 0;
    if (this.#clockStops) this.#stopped += process.hrtime.bigint() - begun;
  }

  /** The part that ended at `ended`, less the time for which the clock stood; the next begins. */
  result(ended: string): Part {
    const result = { bytes: this.#bytes, messages: this.#messages, ended: String(BigInt(ended) - this.#stopped) };
    this.#digest();
    const digest = this.#hash.digest('hex');
    this.#hash = createHash('sha256');
    this.#bytes = 0;
    this.#messages = 0;
    this.#stopped = 0n;
    return { ...result, digest };
  }
}
