import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { children } from '../../src/proc/index.js';
import { countDescriptors } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { startFixture } from '../support/program.js';

const WAITS = new URL('../fixtures/waits.js', import.meta.url);
const KINDS = [
  'pipe.read',
  'pipe.readSync',
  'pipe.write',
  'pipe.writeSync',
  'pipe.splice',
  'pipe.spliceSync',
  'pipe.pipeline',
];

for (const kind of KINDS) {
  test(`a worker is terminated in the middle of ${kind}, and leaves no descriptor`, async () => {
    const before = countDescriptors();
    const worker = new Worker(WAITS, { workerData: { kind } });
    await once(worker, 'message');
    await worker.terminate();
    await until('the descriptors are back', () => countDescriptors() <= before);
    await until('no child and no zombie is left', () => children().length === 0);
  });

  test(`process.exit() in the middle of ${kind} exits`, async (t) => {
    const child = startFixture(t, 'waits', [kind, 'exit']);
    assert.deepEqual(await child.ended, { code: 7, signal: null }, child.errors());
  });
}

test('a pending wait keeps the process alive, an idle or unref’d handle does not', async (t) => {
  for (const kind of ['pipe.idle', 'pipe.unref']) {
    const child = startFixture(t, 'waits', [kind, 'stay']);
    assert.deepEqual(await child.ended, { code: 0, signal: null }, kind);
  }
  const child = startFixture(t, 'waits', ['pipe.read', 'stay']);
  assert.equal(await child.line(), 'waiting');
  child.process.kill('SIGTERM');
  assert.equal((await child.ended).signal, 'SIGTERM');
});
