/**
 * What docs/design/waiting.md says of waits for 1,000 System V queues at once: on threads, by the timer, and half and half.
 *
 *   npm run build && node dist/bench/waiting/queues.js
 *
 * Each way is measured in a process of its own, which sends to itself: threads and memory are those that the waits
 * added, processor time is that of two seconds without a message, and the latency is from the call that sends to the
 * promise.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { messageQueue } from '../../src/sysv/index.js';

const QUEUES = 1000;
const IDLE_MS = 2000;
const SAMPLES = 100;

const WAYS: Record<string, messageQueue.WaitingOptions> = {
  '1,000 threads': { threads: QUEUES },
  'as it is unless changed': {},
  'no thread, 100 ms': { threads: 0, intervalMs: 100 },
  'no thread, 20 ms': { threads: 0, intervalMs: 20 },
};

type Queue = messageQueue.MessageQueue;

const threads = (): number => readdirSync('/proc/self/task').length;

/** Kilobytes of /proc/self/status. */
function memory(field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

function at(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] as number;
}

/** How long a message takes to whoever waits for it. */
async function latencies(queues: readonly Queue[], waits: Promise<unknown>[]): Promise<number[]> {
  const samples: number[] = [];
  for (let round = 0; round < SAMPLES; round++) {
    await pause(1 + ((round * 37) % 210)); // at any moment between two looks of the timer
    const index = (round * 7919) % queues.length;
    const queue = queues[index] as Queue;
    const began = performance.now();
    queue.trySend(1, new Uint8Array(64));
    await waits[index];
    samples.push((performance.now() - began) * 1000);
    waits[index] = queue.receive();
  }
  return samples.sort((one, other) => one - other);
}

/** Microseconds that a look at all the queues takes, by trying each and by what /proc tells. */
function looks(queues: readonly Queue[]): { trying: number; reading: number } {
  const timed = (look: () => void): number => {
    const rounds = 50;
    for (let round = 0; round < rounds; round++) look();
    const began = performance.now();
    for (let round = 0; round < rounds; round++) look();
    return ((performance.now() - began) * 1000) / rounds;
  };
  return {
    trying: timed(() => {
      for (const queue of queues) queue.tryReceive({ type: 2 });
    }),
    reading: timed(() => {
      const lines = readFileSync('/proc/sysvipc/msg', 'utf8').split('\n');
      const counts = new Map<number, number>();
      for (const line of lines) {
        const [, id, , , messages] = line.trim().split(/\s+/);
        counts.set(Number(id), Number(messages));
      }
    }),
  };
}

async function measure(name: string): Promise<void> {
  messageQueue.configureWaiting(WAYS[name]);
  const queues = Array.from({ length: QUEUES }, () => messageQueue.create('private'));
  process.once('exit', () => {
    for (const queue of queues) queue.remove();
  });
  const before = { threads: threads(), resident: memory('VmRSS') };
  const waits: Promise<unknown>[] = queues.map((queue) => queue.receive());
  await pause(500);
  const more = { threads: threads() - before.threads, resident: memory('VmRSS') - before.resident };
  const used = process.cpuUsage();
  await pause(IDLE_MS);
  const { user, system } = process.cpuUsage(used);
  const samples = await latencies(queues, waits);
  const row = {
    threads: more.threads,
    residentKilobytes: more.resident,
    idlePercent: Number(((user + system) / 10 / IDLE_MS).toFixed(2)),
    p50Microseconds: Math.round(at(samples, 0.5)),
    p99Microseconds: Math.round(at(samples, 0.99)),
  };
  console.log(name.padEnd(26), JSON.stringify(row));
  if (WAYS[name]?.threads === 0) console.log('a look at all of them, µs'.padEnd(26), JSON.stringify(looks(queues)));
  process.exit(0);
}

const [wanted] = process.argv.slice(2);
if (wanted !== undefined) {
  await measure(wanted);
} else {
  for (const name of Object.keys(WAYS)) {
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), name], { stdio: 'inherit' });
  }
}
