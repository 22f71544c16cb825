/**
 * The program of the rows for synchronization: `turns.js PRIMITIVE SIDE WHERE [JOB]`, with the memory as descriptor 3. Two of them hand a
 * turn to each other; side 0 has the job, and the first turn. In its turn each adds 1 to a count in the memory.
 */
import { descriptor } from '../../mmap/index.js';
import type { Primitive, Turns } from './primitive.js';
import { PRIMITIVES } from './primitives.js';
import { type Job, median, peakMemoryBytes, runProgram, say, Steps } from './program.js';
import { type Side, TurnCount } from './turnCount.js';

/** What each side reports at the end. */
export interface Turned {
  /** Turns that it has had, those to warm up among them. */
  turns: number;
  fault: string | null;
  peakMemoryBytes: number | null;
  /** Of side 0. */
  measured: Measured | null;
}

/** What only side 0 knows. */
export interface Measured {
  /** The count in the memory when all is over. */
  count: number;
  handOvers: number;
  seconds: number;
  /** The median of two hand-overs, there and back. */
  roundTripMicroseconds: number;
}

/** Until then both programs are compiled. */
const WARM_UP_SECONDS = 0.2;
/** What is measured ends with the hand-overs that were asked for, or then. */
const MOST_SECONDS = 0.7;

runProgram(async ([name = '', number = '', where = ''], job) => {
  const primitive = PRIMITIVES.find((one) => one.name === name) as Primitive;
  const side: Side = number === '0' ? 0 : 1;
  // Should the tour be gone, nobody else removes it.
  process.once('exit', (code) => void (code !== 0 && primitive.remove?.(where)));
  using memory = descriptor(3);
  const count = new TurnCount(memory, side);
  const turns = await primitive.join(side, where, memory);
  await count.meet();
  const measured = side === 0 ? await lead(turns, count, job) : await follow(turns, count);
  await turns.close?.();
  say({ turns: count.turns, fault: count.fault, peakMemoryBytes: peakMemoryBytes(), measured } satisfies Turned);
});

/** Side 0: hands over until there are enough, and measures how long it takes until the turn is back. */
async function lead(turns: Turns, count: TurnCount, job: Job): Promise<Measured> {
  const steps = new Steps();
  const most = Math.ceil(job.messages / 2);
  const took: number[] = [];
  await turns.take();
  for (const deadline = performance.now() + WARM_UP_SECONDS * 1000; performance.now() < deadline; ) {
    count.add();
    await turns.hand();
    await turns.take();
    if (count.turns === most) break;
  }
  const began = process.hrtime.bigint();
  const deadline = performance.now() + MOST_SECONDS * 1000;
  let last = began;
  for (let more = true; more; ) {
    more = took.length + 1 < most && performance.now() < deadline;
    count.add();
    if (!more) count.end();
    await turns.hand();
    // What the tests let happen: a turn that is not waited for.
    if (job.corrupt && took.length === 0) count.add();
    await turns.take();
    const time = process.hrtime.bigint();
    took.push(Number(time - last) / 1000);
    last = time;
    steps.at(took.length / most);
  }
  return {
    count: count.count,
    handOvers: 2 * took.length,
    seconds: Number(last - began) / 1e9,
    roundTripMicroseconds: median(took),
  };
}

/** Side 1: hands over whatever it gets. */
async function follow(turns: Turns, count: TurnCount): Promise<null> {
  for (let more = true; more; ) {
    await turns.take();
    more = !count.ending;
    count.add();
    await turns.hand();
  }
  return null;
}
