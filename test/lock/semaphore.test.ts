/** Semaphores whose permits come back when those who have them die. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Guard, Semaphore } from '../../src/lock/index.js';
import {
  AT,
  claimed,
  claims,
  type Had,
  type PeerProcess,
  peerProcess,
  peerThread,
  type Shared,
  sharedMemory,
} from '../support/lockPeer.js';
import { steadyClock } from '../support/standstill.js';

const wants = (claim: number): boolean => ((claim >> 15) & 0x7fff) !== 0;

function newSemaphore(t: TestContext, permits: number): { shared: Shared; semaphore: Semaphore } {
  const shared = sharedMemory(t);
  const semaphore = Semaphore.create(shared.memory, AT, { permits, seats: 16 });
  t.after(() => semaphore.close());
  return { shared, semaphore };
}

test('there are as many permits as it was made with, taken at once or not at all, in every form', async (t) => {
  const { shared, semaphore } = newSemaphore(t, 5);
  const other = await peerProcess(t, shared, 'semaphore');
  for (const form of ['acquire', 'acquireSync', 'tryAcquire']) {
    assert.equal((await other.call(form, { permits: 3 })).code, undefined);
    assert.deepEqual([semaphore.permits, semaphore.free, semaphore.held], [5, 2, false]);
    assert.equal(semaphore.tryAcquire({ permits: 3 }), undefined);
    await assert.rejects(semaphore.acquire({ permits: 3, timeoutMs: 20 }), { code: 'ETIMEDOUT' });
    assert.throws(() => semaphore.acquireSync({ permits: 3, timeoutMs: 20 }), { code: 'ETIMEDOUT' });
    const two = [semaphore.acquireSync(), await semaphore.acquire()];
    assert.equal(semaphore.free, 0);
    assert.throws(() => semaphore.acquireSync({ permits: 4 }), { code: 'EDEADLK' });
    for (const one of two) one.release();
    await other.ask('release');
    assert.equal(semaphore.free, 5);
  }
  assert.throws(() => semaphore.tryAcquire({ permits: 6 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => semaphore.tryAcquire({ permits: 0 }), { code: 'ERR_INTERPROC_RANGE' });
  await assert.rejects(semaphore.acquire({ permits: 6 }), { code: 'ERR_INTERPROC_RANGE' });
  const guard = semaphore.tryAcquire();
  assert.throws(() => guard?.markConsistent(), { code: 'EINVAL' });
  guard?.release();
  for (const permits of [0, 32768, 1.5]) {
    assert.throws(() => Semaphore.create(shared.memory, 8192, { permits }), { code: 'ERR_INTERPROC_RANGE' });
  }
});

test('who wants many is not overtaken for ever by those who want one', async (t) => {
  const { shared, semaphore } = newSemaphore(t, 4);
  const others = [await peerProcess(t, shared, 'semaphore'), await peerThread(t, shared, 'semaphore')];
  const rounds = others.map((other) => other.ask('increments', 'acquire', 2000, { permits: 2 }));
  const clock = await steadyClock(t);
  for (let round = 0; round < 50; round++) {
    const begin = clock();
    (await semaphore.acquire({ permits: 4, timeoutMs: 20_000 })).release();
    assert.ok(clock() - begin < 2000);
  }
  for (const one of rounds) assert.equal((await one).code, undefined);
  assert.equal(semaphore.free, 4);
});

for (const env of [{}, { INTERPROC_NO_FUTEX_WAITV: '1' }]) {
  const how = 'INTERPROC_NO_FUTEX_WAITV' in env ? ', without futex_waitv(2)' : '';

  test(`what the dead have had comes back within a second, told once, and what they wanted is forgotten${how}`, async (t) => {
    const { shared, semaphore } = newSemaphore(t, 3);
    const [holder, wanter, last] = (await Promise.all(
      [1, 2, 3].map(() => peerProcess(t, shared, 'semaphore', env)),
    )) as [PeerProcess, PeerProcess, PeerProcess];
    await holder.call('tryAcquire', { permits: 2 });
    void wanter.call('acquireSync', { permits: 3 });
    await claimed(shared, wants);
    const wait = last.call('acquire', { permits: 2 });
    await claimed(shared, wants, 2);
    await wanter.end();
    const clock = await steadyClock(t);
    const killed = clock();
    await holder.end();
    const { previousOwners } = (await wait).value as Had;
    assert.ok(clock() - killed < 1000);
    assert.deepEqual(previousOwners, [{ pid: holder.program.pid, tid: holder.program.pid }]);
    assert.equal(semaphore.free, 1);
    const mine = semaphore.tryAcquire();
    assert.deepEqual(mine?.previousOwners, []);
    mine?.release();
  });
}

test('permits of a thread that ends and of a process that exits come back', async (t) => {
  const { shared, semaphore } = newSemaphore(t, 2);
  const thread = await peerThread(t, shared, 'semaphore');
  const other = await peerProcess(t, shared, 'semaphore');
  await thread.call('tryAcquire');
  await other.call('tryAcquire');
  const wait = semaphore.acquire({ permits: 2, timeoutMs: 5000 });
  await thread.worker.terminate();
  void other.ask('exit', 0);
  const guard = await wait;
  assert.deepEqual(guard.previousOwners.map(({ pid }) => pid).sort(), [process.pid, other.program.pid].sort());
  guard.release();
});

test('an abort at the moment of the grant leaves as many permits as there are, ten thousand times', async (t) => {
  const { shared, semaphore } = newSemaphore(t, 3);
  using other = Semaphore.open(shared.memory, AT);
  for (let round = 0; round < 10_000; round++) {
    const held = other.acquireSync({ permits: 2 });
    const controller = new AbortController();
    const permits = 2 + (round % 2);
    const release = (guard: Guard): void => guard.release();
    const waits = [
      semaphore.acquire({ permits, signal: controller.signal }).then(release, () => {}),
      semaphore.acquire().then(release),
    ];
    if (round % 4 < 2) held.release();
    controller.abort();
    held.release();
    await Promise.all(waits);
  }
  assert.equal(semaphore.free, 3);
  assert.ok(claims(shared).every((claim) => claim === 0));
});
