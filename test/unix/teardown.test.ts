import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { stream } from '../../src/unix/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { startFixture } from '../support/program.js';
import { socketPath } from './support.js';

const KINDS = [
  'unix.accept',
  'unix.acceptSync',
  'unix.connect',
  'unix.connectSync',
  'unix.connectWhenListening',
  'unix.receive',
  'unix.receiveSync',
  'unix.send',
  'unix.sendSync',
  'seqpacket.receive',
  'seqpacket.receiveManySync',
  'seqpacket.send',
  'seqpacket.sendSync',
  'datagram.sendTo',
  'datagram.sendToSync',
];

for (const kind of KINDS) {
  test(`a worker is terminated in the middle of ${kind}, and leaves no descriptor`, async () => {
    openPoller();
    const before = countDescriptors();
    const worker = new Worker(new URL('../fixtures/waits.js', import.meta.url), {
      workerData: { kind },
    });
    await once(worker, 'message');
    await worker.terminate();
    await until('the descriptors are back', () => countDescriptors() <= before);
  });

  test(`process.exit() in the middle of ${kind} exits`, async (t) => {
    const child = startFixture(t, 'waits', [kind, 'exit']);
    assert.deepEqual(await child.ended, { code: 7, signal: null }, child.errors());
  });
}

test('a terminated worker gives its path back', async (t) => {
  const path = socketPath(t);
  const worker = new Worker(new URL('../fixtures/unix-worker.js', import.meta.url), { workerData: { path } });
  await once(worker, 'message');
  assert.throws(() => stream.listen(path), { code: 'EADDRINUSE' });
  await worker.terminate();
  using listener = stream.listen(path);
  (await stream.connect(path)).close();
  listener.tryAccept()?.close();
});
