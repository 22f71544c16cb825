/** Latches: counted down once, by whoever, waited for by any number. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Latch } from '../../src/lock/index.js';
import { AT, claimed, claims, peerProcess, peerThread, sharedMemory } from '../support/lockPeer.js';

test('all who wait go on when the count is zero, in every form, and those who come later do not wait', async (t) => {
  const shared = sharedMemory(t);
  using latch = Latch.create(shared.memory, AT, { count: 3, seats: 8 });
  const peers = [
    await peerProcess(t, shared, 'latch'),
    await peerProcess(t, shared, 'latch', { INTERPROC_NO_FUTEX_WAITV: '1' }),
    await peerThread(t, shared, 'latch'),
  ];
  const waits = peers.map((peer, index) => peer.call(index === 0 ? 'waitSync' : 'wait'));
  const mine = [latch.wait(), latch.wait()];
  assert.throws(() => latch.waitSync(), { code: 'EDEADLK' });
  await assert.rejects(latch.wait({ timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  await claimed(shared, (claim) => claim === 1, 4);
  assert.throws(() => latch.countDown(4), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => latch.countDown(0), { code: 'ERR_INTERPROC_RANGE' });
  assert.deepEqual([latch.count, latch.countDown(2), latch.count, latch.countDown()], [3, 1, 1, 0]);
  await Promise.all(mine);
  for (const wait of waits) assert.deepEqual(await wait, { value: null });
  await latch.wait();
  await latch.wait({ timeoutMs: 0 });
  latch.waitSync();
  latch.waitSync({ timeoutMs: 0 });
  assert.throws(() => latch.countDown(), { code: 'ERR_INTERPROC_RANGE' });
  assert.ok(claims(shared).every((claim) => claim === 0));
});

test('what a dead one would have counted stays, and a dead one that waits is forgotten', async (t) => {
  const shared = sharedMemory(t);
  using latch = Latch.create(shared.memory, AT, { count: 2, seats: 1 });
  const waiter = await peerProcess(t, shared, 'latch');
  void waiter.call('wait');
  await claimed(shared, (claim) => claim === 1);
  const counter = await peerProcess(t, shared, 'latch');
  assert.equal((await counter.call('countDown')).value, 1, 'who counts needs no seat');
  await assert.rejects(latch.wait(), { code: 'EAGAIN' });
  await Promise.all([waiter.end(), counter.end()]);
  await assert.rejects(latch.wait({ timeoutMs: 50 }), { code: 'ETIMEDOUT' });
  assert.equal(latch.countDown(), 0);
  await latch.wait();
});

test('an abort ends one wait and not those beside it, a thousand times', async (t) => {
  const shared = sharedMemory(t);
  using latch = Latch.create(shared.memory, AT, { count: 1000 });
  const last = latch.wait();
  for (let round = 0; round < 1000; round++) {
    const controller = new AbortController();
    const wait = latch.wait({ signal: controller.signal }).catch((why: Error) => why.name);
    controller.abort();
    assert.equal(await wait, 'AbortError');
    latch.countDown();
  }
  await last;
});
