import { test } from 'node:test';
import { assertNothingLeaks } from '../support/rounds.js';
import { peer } from '../support/skips.js';
import { assertWaitsBearSignals, assertWaitsSleep } from '../support/waiting.js';

const WAITS = ['eventfd.add', 'eventfd.addSync', 'eventfd.wait', 'eventfd.waitSync'];

test('every wait sleeps, also the one for room for more than 1, which poll(2) takes for ready', (t) =>
  assertWaitsSleep(t, WAITS));

test('handled signals neither end nor stretch a wait for a counter', async (t) => {
  if (peer(t, 'perl')) await assertWaitsBearSignals(t, WAITS);
});

test('100,000 times opened and closed leave no descriptor and no memory', (t) => assertNothingLeaks(t, 'eventfd'));
