import { test } from 'node:test';
import { assertNothingLeaks } from '../support/rounds.js';

test('100,000 times bound and closed, or made as a pair with a descriptor on its way, leave no descriptor and no memory', async (t) => {
  await assertNothingLeaks(t, 'unix.datagram.bind');
  await assertNothingLeaks(t, 'unix.seqpacket');
});

test('10,000 sockets at a path, 10,000 that fail, and 10,000 waits for room leave no descriptor and no memory', async (t) => {
  await assertNothingLeaks(t, 'unix.datagram.bind at a path', 10_000);
  await assertNothingLeaks(t, 'unix.datagram.bind fails', 10_000);
  await assertNothingLeaks(t, 'unix.datagram, waiting for room', 10_000);
});
