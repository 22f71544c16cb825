/** Barriers: all have come, or everybody who has learns that one has died. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Barrier } from '../../src/lock/index.js';
import {
  AT,
  claimed,
  claims,
  type PeerProcess,
  peerProcess,
  peerThread,
  type Shared,
  sharedMemory,
} from '../support/lockPeer.js';
import { steadyClock } from '../support/standstill.js';

const arrived = (claim: number): boolean => (claim & 0x3ff) !== 0;

function newBarrier(t: TestContext, parties: number): { shared: Shared; barrier: Barrier } {
  const shared = sharedMemory(t);
  const barrier = Barrier.create(shared.memory, AT, { parties, seats: 16 });
  t.after(() => barrier.close());
  return { shared, barrier };
}

test('processes and threads go through a thousand rounds together, and one is the last in each', async (t) => {
  const rounds = 1000;
  const { shared, barrier } = newBarrier(t, 4);
  const peers = [await peerProcess(t, shared, 'barrier'), await peerProcess(t, shared, 'barrier')];
  const answers = peers.map((peer, index) => peer.ask('rounds', index === 0 ? 'wait' : 'waitSync', rounds));
  const thread = (await peerThread(t, shared, 'barrier')).ask('rounds', 'wait', rounds);
  let last = 0;
  for (let round = 0; round < rounds; round++) if (await barrier.wait({ timeoutMs: 20_000 })) last++;
  const all = await Promise.all([...answers, thread]);
  for (const { value } of all) last += value as number;
  assert.equal(last, rounds, JSON.stringify(all));
  assert.equal(barrier.parties, 4);
});

test('several waits of one thread count one by one, and the last of them knows', async (t) => {
  const { barrier } = newBarrier(t, 3);
  const waits = [barrier.wait(), barrier.wait()];
  assert.throws(() => barrier.waitSync(), { code: 'EDEADLK' });
  await assert.rejects(barrier.wait({ timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  waits.push(barrier.wait());
  assert.deepEqual(await Promise.all(waits), [false, false, true]);
  const alone = Barrier.create(sharedMemory(t).memory, AT, { parties: 1 });
  assert.deepEqual([alone.waitSync(), await alone.wait(), await alone.wait({ timeoutMs: 0 })], [true, true, true]);
  alone.close();
  for (const parties of [0, 1024, 1.5]) {
    assert.throws(() => Barrier.create(sharedMemory(t).memory, AT, { parties }), { code: 'ERR_INTERPROC_RANGE' });
  }
});

for (const env of [{}, { INTERPROC_NO_FUTEX_WAITV: '1' }]) {
  const how = 'INTERPROC_NO_FUTEX_WAITV' in env ? ', without futex_waitv(2)' : '';

  for (const end of ['is killed', 'exits'] as const) {
    test(`when one who took part ${end}, all who have come learn of it, and the next round works${how}`, async (t) => {
      const { shared, barrier } = newBarrier(t, 3);
      const [one, dying] = (await Promise.all([1, 2].map(() => peerProcess(t, shared, 'barrier', env)))) as [
        PeerProcess,
        PeerProcess,
      ];
      const first = [one.call('waitSync'), dying.call('wait'), barrier.wait()];
      await Promise.all(first);
      const waits = [one.call('wait'), barrier.wait()];
      const mine = assert.rejects(waits[1] as Promise<boolean>, { code: 'EOWNERDEAD' });
      await claimed(shared, arrived, 2);
      const clock = await steadyClock(t);
      const before = clock();
      if (end === 'exits') void dying.ask('exit', 0);
      else await dying.end();
      await mine;
      assert.equal(((await waits[0]) as { code?: string }).code, 'EOWNERDEAD');
      if (end === 'is killed') assert.ok(clock() - before < 1000);
      const newcomer = await peerProcess(t, shared, 'barrier', env);
      const next = await Promise.all([one.call('wait'), newcomer.call('waitSync'), barrier.wait()]);
      const last = next.map((answer) => (typeof answer === 'boolean' ? answer : answer.value));
      assert.deepEqual(last.sort(), [false, false, true]);
    });
  }
}

test('who dies while nobody has come breaks the round of the first who comes, and of nobody else', async (t) => {
  const { shared, barrier } = newBarrier(t, 2);
  const thread = await peerThread(t, shared, 'barrier');
  assert.deepEqual((await Promise.all([thread.call('wait'), barrier.wait()])).length, 2);
  await thread.worker.terminate();
  await assert.rejects(barrier.wait(), { code: 'EOWNERDEAD' });
  const other = await peerProcess(t, shared, 'barrier');
  const both = await Promise.all([barrier.wait(), other.call('wait')]);
  assert.notEqual(both[0], both[1].value);
  // Who closes takes no part any more.
  await other.call('close');
  await assert.rejects(barrier.wait({ timeoutMs: 50 }), { code: 'ETIMEDOUT' });
});

test('an abort takes the arrival back, two thousand times, and the others wait on', async (t) => {
  const { shared, barrier } = newBarrier(t, 2);
  using other = Barrier.open(shared.memory, AT);
  let passed = 0;
  for (let round = 0; round < 2000; round++) {
    const controller = new AbortController();
    const wait = barrier.wait({ signal: controller.signal }).catch(() => undefined);
    const second = round % 2 === 0 ? other.wait() : undefined;
    controller.abort();
    const result = await wait;
    if (second === undefined) assert.equal(result, undefined);
    else if (result === undefined) assert.deepEqual(await Promise.all([barrier.wait(), second]), [true, false]);
    else {
      passed++;
      assert.equal(await second, !result);
    }
  }
  assert.ok(passed > 0);
  assert.ok(claims(shared).every((claim) => claim === 0));
});
