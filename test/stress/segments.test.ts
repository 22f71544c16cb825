/** Workers and processes that end while they use a segment, many times. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { until } from '../support/proc.js';
import { killed, startFixture } from '../support/program.js';
import { newSegment, timesAttached } from '../sysv/segments.js';

test('200 workers that are terminated while they work in a segment leave nothing attached, and crash nothing', async (t) => {
  const segment = newSegment(t, { size: 65536 });
  const file = new URL('../fixtures/segment-worker.js', import.meta.url);
  for (let round = 0; round < 50; round++) {
    const workers = Array.from(
      { length: 4 },
      (_, index) => new Worker(file, { workerData: { id: segment.id, busy: index % 2 === 1 } }),
    );
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  await until('all have detached', () => segment.stat().attached === 0);
  assert.equal(timesAttached(segment), 0);
});

test('100 processes that are killed while they count in a segment leave nothing attached, and the last takes it along', async (t) => {
  const segment = newSegment(t);
  for (let round = 0; round < 50; round++) {
    const users = [1, 2].map(() => startFixture(t, 'segment-user', ['hold', String(segment.key)]));
    for (const user of users) await user.line();
    if (round === 49) segment.remove();
    await Promise.all(users.map((user) => killed(user)));
    if (round < 49) assert.equal(segment.stat().attached, 0);
  }
  assert.throws(() => segment.stat(), { code: 'EIDRM' });
});
