/** Readers and writers: who has the lock, in which order, and what becomes of it when they die. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Guard, RwLock } from '../../src/lock/index.js';
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

const WANTS_READ = 1 << 24;
const WANTS_WRITE = 1 << 25;
const waits = (claim: number): boolean => (claim & (WANTS_READ | WANTS_WRITE)) !== 0;

function newLock(t: TestContext, seats = 16): { shared: Shared; lock: RwLock } {
  const shared = sharedMemory(t);
  const lock = RwLock.create(shared.memory, AT, { seats });
  t.after(() => lock.close());
  return { shared, lock };
}

const peers = (t: TestContext, shared: Shared, count: number, env?: NodeJS.ProcessEnv): Promise<PeerProcess[]> =>
  Promise.all(Array.from({ length: count }, () => peerProcess(t, shared, 'rwlock', env)));

test('readers are in it together, a writer alone, in every form', async (t) => {
  const { shared, lock } = newLock(t);
  const other = await peerProcess(t, shared, 'rwlock');
  for (const form of ['lock', 'lockSync', 'tryLock']) {
    const mine = lock.lockSync('read');
    assert.deepEqual((await other.call(form, 'read')).value, { ownerDied: false, previousOwners: [] }, form);
    assert.equal(lock.tryLock('write'), undefined);
    await assert.rejects(lock.lock('write', { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
    await assert.rejects(lock.lock('write', { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
    mine.release();
    assert.throws(() => lock.lockSync('write', { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
    await other.ask('release');
    assert.deepEqual((await other.call(form, 'write')).code, undefined);
    assert.equal(lock.tryLock('read'), undefined);
    assert.throws(() => lock.lockSync('read', { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
    await other.ask('release');
    lock.tryLock('write')?.release();
  }
  assert.ok(claims(shared).every((claim) => claim === 0));
});

test('who has it and would wait for himself is told of the deadlock', async (t) => {
  const { lock } = newLock(t);
  const reading = lock.lockSync('read');
  assert.throws(() => lock.lockSync('write'), { code: 'EDEADLK' });
  const writing = lock.lock('write');
  assert.throws(() => lock.lockSync('read'), { code: 'EDEADLK', message: /other parts of this thread wait/ });
  assert.equal(lock.tryLock('read'), undefined);
  reading.release();
  const guard = await writing;
  assert.throws(() => lock.lockSync('read'), { code: 'EDEADLK' });
  guard.release();
  // @ts-expect-error there is no such mode
  assert.throws(() => lock.tryLock('both'), { code: 'ERR_INTERPROC_ARGUMENT' });
});

test('counting in three processes and a thread, reading and writing, loses nothing', async (t) => {
  const { shared, lock } = newLock(t);
  const all = [...(await peers(t, shared, 2)), await peerThread(t, shared, 'rwlock')];
  const answers = all.map((peer, index) => peer.ask('increments', index === 0 ? 'lockSync' : 'lock', 1000, 'write'));
  for (let round = 0; round < 300; round++) {
    using _guard = await lock.lock('read');
    const before = shared.memory.int32[256];
    assert.equal(shared.memory.int32[256], before);
  }
  for (const answer of answers) assert.equal((await answer).code, undefined);
  assert.equal(shared.memory.int32[256], 3000);
});

/** For what is to be over long before. */
const LONG = { timeoutMs: 20_000 };

test('a writer gets in within a second while two processes read without a pause, and readers while they write', async (t) => {
  const clock = await steadyClock(t);
  const { shared, lock } = newLock(t);
  for (const [theirs, mine] of [
    ['read', 'write'],
    ['write', 'read'],
  ] as const) {
    const stream = await peers(t, shared, 2);
    for (const one of stream) void one.ask('stream', theirs);
    await claimed(shared, (claim) => claim !== 0, 1);
    for (let round = 0; round < 20; round++) {
      const begin = clock();
      (await lock.lock(mine, LONG)).release();
      const between = clock();
      lock.lockSync(mine, LONG).release();
      assert.ok(between - begin < 1000 && clock() - between < 1000);
    }
    for (const one of stream) await one.end();
    const guard = lock.lockSync('write');
    if (guard.ownerDied) guard.markConsistent();
    guard.release();
  }
});

test('threads get it in the order in which they asked, and tickets may run over', async (t) => {
  const { shared, lock } = newLock(t);
  // The next but one is 2^31, then they are negative; and 2^32 as well.
  for (const ticket of [0x7fff_fffe, -2]) {
    const others = await peers(t, shared, 3);
    const held = lock.lockSync('write');
    shared.memory.int32[(AT + 56) / 4] = ticket;
    const order: number[] = [];
    const answers: Promise<unknown>[] = [];
    for (const [index, other] of others.entries()) {
      const answer = other.call('lock', 'write').then(async () => {
        order.push(index);
        await other.ask('release');
      });
      answers.push(answer);
      await claimed(shared, waits, index + 1);
    }
    held.release();
    await Promise.all(answers);
    assert.deepEqual(order, [0, 1, 2]);
    for (const other of others) await other.end();
  }
});

for (const env of [{}, { INTERPROC_NO_FUTEX_WAITV: '1' }]) {
  const how = 'INTERPROC_NO_FUTEX_WAITV' in env ? ', without futex_waitv(2)' : '';

  test(`dead readers are cleared within a second and reported once${how}`, async (t) => {
    const { shared } = newLock(t);
    const clock = await steadyClock(t);
    const [first, second, third] = (await peers(t, shared, 3, env)) as [PeerProcess, PeerProcess, PeerProcess];
    await first.call('lock', 'read');
    await second.call('lock', 'read');
    const thread = await peerThread(t, shared, 'rwlock');
    await thread.call('lock', 'read');
    const wait = third.call('lock', 'write');
    await claimed(shared, waits);
    await first.end();
    await second.end();
    await thread.worker.terminate();
    const killed = clock();
    const { value } = await wait;
    assert.ok(clock() - killed < 1000);
    const had = value as Had;
    assert.equal(had.ownerDied, false, 'readers change nothing');
    const pids = had.previousOwners.map(({ pid }) => pid).sort();
    assert.deepEqual(pids, [first.program.pid, second.program.pid, process.pid].sort());
    await third.ask('release');
    assert.deepEqual(((await third.call('lock', 'read')).value as Had).previousOwners, []);
  });

  test(`after a dead writer the next one is alone until he has repaired what it protects${how}`, async (t) => {
    const { shared, lock } = newLock(t);
    const clock = await steadyClock(t);
    const [writer, reader] = (await peers(t, shared, 2, env)) as [PeerProcess, PeerProcess];
    await writer.call('lock', 'write');
    const wait = reader.call('lock', 'read');
    await claimed(shared, waits);
    const killed = clock();
    await writer.end();
    const had = (await wait).value as Had;
    assert.ok(clock() - killed < 1000);
    assert.equal(had.ownerDied, true);
    assert.deepEqual(had.previousOwners, [{ pid: writer.program.pid, tid: writer.program.pid }]);
    assert.equal(lock.tryLock('read'), undefined, 'he is alone with what may be half changed');
    const mine = lock.lock('read');
    await reader.ask('repair');
    const guard = await mine;
    assert.deepEqual([guard.ownerDied, guard.previousOwners], [false, []]);
    assert.equal(lock.tryLock('write'), undefined, 'he still reads');
    guard.release();
    await reader.ask('release');
    lock.tryLock('write')?.release();
  });

  test(`released without that, it is useless for everybody, those asleep too${how}`, async (t) => {
    const { shared, lock } = newLock(t);
    const [writer, next, ...asleep] = (await peers(t, shared, 4, env)) as [PeerProcess, PeerProcess, ...PeerProcess[]];
    await writer.call('lock', 'write');
    await writer.end();
    assert.equal(((await next.call('lock', 'write')).value as Had).ownerDied, true);
    const waiting = [asleep[0]?.call('lock', 'read'), asleep[1]?.call('lockSync', 'write')];
    const mine = assert.rejects(lock.lock('read'), { code: 'ENOTRECOVERABLE' });
    await claimed(shared, waits, 3);
    await next.ask('release');
    await mine;
    for (const answer of waiting) assert.equal((await answer)?.code, 'ENOTRECOVERABLE');
    assert.throws(() => lock.tryLock('read'), { code: 'ENOTRECOVERABLE' });
    assert.throws(() => lock.lockSync('write'), { code: 'ENOTRECOVERABLE' });
    assert.equal((await next.call('lock', 'read')).code, 'ENOTRECOVERABLE');
    assert.ok(claims(shared).every((claim) => claim === 0));
  });

  test(`dead ones who waited are forgotten, whatever they waited for${how}`, async (t) => {
    const { shared, lock } = newLock(t);
    const clock = await steadyClock(t);
    const held = lock.lockSync('read');
    const [writer, reader] = (await peers(t, shared, 2, env)) as [PeerProcess, PeerProcess];
    void writer.call('lockSync', 'write');
    await claimed(shared, waits);
    const wait = reader.call('lock', 'read');
    await claimed(shared, waits, 2);
    const killed = clock();
    await writer.end();
    assert.deepEqual((await wait).value, { ownerDied: false, previousOwners: [] }, 'nobody had it');
    assert.ok(clock() - killed < 1000);
    held.release();
  });
}

test('who exits with it has died; one who is stopped has not', async (t) => {
  const { shared, lock } = newLock(t);
  const [stopped, exiting] = (await peers(t, shared, 2)) as [PeerProcess, PeerProcess];
  await stopped.call('lock', 'read');
  stopped.program.process.kill('SIGSTOP');
  await assert.rejects(lock.lock('write', { timeoutMs: 700 }), { code: 'ETIMEDOUT' });
  stopped.program.process.kill('SIGCONT');
  await stopped.ask('release');
  await exiting.call('lock', 'write');
  const wait = lock.lock('write', LONG);
  void exiting.ask('exit', 0);
  const guard = await wait;
  assert.deepEqual([guard.ownerDied, guard.previousOwner?.pid], [true, exiting.program.pid]);
  guard.markConsistent();
  assert.throws(() => guard.markConsistent(), { code: 'EINVAL' });
  guard.release();
});

test('killed at any moment, six times, the lock goes on and counts are right', async (t) => {
  const { shared, lock } = newLock(t);
  for (let round = 0; round < 6; round++) {
    const others = await peers(t, shared, 2);
    for (const other of others) void other.ask('stream', round % 2 === 0 ? 'write' : 'read');
    for (let turn = 0; turn < 5 + Math.random() * 20; turn++) (await lock.lock('read', { timeoutMs: 5000 })).release();
    await Promise.all(others.map((other) => other.end()));
    const guard = await lock.lock('write', { timeoutMs: 1000 });
    if (guard.ownerDied) guard.markConsistent();
    const dead = guard.previousOwners.map(({ pid }) => pid);
    assert.equal(new Set(dead).size, dead.length);
    guard.release();
    assert.deepEqual(
      claims(shared).filter((claim) => claim !== 0),
      [],
    );
  }
});

test('an abort at the moment of the grant gives the lock or nothing, ten thousand times', async (t) => {
  const { shared, lock } = newLock(t);
  using other = RwLock.open(shared.memory, AT);
  let got = 0;
  const controllers: AbortController[] = [];
  for (let round = 0; round < 10_000; round++) {
    const held = other.lockSync('write');
    const controller = new AbortController();
    const mode = round % 3 === 0 ? 'read' : 'write';
    const wait: Promise<Guard | undefined> = lock.lock(mode, { signal: controller.signal }).catch((why: unknown) => {
      assert.equal((why as Error).name, 'AbortError');
      return undefined;
    });
    const behind = round % 10 === 0 ? lock.lock('write') : undefined;
    if (round % 2 === 0) {
      held.release();
      controller.abort();
    } else {
      controller.abort();
      held.release();
    }
    const guard = await wait;
    if (guard !== undefined) got++;
    guard?.release();
    (await behind)?.release();
    controllers.push(controller);
  }
  assert.ok(got > 0 && got < 10_000, `${got} were granted`);
  assert.ok(claims(shared).every((claim) => claim === 0));
  assert.equal(lock.held, false);
});

test('what is asked right after an abort is not what was aborted', async (t) => {
  const { shared, lock } = newLock(t);
  using other = RwLock.open(shared.memory, AT);
  const held = other.lockSync('write');
  const controller = new AbortController();
  const aborted = assert.rejects(lock.lock('read', { signal: controller.signal }), { name: 'AbortError' });
  await claimed(shared, waits);
  controller.abort();
  const next = lock.lock('write');
  await aborted;
  assert.equal(claims(shared).filter(waits)[0], WANTS_WRITE);
  held.release();
  const guard = await next;
  assert.equal(other.tryLock('read'), undefined);
  guard.release();
});

test('a lock that nobody else wants is taken and given back in microseconds', (t) => {
  const { lock } = newLock(t, 32);
  let best = Infinity;
  for (let attempt = 0; attempt < 10; attempt++) {
    const before = performance.now();
    for (let round = 0; round < 2000; round++) lock.tryLock('write')?.release();
    best = Math.min(best, (performance.now() - before) / 2);
  }
  t.diagnostic(`${best.toFixed(2)} us`);
  assert.ok(best < 50, `${best} us`);
});
