/**
 * What arrived, counted and hashed without the digest's time in the measurement: the bytes are
 * gathered, and hashed when the part is over or the room is full. If it is full and the channel is
 * bounded, the clock stops meanwhile, since the sender has to wait; where it is not, the sender goes on
 * and the time counts.
 */
import { createHash } from 'node:crypto';

/** The room, which all of the tour's own file fits into. It bounds the memory for longer ones. */
const ROOM = 64 * 1024 * 1024;

/** Gathers one part after the other. */
export class Tally {
  readonly #clockStops: boolean;
  readonly #room = Buffer.alloc(ROOM, 1);
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
    bytes.copy(this.#room, this.#used, from, end);
    this.#used += end - from;
    this.#bytes += end - start;
    this.#messages += 1;
  }

  #digest(): void {
    const begun = process.hrtime.bigint();
    this.#hash.update(this.#room.subarray(0, this.#used));
    this.#used = 0;
    if (this.#clockStops) this.#stopped += process.hrtime.bigint() - begun;
  }

  /** The part that ended at `ended`, less the time for which the clock stood; the next begins. */
  result(ended: string): { bytes: number; messages: number; digest: string; ended: string } {
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
