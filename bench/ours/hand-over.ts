/**
 * Two processes hand a turn to each other, as in bench/c/hand-over.c, which says how; a round trip is two hand-overs.
 *
 *   --mechanism mutex|sem|semset|flock|ofd|lock-file|lock-file-stays
 *   --way sync|await   blocking the thread, as in C, or awaiting
 */
import * as futex from '../../src/futex/index.js';
import type { Mapping } from '../../src/mmap/index.js';
import { scratchDirectory, startOther } from '../support/pair.js';
import { now, readOptions, reportRoundTrips, workArguments } from '../support/report.js';
import { FREE_WORD, type Guard, inheritedMemory, kindOf, LOCKS, type Locks, newMemory } from './locks.js';

const THERE = FREE_WORD;
const COUNT = FREE_WORD + 16;

/** One side's turns. */
class Player {
  readonly #locks: Locks;
  readonly #side: number;
  readonly #words: Int32Array;
  readonly #held: (Guard | undefined)[] = new Array(LOCKS).fill(undefined);
  #turn: number;
  wrong = 0;

  constructor(locks: Locks, side: number, memory: Mapping) {
    this.#locks = locks;
    this.#side = side;
    this.#words = memory.int32;
    this.#turn = side;
    if (locks.post === undefined) {
      this.#held[side] = locks.take(side);
      if (side === 0) this.#held[2] = locks.take(2);
    }
    Atomics.add(this.#words, THERE, 1);
    futex.wake(memory, THERE * 4);
    for (let there = 1; there < 2; there = Atomics.load(this.#words, THERE)) futex.waitSync(memory, THERE * 4, there);
  }

  /** Which lock tells that the turn before ours is over. */
  get #awaited(): number {
    return this.#locks.post === undefined ? (this.#turn - 1) % LOCKS : this.#side;
  }

  /** Waits for our turn. The first one of side 0 has nobody to wait for. */
  take(): void {
    if (this.#turn > 0) this.#held[this.#awaited] = this.#locks.take(this.#awaited);
  }

  async takeAwaited(): Promise<void> {
    if (this.#turn > 0) this.#held[this.#awaited] = await this.#locks.awaited(this.#awaited);
  }

  count(): void {
    this.wrong |= (this.#words[COUNT] as number) ^ this.#turn;
    this.#words[COUNT]!++;
  }

  hand(): void {
    if (this.#locks.post === undefined) this.#held[this.#turn % LOCKS]?.release();
    else this.#locks.post(1 - this.#side);
    this.#turn += 2;
  }

  end(): number {
    if (this.#locks.post === undefined) for (const guard of this.#held) guard?.release();
    return this.#words[COUNT] as number;
  }
}

async function main(): Promise<void> {
  const { work, text, words } = readOptions(50_000);
  const mechanism = text('mechanism', 'sem');
  const way = text('way', 'sync');
  const isAwaited = way === 'await';
  const kind = kindOf(mechanism);
  if (words[0] === 'other') {
    using memory = inheritedMemory();
    const player = new Player(kind.open(memory, words[1] ?? ''), 1, memory);
    for (let n = 0; n < work.total; n++) {
      if (isAwaited) await player.takeAwaited();
      else player.take();
      player.count();
      player.hand();
    }
    player.end();
    if (player.wrong !== 0) process.exitCode = 1;
    return;
  }
  using memory = newMemory();
  const made = kind.make(memory, scratchDirectory(), 0);
  const told = made.told === '' ? [] : [made.told];
  const args = ['other', ...told, '--mechanism', mechanism, '--way', way, ...workArguments(work)];
  const other = startOther(import.meta.url, args, [memory.fd]);
  const player = new Player(kind.open(memory, made.told), 0, memory);
  const samples = new Float64Array(work.count);
  player.take();
  let last = now();
  for (let n = 0; n < work.total; n++) {
    player.count();
    player.hand();
    if (isAwaited) await player.takeAwaited();
    else player.take();
    const t = now();
    if (n >= work.warmup) samples[n - work.warmup] = t - last;
    last = t;
  }
  const ended = await other.ended;
  const right = ended && player.wrong === 0 && player.end() === 2 * work.total;
  made.remove();
  reportRoundTrips(work.size, samples, 1, right);
}

await main();
