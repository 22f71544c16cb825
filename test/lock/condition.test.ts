/** Conditions: whom a signal wakes, and that none is lost when the one whom it was for dies. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Condition, Mutex } from '../../src/lock/index.js';
import { TID_MASK } from '../../src/lock/layout.js';
import {
  AT,
  claimed,
  claims,
  type PeerProcess,
  peerProcess,
  peerThread,
  type Shared,
  sharedMemory,
  until,
} from '../support/lockPeer.js';
import { stateOf } from '../support/proc.js';
import { steadyClock } from '../support/standstill.js';

const waits = (claim: number): boolean => claim !== 0;

function newCondition(t: TestContext): { shared: Shared; mutex: Mutex; condition: Condition } {
  const shared = sharedMemory(t);
  const mutex = Mutex.create(shared.memory, 0);
  const condition = Condition.create(shared.memory, AT, { seats: 8 });
  t.after(() => {
    condition.close();
    mutex.close();
  });
  return { shared, mutex, condition };
}

test('a signal wakes the one who waits longest, a broadcast all, and nobody who comes later', async (t) => {
  const { shared, mutex, condition } = newCondition(t);
  condition.signal();
  condition.broadcast();
  const peers = [
    await peerProcess(t, shared, 'condition'),
    await peerProcess(t, shared, 'condition', { INTERPROC_NO_FUTEX_WAITV: '1' }),
    await peerThread(t, shared, 'condition'),
  ];
  const order: number[] = [];
  const begin = async (): Promise<Promise<void>[]> => {
    const all: Promise<void>[] = [];
    for (const [index, peer] of peers.entries()) {
      all.push(
        peer.ask(index === 1 ? 'awaitSync' : 'await').then((answer) => {
          assert.deepEqual(answer, { value: null });
          order.push(index);
        }),
      );
      await claimed(shared, waits, index + 1);
    }
    return all;
  };
  const first = await begin();
  for (const one of first) {
    condition.signal();
    await one;
  }
  assert.deepEqual(order, [0, 1, 2]);
  const second = await begin();
  condition.broadcast();
  await Promise.all(second);
  assert.ok(claims(shared).every((claim) => claim === 0));
  using guard = mutex.lockSync();
  await assert.rejects(condition.wait(guard, { timeoutMs: 30 }), { code: 'ETIMEDOUT' });
  assert.equal(guard.released, false);
});

test('several waits of one thread each take one signal, and an abort or bad option takes none away', async (t) => {
  const { shared, mutex, condition } = newCondition(t);
  let over = 0;
  const wait = async (options?: { signal: AbortSignal }): Promise<void> => {
    using guard = await mutex.lock();
    await condition.wait(guard, options);
    assert.equal(guard.released, false);
    over++;
  };
  const controller = new AbortController();
  const all = [wait(), wait()];
  const aborted = assert.rejects(wait({ signal: controller.signal }), { name: 'AbortError' });
  await claimed(shared, (claim) => claim === 3);
  controller.abort();
  await aborted;
  assert.equal(claims(shared)[0], 2, 'the one who has gone waits no longer');
  {
    using guard = await mutex.lock();
    assert.throws(() => condition.waitSync(guard), { code: 'EDEADLK' });
    await assert.rejects(condition.wait(guard, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    await assert.rejects(condition.wait(guard, { timeoutMs: -1 }), { code: 'ERR_INTERPROC_RANGE' });
    await assert.rejects(condition.wait(guard, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
    assert.equal(guard.released, false);
    assert.equal(claims(shared)[0], 2);
  }
  condition.signal();
  await Promise.race(all);
  assert.equal(over, 1);
  condition.signal();
  await Promise.all(all);
  const guard = mutex.lockSync();
  assert.throws(() => condition.waitSync(guard, { timeoutMs: 10 }), { code: 'ETIMEDOUT' });
  guard.release();
  await assert.rejects(condition.wait(guard), { code: 'EPERM' });
  assert.throws(() => condition.waitSync(guard), { code: 'EPERM' });
  using twice = Mutex.create(shared.memory, 8192, { kind: 'recursive' });
  using one = twice.lockSync();
  using _two = twice.tryLock();
  await assert.rejects(condition.wait(one), { code: 'EPERM' });
  assert.ok(claims(shared).every((claim) => claim === 0));
});

test('what two processes produce two others and a thread take, and nothing is lost', async (t) => {
  const { shared } = newCondition(t);
  const [one, two, three] = (await Promise.all([1, 2, 3].map(() => peerProcess(t, shared, 'condition')))) as [
    PeerProcess,
    PeerProcess,
    PeerProcess,
  ];
  const thread = await peerThread(t, shared, 'condition');
  const takers = [one.ask('take', 500), thread.ask('take', 500)];
  const makers = [two.ask('put', 500), three.ask('put', 500)];
  for (const answer of [...makers, ...takers]) assert.equal((await answer).code, undefined);
  assert.equal(shared.memory.int32[256], 0);
});

for (const env of [{}, { INTERPROC_NO_FUTEX_WAITV: '1' }]) {
  const how = 'INTERPROC_NO_FUTEX_WAITV' in env ? ', without futex_waitv(2)' : '';

  test(`a signal whose taker is killed before he knows wakes another one within a second${how}`, async (t) => {
    const clock = await steadyClock(t);
    const { shared, condition } = newCondition(t);
    const [first, second] = (await Promise.all([1, 2].map(() => peerProcess(t, shared, 'condition', env)))) as [
      PeerProcess,
      PeerProcess,
    ];
    void first.ask('awaitSync');
    await claimed(shared, waits);
    const wait = second.ask('await');
    await claimed(shared, waits, 2);
    first.program.process.kill('SIGSTOP');
    await until(() => stateOf(first.program.pid) === 'T');
    condition.signal();
    let over = false;
    void wait.then(() => {
      over = true;
    });
    assert.equal(over, false);
    const killed = clock();
    await first.end();
    assert.deepEqual(await wait, { value: null });
    assert.ok(clock() - killed < 1000);
    assert.ok(claims(shared).every((claim) => claim === 0));
  });
}

for (const [where, stands] of [
  ['', false],
  [', though somebody stands still behind the door', true],
] as const)
  test(`signals for one whose handle is closed go to others${where}`, async (t) => {
    const { shared, mutex, condition } = newCondition(t);
    const closing = Condition.open(shared.memory, AT);
    const guard = await mutex.lock();
    const wait = closing.wait(guard);
    const ended = assert.rejects(wait, { code: 'ERR_INTERPROC_CLOSED' });
    await until(() => guard.released);
    const other = await peerProcess(t, shared, 'condition');
    const theirs = other.ask('await');
    await claimed(shared, waits, 2);
    const still = await peerProcess(t, shared, 'condition');
    condition.signal();
    if (stands) {
      void still.ask('door');
      // Without a turn of this event loop, in which the signal would end the wait.
      const asleep = new Int32Array(new SharedArrayBuffer(4));
      while ((shared.memory.int32[AT / 4]! & TID_MASK) !== still.program.pid) Atomics.wait(asleep, 0, 0, 1);
    }
    closing.close();
    await still.end();
    await ended;
    guard.release();
    assert.deepEqual(await theirs, { value: null });
  });
