import { test } from 'node:test';
import { peer } from '../support/skips.js';
import { assertWaitsBearSignals, assertWaitsSleep } from '../support/waiting.js';

const WAITS = ['mq.receive', 'mq.receiveSync', 'mq.send', 'mq.sendSync'];

test('every wait for a queue sleeps', (t) => assertWaitsSleep(t, WAITS));

test('a hundred waits for messages take less than 1 % of a processor', (t) => assertWaitsSleep(t, ['mq.hundred']));

test('handled signals neither end nor stretch a wait for a queue', async (t) => {
  if (peer(t, 'perl')) await assertWaitsBearSignals(t, WAITS);
});
