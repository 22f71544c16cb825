/** Waits for a mutex: aborts and time-outs at the worst moment, what they cost, and what they leave. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import * as lock from '../../src/lock/index.js';
import { SEED, seeded, spinMicroseconds } from '../core/support.js';
import { FUTEX, stateOf, syscallOf, until } from '../support/proc.js';
import { startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { steadyClock } from '../support/standstill.js';
import { assertWaitsBearSignals, assertWaitsSleep } from '../support/waiting.js';
import { peerOf, shared, workerOf } from './peer.js';

const ROUNDS = 2000;
const LONGEST_MS = 1000;

test('an aborted wait rejects with an AbortError, leaves no listener, and others go on', async (t) => {
  const { memory } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const guard = mutex.lockSync();
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = Array.from({ length: 20 }, () =>
    assert.rejects(mutex.lock({ signal }), { name: 'AbortError', code: 'ABORT_ERR' }),
  );
  const other = mutex.lock();
  assert.ok(getEventListeners(signal, 'abort').length > 0);
  controller.abort();
  await Promise.all(aborted);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  await assert.rejects(mutex.lock({ signal }), { code: 'ABORT_ERR' });
  guard.release();
  (await other).release();
  assert.equal(mutex.owner, undefined);
});

test('an abort aimed at the release, 2,000 times: it was had or was not, and is free for others in time', async (t) => {
  const { memory, path } = shared(t);
  const clock = await steadyClock(t);
  using mutex = lock.Mutex.create(memory, 0);
  using mine = lock.Mutex.open(memory, 0);
  const other = await workerOf(t, path);
  const counting = other.tell(`count 0 ${ROUNDS / 2}`);
  const random = seeded(SEED);
  let had = 0;
  let aborted = 0;
  let longest = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = clock();
    const holding = random() < 0.5 ? await mutex.lock() : mutex.lockSync();
    longest = Math.max(longest, clock() - begin);
    const controller = new AbortController();
    const wait = mine.lock({ signal: controller.signal });
    spinMicroseconds(random() * 20);
    const early = random() < 0.4;
    if (early) controller.abort();
    if (early) spinMicroseconds(random() * 10);
    holding.release();
    const chance = random();
    if (chance < 0.3) await new Promise(setImmediate);
    else if (chance < 0.5 && !early) await wait.catch(() => {});
    controller.abort();
    try {
      (await wait).release();
      had++;
    } catch (why) {
      assert.equal((why as { code?: string }).code, 'ABORT_ERR');
      aborted++;
    }
    assert.equal(mine.held, false, `SEED=${SEED}, round ${round}`);
  }
  assert.equal(await counting, 'ok');
  assert.equal(memory.int32.at(-1), ROUNDS / 2);
  assert.ok(had > 0 && aborted > 0, `SEED=${SEED}: ${had} had it, ${aborted} were aborted`);
  assert.ok(longest < LONGEST_MS, `SEED=${SEED}: ${longest} ms`);
});

test('a wake that was for an aborted wait goes to another process at once', async (t) => {
  const { memory, path } = shared(t);
  const clock = await steadyClock(t);
  using mutex = lock.Mutex.create(memory, 0);
  using mine = lock.Mutex.open(memory, 0);
  const other = peerOf(t, peer(t, 'cc') ? 'c' : 'interproc', path);
  for (let round = 0; round < 200; round++) {
    const guard = mutex.lockSync();
    const controller = new AbortController();
    const wait = mine.lock({ signal: controller.signal }).then(
      (got) => got.release(),
      () => {},
    );
    await until('it sleeps', () => memory.int32[0] !== mutex.owner);
    const begin = clock();
    const answer = other.tell('lock 0');
    if (round % 2 === 0) spinMicroseconds(500);
    guard.release();
    controller.abort();
    await wait;
    assert.equal(await answer, 'ok');
    assert.ok(clock() - begin < LONGEST_MS, `round ${round}`);
    assert.equal(await other.tell('unlock 0'), 'ok');
  }
});

test('destroy() ends the waits of others at once', async (t) => {
  const { memory, path } = shared(t);
  const clock = await steadyClock(t);
  const mutex = lock.Mutex.create(memory, 0);
  const others = [peerOf(t, 'interproc', path), peerOf(t, 'interproc', path)];
  using mine = lock.Mutex.open(memory, 0);
  const guard = mutex.lockSync();
  for (const other of others) assert.equal(await other.tell('try 0'), 'EBUSY'); // it has it open
  const waits = [mine.lock(), mine.lock()].map((wait) => assert.rejects(wait, { code: 'EIDRM' }));
  const answers = others.map((other, form) => other.tell(form === 0 ? 'lock 0' : 'lockSync 0'));
  await until('one of them blocks', () => others.some(({ pid }) => syscallOf(pid) === FUTEX));
  // None of them is to have it between the release and the end.
  for (const { process } of others) process.kill('SIGSTOP');
  await until('they are stopped', () => others.every(({ pid }) => stateOf(pid) === 'T'));
  const begin = clock();
  guard.release();
  mutex.destroy();
  await Promise.all(waits);
  for (const { process } of others) process.kill('SIGCONT');
  assert.deepEqual(await Promise.all(answers), ['EIDRM', 'EIDRM']);
  assert.ok(clock() - begin < LONGEST_MS);
});

test('every wait for a mutex sleeps', (t) => assertWaitsSleep(t, ['mutex.lock', 'mutex.lockSync']));

test('1,000 waits for one mutex take less than 1 % of a processor, and one thread', async (t) => {
  await assertWaitsSleep(t, ['mutex.thousand'], 10_000);
  const program = startFixture(t, 'lock-thousand');
  const { threads, bytes, order } = JSON.parse(await program.line()) as {
    threads: number;
    bytes: number;
    order: boolean;
  };
  t.diagnostic(`1,000 waits: ${threads} threads more, ${Math.round(bytes / 1000)} bytes each`);
  assert.equal(threads, 1);
  assert.ok(bytes < 5_000_000);
  assert.equal(order, true, 'all of them got it in their order');
});

test('handled signals neither end nor stretch a wait for a mutex', async (t) => {
  if (peer(t, 'perl')) await assertWaitsBearSignals(t, ['mutex.lock', 'mutex.lockSync']);
});
