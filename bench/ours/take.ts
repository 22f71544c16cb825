/**
 * A lock that nobody else wants, taken and given back again and again in one process; timed by groups, as in bench/c/take.c.
 *
 *   --mechanism mutex|sem|semset|flock|ofd|lock-file|lock-file-stays
 *   --way sync|await
 */
import { scratchDirectory } from '../support/pair.js';
import { now, readOptions, reportSamples } from '../support/report.js';
import { FREE_WORD, kindOf, type Locks, newMemory } from './locks.js';

const GROUP = 100;

function group(locks: Locks, words: Int32Array): void {
  for (let i = 0; i < GROUP; i++) {
    const guard = locks.take(0);
    words[FREE_WORD]!++;
    guard.release();
  }
}

async function groupAwaited(locks: Locks, words: Int32Array): Promise<void> {
  for (let i = 0; i < GROUP; i++) {
    const guard = await locks.awaited(0);
    words[FREE_WORD]!++;
    guard.release();
  }
}

async function main(): Promise<void> {
  const { work, text } = readOptions(500_000);
  const kind = kindOf(text('mechanism', 'sem'));
  const isAwaited = text('way', 'sync') === 'await';
  using memory = newMemory();
  const made = kind.make(memory, scratchDirectory(), 1);
  const locks = kind.open(memory, made.told);
  const words = memory.int32;
  const groups = Math.ceil(work.count / GROUP);
  const warmup = Math.floor(work.warmup / GROUP);
  const samples = new Float64Array(groups);
  let last = now();
  for (let n = 0; n < warmup + groups; n++) {
    if (isAwaited) await groupAwaited(locks, words);
    else group(locks, words);
    const t = now();
    if (n >= warmup) samples[n - warmup] = t - last;
    last = t;
  }
  made.remove();
  reportSamples('takes/s', work.size, samples, GROUP, words[FREE_WORD] === (warmup + groups) * GROUP);
}

await main();
