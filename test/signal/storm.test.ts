import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import * as signal from '../../src/signal/index.js';
import { limitPendingSignals } from '../support/limits.js';
import { startFixture } from '../support/program.js';

const COUNT = 100_000;
const FIRST = signal.toNumber('SIGRTMIN+6');

/** Receives what a sender of its own queues, and checks each: value, sender, order. Answers how often the sender was refused. */
async function receiveAll(
  t: TestContext,
  count: number,
  take: (signals: signal.SignalReceiver) => Promise<signal.SignalEvent>,
): Promise<number> {
  using signals = signal.open(FIRST);
  const sender = startFixture(t, 'signal-sender', [String(process.pid), String(FIRST), String(count)]);
  const uid = process.getuid?.();
  for (let value = 0; value < count; value++) {
    const got = await take(signals);
    if (
      got.value !== value ||
      got.pid !== sender.pid ||
      got.uid !== uid ||
      got.number !== FIRST ||
      got.code !== 'SI_QUEUE'
    ) {
      assert.fail(
        `instead of the value ${value} of ${sender.pid}: ${JSON.stringify(got, (_, one) => (typeof one === 'bigint' ? String(one) : one))}`,
      );
    }
  }
  assert.equal(signals.tryReceive(), undefined);
  const refused = Number(await sender.line());
  assert.equal((await sender.ended).code, 0, sender.errors());
  return refused;
}

test('100,000 signals with values from another process all arrive, in order, also at the limit of pending signals', async (t) => {
  limitPendingSignals(process.pid, 2000);
  const refused = await receiveAll(t, COUNT, (signals) => signals.receive());
  t.diagnostic(`the sender was told ${refused} times to try again`);
});

test('the same while a timer’s signal interrupts everything a thousand times a second', async (t) => {
  let interrupted = 0;
  let overruns = 0;
  using _handler = signal.handle('SIGALRM', (event) => {
    interrupted++;
    overruns += event.overruns;
  });
  using _timer = signal.timer('SIGALRM', { everyMs: 1 });
  const began = performance.now();
  const refused = await receiveAll(t, COUNT, (signals) => signals.receive());
  const lasted = performance.now() - began;
  assert.ok(interrupted > 0);
  t.diagnostic(
    `${lasted.toFixed(0)} ms, ${interrupted} times interrupted, besides ${overruns} times while that waited; the sender was told ${refused} times to try again`,
  );
});

test('the same while a worker is busy and this thread takes them only now and then, so that the sender must try again', async (t) => {
  limitPendingSignals(process.pid, 500);
  const worker = new Worker('for (;;);', { eval: true });
  t.after(() => worker.terminate());
  await once(worker, 'online');
  const pauses = new Int32Array(new SharedArrayBuffer(4));
  let taken = 0;
  const refused = await receiveAll(t, COUNT / 5, (signals) => {
    if (taken++ % 4000 === 0) Atomics.wait(pauses, 0, 0, 50);
    return signals.receive();
  });
  assert.ok(refused > 0, 'the sender never found the queue full');
});

test('the same in a worker that receives synchronously', async (t) => {
  const worker = new Worker(new URL('../fixtures/signal-sync.js', import.meta.url), {
    workerData: { sig: FIRST, count: COUNT / 5 },
  });
  t.after(() => worker.terminate());
  await once(worker, 'message');
  const told = once(worker, 'message');
  const sender = startFixture(t, 'signal-sender', [String(process.pid), String(FIRST), String(COUNT / 5)]);
  assert.deepEqual(await told, ['in order']);
  await sender.ended;
});

test('signals sent from four processes at once all arrive, those of each in their order', async (t) => {
  using signals = signal.open(FIRST);
  const senders = Array.from({ length: 4 }, () =>
    startFixture(t, 'signal-sender', [String(process.pid), String(FIRST), '2000']),
  );
  const next = new Map(senders.map(({ pid }) => [pid, 0]));
  for (let count = 0; count < 4 * 2000; count++) {
    const { pid, value } = await signals.receive();
    assert.equal(value, next.get(pid));
    next.set(pid, value + 1);
  }
  assert.ok([...next.values()].every((count) => count === 2000));
});

test('two hundred children that end meanwhile are all seen by child_process', async (t) => {
  const children = Array.from({ length: 200 }, () => once(spawn('true'), 'close'));
  const sent = receiveAll(t, COUNT / 5, (signals) => signals.receive());
  for (const child of children) assert.deepEqual(await child, [0, null]);
  await sent;
});
