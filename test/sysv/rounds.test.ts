import { test } from 'node:test';
import { assertNothingLeaks } from '../support/rounds.js';

test('100,000 times found and let go leave no descriptor and no memory', (t) => assertNothingLeaks(t, 'sysv.open'));

test('10,000 failed findings leave no descriptor and no memory', (t) =>
  assertNothingLeaks(t, 'sysv.open fails', 10_000));

test('100,000 queues made and removed leave no descriptor and no memory', (t) => assertNothingLeaks(t, 'sysv.create'));

test('20,000 waits for a message and for room leave no descriptor and no memory', async (t) => {
  await assertNothingLeaks(t, 'sysv.receive waits', 20_000);
  await assertNothingLeaks(t, 'sysv.send waits', 20_000);
});
