/** What becomes of waits for queues when their worker or process ends, and of the messages that come then. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { messageQueue } from '../../src/sysv/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { startFixture } from '../support/program.js';
import { bytes, fullQueue, newQueue, text } from './support.js';

const KINDS = ['receive', 'receiveSync', 'receiveSyncFor', 'send', 'sendSync', 'watched'];
const WAITS = new URL('../fixtures/sysv-waits.js', import.meta.url);

async function waiter(kind: string, { id }: messageQueue.MessageQueue): Promise<Worker> {
  const worker = new Worker(WAITS, { workerData: { kind, id } });
  await once(worker, 'message');
  return worker;
}

for (const kind of KINDS) {
  test(`a worker is terminated in the middle of ${kind}, and neither takes nor puts a message any more`, async (t) => {
    openPoller();
    const queue = kind.startsWith('send') ? fullQueue(t) : newQueue(t);
    const { messages } = queue.stat();
    const before = countDescriptors();
    await (await waiter(kind, queue)).terminate();
    await until('the descriptors are back', () => countDescriptors() <= before);
    if (kind.startsWith('send')) {
      while (queue.tryReceive() !== undefined);
      assert.equal(queue.stat().messages, 0);
    } else {
      assert.equal(queue.trySend(1, bytes('kept')), true);
      assert.equal(text(queue.tryReceive()?.data), 'kept');
      assert.equal(messages, 0);
    }
  });

  test(`process.exit() in the middle of ${kind} exits`, async (t) => {
    const queue = kind.startsWith('send') ? fullQueue(t) : newQueue(t);
    const child = startFixture(t, 'sysv-waits', [kind, String(queue.id), 'exit']);
    assert.deepEqual(await child.ended, { code: 7, signal: null }, child.errors());
  });
}

test('a message that came while its worker was busy is there when the worker has been terminated, be it an empty one', async (t) => {
  for (const type of [1, 2n ** 53n + 1n]) {
    for (const size of [0, 8]) {
      const queue = newQueue(t);
      const worker = await waiter('receiveBusy', queue);
      queue.trySend(type, new Uint8Array(size));
      // An empty one is taken by the thread that waits; no other can be (native/sysv.c).
      await until('the thread has seen it', () => size > 0 || queue.stat().messages === 0);
      await worker.terminate();
      assert.deepEqual(queue.tryReceive(), { type, data: new Uint8Array(size) });
      assert.equal(queue.tryReceive(), undefined);
    }
  }
});

test('a pending wait keeps the process alive, an idle or unref’d handle does not', async (t) => {
  const { id } = newQueue(t);
  for (const kind of ['idle', 'unref']) {
    const child = startFixture(t, 'sysv-waits', [kind, String(id), 'stay']);
    assert.deepEqual(await child.ended, { code: 0, signal: null }, kind);
  }
  for (const kind of ['receive', 'watched']) {
    const child = startFixture(t, 'sysv-waits', [kind, String(id), 'stay']);
    assert.equal(await child.line(), 'waiting');
    child.process.kill('SIGTERM');
    assert.equal((await child.ended).signal, 'SIGTERM', kind);
  }
});
