/**
 * The package proper-lockfile, which Node users take for lock files: a folder that is made, and looked at again and again by who waits. The bench
 * fetches it (`fetchPeers`).
 *
 *   --what take|hand-over   as bench/ours/take.ts and bench/ours/hand-over.ts do it
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { anonymous, descriptor } from '../../src/mmap/index.js';
import { peersFolder } from '../fetch-peers.js';
import { scratchDirectory, startOther } from '../support/pair.js';
import { now, readOptions, reportRoundTrips, reportSamples, type Work, workArguments } from '../support/report.js';

/** What is used of the package. */
interface ProperLockfile {
  lock(path: string, options: object): Promise<() => Promise<void>>;
}

const GROUP = 100;
const LOCKS = 3;
/** It tries again after a time, of which a millisecond is the shortest that its timers know. */
const OPTIONS = { realpath: false, retries: { forever: true, factor: 1, minTimeout: 1, maxTimeout: 1 } };
const THERE = 0;
const COUNT = 16;

const { lock } = createRequire(join(peersFolder, 'package.json'))('proper-lockfile') as ProperLockfile;

async function takes(work: Work, folder: string): Promise<void> {
  const path = join(folder, '0');
  const groups = Math.ceil(work.count / GROUP);
  const warmup = Math.floor(work.warmup / GROUP);
  const samples = new Float64Array(groups);
  let last = now();
  for (let n = 0; n < warmup + groups; n++) {
    for (let i = 0; i < GROUP; i++) await (await lock(path, OPTIONS))();
    const t = now();
    if (n >= warmup) samples[n - warmup] = t - last;
    last = t;
  }
  reportSamples('takes/s', work.size, samples, GROUP, true);
}

/** One side: `done` is called after each turn of its own. Gives the count at the end, or -1 if it was ever wrong. */
async function play(side: number, folder: string, words: Int32Array, total: number, done: () => void): Promise<number> {
  const held = new Map<number, () => Promise<void>>();
  const take = async (which: number): Promise<unknown> =>
    held.set(which, await lock(join(folder, String(which)), OPTIONS));
  await take(side);
  if (side === 0) await take(2);
  Atomics.add(words, THERE, 1);
  while (Atomics.load(words, THERE) < 2) await nextTurn();
  let right = true;
  let turn = side;
  for (let n = 0; n < total; n++) {
    if (turn > 0) await take((turn - 1) % LOCKS);
    if (n > 0 && side === 0) done();
    right &&= words[COUNT] === turn;
    words[COUNT]!++;
    await held.get(turn % LOCKS)!();
    held.delete(turn % LOCKS);
    turn += 2;
  }
  if (side === 0) await take((turn - 1) % LOCKS);
  done();
  for (const release of held.values()) await release();
  return right ? (words[COUNT] as number) : -1;
}

async function main(): Promise<void> {
  const { work, text, words } = readOptions(500);
  if (words[0] === 'other') {
    using memory = descriptor(3);
    if ((await play(1, words[1]!, memory.int32, work.total, () => {})) < 0) process.exitCode = 1;
    return;
  }
  const folder = scratchDirectory();
  if (text('what', 'take') === 'take') {
    await takes(work, folder);
    return;
  }
  using memory = anonymous(4096);
  const other = startOther(import.meta.url, ['other', folder, ...workArguments(work)], [memory.fd]);
  const samples = new Float64Array(work.count);
  let round = 0;
  let last = now();
  const count = await play(0, folder, memory.int32, work.total, () => {
    const t = now();
    if (round >= work.warmup) samples[round - work.warmup] = t - last;
    last = t;
    round++;
  });
  reportRoundTrips(work.size, samples, 1, (await other.ended) && count === 2 * work.total);
}

await main();
