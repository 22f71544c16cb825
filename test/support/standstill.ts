/**
 * How long the machine stands still: a thread that wants to run every few milliseconds adds up by how much it is late. What is to be done
 * within a second is to be done within a second in which the machine goes on.
 */
import type { TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';

const EVERY_MS = 10;
/** What a machine with a free processor is never late by, in microseconds. */
const NEVER_LATE = 10_000;
const STILL = 0;
const DUE = 1;

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
    for (;;) {
      const due = now() + EVERY_MS * 1000;
      Atomics.store(this.#words, DUE, BigInt(due));
      Atomics.wait(asleep, 0, 0, EVERY_MS);
      const late = now() - due;
      if (late > NEVER_LATE) this.add(late);
    }
  }

  add(time: number): void {
    Atomics.add(this.#words, STILL, BigInt(Math.round(time)));
  }

  /** Whether somebody measures. */
  get isMeasured(): boolean {
    return Atomics.load(this.#words, DUE) !== 0n;
  }

  /** How long it has stood still, up to now: it may be that whoever measures could not go on yet either. */
  get total(): number {
    const late = this.isMeasured ? now() - Number(Atomics.load(this.#words, DUE)) : 0;
    return Number(Atomics.load(this.#words, STILL)) + (late > NEVER_LATE ? late : 0);
  }
}

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
