/**
 * The count of turns in shared memory, by which the tour knows that a primitive does what it is for: only who has the turn may change it, and
 * each finds it as the other must have left it. It is read and written in two steps on purpose, so that two who have the turn at once
 * lose something.
 */
import type { Mapping } from '../../mmap/index.js';
import * as futex from '../../futex/index.js';

/** Which of the two processes; 0 has the first turn. */
export type Side = 0 | 1;

/** From here on the memory is the primitive's, if it stands in memory; it has a page of pointers' worth of room and more. */
export const PLACE = 4096;
/** Bytes of the memory. */
export const MEMORY_BYTES = 64 * 1024;

/** Words, each in a line of the cache of its own. Zero: no turn yet, nobody inside, go on, not there yet. */
const COUNT = 0;
/** Whoever has the turn, as 1 or 2. */
const INSIDE = 16;
/** Side 0 tells with it that its turn was the last. */
const LAST = 32;
/** Each side stores 1 into its own, and wakes the other. */
const THERE = [48, 64] as const;

/** One side's view of it. */
export class TurnCount {
  readonly #memory: Mapping;
  readonly #side: Side;
  #turns = 0;
  #fault: string | null = null;

  constructor(memory: Mapping, side: Side) {
    this.#memory = memory;
    this.#side = side;
  }

  /** Turns that this side has had. */
  get turns(): number {
    return this.#turns;
  }

  /** The first thing that was not as it must be, `null` if nothing was. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Turns that both had, as the memory has it. */
  get count(): number {
    return this.#memory.int32[COUNT] as number;
  }

  /** Waits until both sides are there. */
  async meet(): Promise<void> {
    const words = this.#memory.int32;
    const own = THERE[this.#side];
    const other = THERE[1 - this.#side] as number;
    Atomics.store(words, own, 1);
    futex.wake(this.#memory, own * 4);
    while (Atomics.load(words, other) === 0) await futex.wait(this.#memory, other * 4, 0);
  }

  /** What there is to do in a turn. */
  add(): void {
    const words = this.#memory.int32;
    const inside = Atomics.exchange(words, INSIDE, this.#side + 1);
    const before = words[COUNT] as number;
    const expected = 2 * this.#turns + this.#side;
    if (inside !== 0) this.#failed(`both processes had the turn ${before}`);
    if (before !== expected) this.#failed(`turn ${before} came where turn ${expected} was due`);
    words[COUNT] = before + 1;
    this.#turns += 1;
    if (Atomics.exchange(words, INSIDE, 0) !== this.#side + 1) this.#failed(`both processes had the turn ${before}`);
  }

  #failed(fault: string): void {
    this.#fault ??= fault;
  }

  /** Side 0 says, in its turn, that it is its last one. */
  end(): void {
    Atomics.store(this.#memory.int32, LAST, 1);
  }

  /** Whether side 0 has said so. */
  get ending(): boolean {
    return Atomics.load(this.#memory.int32, LAST) !== 0;
  }
}
