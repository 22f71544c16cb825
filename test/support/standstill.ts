/**
 * How long the machine stands still: a thread that wants to run every few milliseconds adds up by how much it is late. What is to be done
 * within a second is to be done within a second in which the machine goes on.
 */
import type { TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';

const EVERY_MS = 10;
/** What a machine with a free processor is never late by, in microseconds. */
const NEVER_LATE = 10_000;

const BASE = 0;
/** How long it has stood still, and when who measures wants to run again: in one word, so that both are of one moment. */
const STATE = 1;
/** Both in tens of microseconds, which are enough for 11 hours. */
const UNIT = 10;
const HALF = 32n;

/** Now, in microseconds of the monotonic clock, which is the same in every thread and process. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** The sum, in memory that others may share. */
export class Standstill {
  static readonly WORDS = 2;
  readonly #words: BigInt64Array;

  constructor(words: BigInt64Array) {
    this.#words = words;
  }

  /** Measures from here on, for ever: a thread of its own does. */
  measure(): never {
    const asleep = new Int32Array(new SharedArrayBuffer(4));
    Atomics.store(this.#words, BASE, BigInt(now()));
    for (let late = 0; ; ) {
      this.#change(late, this.#sinceBase() + EVERY_MS * 1000);
      const due = this.#due;
      Atomics.wait(asleep, 0, 0, EVERY_MS);
      late = lateness(this.#sinceBase() - due);
    }
  }

  /** So much longer, in microseconds. */
  add(time: number): void {
    this.#change(time, this.#due);
  }

  /** Whether somebody measures. */
  get isMeasured(): boolean {
    return this.#due !== 0;
  }

  /** How long it has stood still, up to now: it may be that whoever measures could not go on yet either. */
  get total(): number {
    const state = Atomics.load(this.#words, STATE);
    const due = dueIn(state);
    return stillIn(state) + (due === 0 ? 0 : lateness(this.#sinceBase() - due));
  }

  get #due(): number {
    return dueIn(Atomics.load(this.#words, STATE));
  }

  #sinceBase(): number {
    return now() - Number(Atomics.load(this.#words, BASE));
  }

  #change(more: number, due: number): void {
    for (;;) {
      const seen = Atomics.load(this.#words, STATE);
      const still = BigInt(Math.round((stillIn(seen) + more) / UNIT));
      const wanted = (still << HALF) | BigInt(Math.round(due / UNIT));
      if (Atomics.compareExchange(this.#words, STATE, seen, wanted) === seen) return;
    }
  }
}

const stillIn = (state: bigint): number => Number(state >> HALF) * UNIT;
const dueIn = (state: bigint): number => Number(BigInt.asUintN(32, state)) * UNIT;
const lateness = (late: number): number => (late > NEVER_LATE ? late : 0);

/** A clock that stands still while the machine does; it shows milliseconds. */
export async function steadyClock(t: Pick<TestContext, 'after'>): Promise<() => number> {
  const words = new BigInt64Array(new SharedArrayBuffer(Standstill.WORDS * BigInt64Array.BYTES_PER_ELEMENT));
  const worker = new Worker(new URL('../fixtures/standstill.js', import.meta.url), { workerData: words });
  worker.unref();
  t.after(() => worker.terminate());
  const still = new Standstill(words);
  while (!still.isMeasured) await new Promise(setImmediate);
  return () => (now() - still.total) / 1000;
}
