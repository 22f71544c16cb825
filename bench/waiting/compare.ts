/**
 * What docs/design/waiting.md stands on: ways to wait, compared.
 *
 *   npm run build && node dist/bench/waiting/compare.js            all of it, about a minute
 *   node dist/bench/waiting/compare.js latency burst cost lost     some of it
 *
 * Round trips between two processes are tagged near or far by the probe, run before and after each; a repeat during
 * which that changed is thrown away. See bench/machine.ts.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { callBlocking } from '../../src/core/blocking.js';
import { keepAlive, registerCall, unregisterCall } from '../../src/core/loop.js';
import { whenPossibleSync } from '../../src/core/readiness.js';
import {
  MAP_ANONYMOUS,
  MAP_SHARED,
  type NativeMapping,
  native,
  POLLIN,
  PROT_READ,
  PROT_WRITE,
} from '../../src/sys/index.js';
import { buildC } from '../build-c.js';
import { probe } from '../machine.js';
import { Bell, buildPrototype, WAYS } from './ways.js';

const ROUND_TRIPS = 5000;
const WARM_UP = 500;
const REPEATS = 5;
const SELF = fileURLToPath(import.meta.url);

function eventfd(): number {
  return native().eventfd(0, 0);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function at(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;
}

// ---- round trips ------------------------------------------------------------------------------

/** One side of a round trip: descriptor 3 is rung for us, 4 we ring. */
function playRound(name: string, first: boolean): void {
  const samples: number[] = [];
  let last = 0;
  let count = 0;
  const rung = (): void => {
    if (first) {
      const now = performance.now();
      if (count++ >= WARM_UP) samples.push((now - last) * 1000);
      if (samples.length === ROUND_TRIPS) {
        samples.sort((a, b) => a - b);
        process.stdout.write(JSON.stringify({ p50: at(samples, 0.5), p99: at(samples, 0.99) }));
        process.exit();
      }
      last = performance.now();
    }
    native().eventfdRing(4);
  };
  WAYS[name]!.way(3, rung);
  setInterval(() => {}, 1 << 30); // a watch alone does not keep the process alive
  if (first) {
    last = performance.now();
    native().eventfdRing(4);
  }
}

async function roundTrips(name: string): Promise<{ p50: number; p99: number; place: string }> {
  const before = probe(20).placement;
  const [there, back] = [eventfd(), eventfd()];
  const env = { ...process.env, ...WAYS[name]!.env };
  const far = spawn(process.execPath, [SELF, 'play', name, 'second'], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', there, back],
  });
  const near = spawn(process.execPath, [SELF, 'play', name, 'first'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit', back, there],
  });
  let said = '';
  near.stdout!.on('data', (text) => {
    said += text;
  });
  await once(near, 'close');
  far.kill('SIGKILL');
  for (const fd of [there, back]) native().close(fd);
  const after = probe(20).placement;
  return { ...(JSON.parse(said) as { p50: number; p99: number }), place: before === after ? before : 'mixed' };
}

async function latency(): Promise<void> {
  say(`Round trip of a ring between two processes, us, median of ${REPEATS} interleaved repeats of ${ROUND_TRIPS}`);
  const seen = new Map<string, { p50: number; p99: number; place: string }[]>();
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const name of Object.keys(WAYS)) seen.set(name, [...(seen.get(name) ?? []), await roundTrips(name)]);
  }
  for (const [name, all] of seen) {
    for (const place of new Set(all.map((each) => each.place))) {
      if (place === 'mixed') continue;
      const here = all.filter((each) => each.place === place);
      const middle = (key: 'p50' | 'p99'): string =>
        at(
          here.map((each) => each[key]).sort((a, b) => a - b),
          0.5,
        ).toFixed(1);
      say(
        `  ${WAYS[name]!.title.padEnd(58)} ${place.padEnd(7)} p50 ${middle('p50').padStart(6)}  p99 ${middle('p99').padStart(6)}  (${here.length})`,
      );
    }
  }
}

// ---- many descriptors at once -----------------------------------------------------------------

const BURST = 500;

async function burstOnce(name: string): Promise<void> {
  setInterval(() => {}, 1 << 30);
  const fds = Array.from({ length: BURST }, eventfd);
  let told = 0;
  let done = (): void => {};
  for (const fd of fds) WAYS[name]!.way(fd, () => ++told % BURST === 0 && done());
  const times: number[] = [];
  for (let round = 0; round < 100; round++) {
    await new Promise<void>((resolve) => {
      done = resolve;
      setImmediate(() => {
        for (const fd of fds) native().eventfdRing(fd);
        times.push(-performance.now());
      });
    });
    times.push(times.pop()! + performance.now());
  }
  times.sort((a, b) => a - b);
  say(`  ${WAYS[name]!.title.padEnd(58)} ${((at(times, 0.5) * 1000) / BURST).toFixed(2)} us for each`);
}

// ---- what waiting costs -----------------------------------------------------------------------

const threads = (): number => readdirSync('/proc/self/task').length;
const residentKiB = (): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

function words(count: number): NativeMapping {
  const mapping = native().mmap(-1, 0, count * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0);
  if (typeof mapping === 'number') throw new Error(`mmap: ${mapping}`);
  return mapping;
}

async function cost(kind: string, count: number): Promise<void> {
  const mapping = words(count);
  const begin: Record<string, (index: number) => unknown> = {
    descriptor: () => new Bell(eventfd(), 'the bell').take(),
    blocked: (index) =>
      callBlocking((token) => native().blockingFutexWait(token, mapping, index * 4, 0), undefined, {
        syscall: 'futex',
      }),
  };
  begin[kind]!(0);
  const [threadsBefore, memoryBefore] = [threads(), residentKiB()];
  for (let index = 1; index <= count - 1; index++) begin[kind]!(index);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = process.cpuUsage();
  const [threadsMore, memoryMore] = [threads() - threadsBefore, residentKiB() - memoryBefore];
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const used = process.cpuUsage(before);
  const each = (total: number): string => (total / (count - 1)).toFixed(2);
  say(
    `  ${count} waits, ${kind.padEnd(10)} ${each(threadsMore)} threads and ${each(memoryMore)} KiB for each; idle for 2 s: ${((used.user + used.system) / 1000).toFixed(1)} ms of processor time`,
  );
  process.exit();
}

function slices(): void {
  const bell = new Bell(eventfd(), 'the bell');
  const before = process.cpuUsage();
  try {
    whenPossibleSync(bell, POLLIN, () => undefined, { timeoutMs: 2000 }, { syscall: 'read' });
  } catch {
    const used = process.cpuUsage(before);
    say(
      `  a blocking wait of 2 s, in slices of 50 ms: ${((used.user + used.system) / 1000).toFixed(2)} ms of processor time`,
    );
  }
}

// ---- the signal that is lost ------------------------------------------------------------------

async function lost(rounds: number): Promise<void> {
  const mapping = words(1);
  keepAlive();
  let late = 0;
  let signals = 0;
  for (let round = 0; round < rounds; round++) {
    let ended = (): void => {};
    const over = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const token = registerCall(ended);
    native().blockingFutexWait(token, mapping, 0, 0);
    const aim = performance.now() + Math.random() * 0.02;
    while (performance.now() < aim);
    if (native().cancelBlocking(token) === 1) signals++;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, 50, 'late');
    });
    if ((await Promise.race([over, patience])) === 'late') {
      late++;
      while (native().cancelBlocking(token) === 1) await new Promise((resolve) => setTimeout(resolve, 1));
      await over;
    }
    clearTimeout(timer);
    unregisterCall(token);
  }
  say(`  ${late} of ${signals} calls were still blocked 50 ms after one signal, aimed at the entry of the system call`);
}

// ---- all of it --------------------------------------------------------------------------------

const [what = 'all', name = '', role = ''] = process.argv.slice(2);
const parts = ['latency', 'burst', 'cost', 'lost'];

/** A part in a process of its own. */
function alone(...args: string[]): void {
  spawnSync(process.execPath, [SELF, ...args], { stdio: 'inherit' });
}

async function main(): Promise<void> {
  buildC();
  buildPrototype();
  const wanted = what === 'all' ? parts : process.argv.slice(2);
  if (wanted.includes('latency')) await latency();
  if (wanted.includes('burst')) {
    say(`${BURST} descriptors rung at once, in one process, until JavaScript has taken all`);
    for (const each of ['wait', 'edges', 'each']) alone('do-burst', each);
  }
  if (wanted.includes('cost')) {
    say('What waiting costs');
    alone('do-cost', 'descriptor', '1000');
    alone('do-cost', 'blocked', '200');
    alone('do-slices');
  }
  if (wanted.includes('lost')) {
    say('One signal to interrupt a call');
    alone('do-lost', '100000');
  }
}

if (what === 'play') playRound(name, role === 'first');
else if (what === 'do-burst') await burstOnce(name).then(() => process.exit());
else if (what === 'do-cost') await cost(name, Number(role));
else if (what === 'do-slices') slices();
else if (what === 'do-lost') await lost(Number(name)).then(() => process.exit());
else await main();
