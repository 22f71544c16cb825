import { test } from 'node:test';
import { peer } from '../support/skips.js';
import { assertWaitsBearSignals, assertWaitsSleep } from '../support/waiting.js';

const WAITS = ['sysv.receive', 'sysv.receiveSync', 'sysv.send', 'sysv.sendSync'];

test('every wait for a queue sleeps', (t) => assertWaitsSleep(t, WAITS));

test('100 waits sleep on their threads, and 100 without a thread take less than 1 % of a processor', (t) =>
  assertWaitsSleep(t, ['sysv.hundred', 'sysv.watched']));

test('handled signals neither end nor stretch a wait for a queue', async (t) => {
  if (peer(t, 'perl')) await assertWaitsBearSignals(t, WAITS);
});
