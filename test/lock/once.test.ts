/** Something that is done once, by whoever comes first, and again if he dies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as lock from '../../src/lock/index.js';
import { until } from '../support/proc.js';
import { killed } from '../support/program.js';
import { peerOf, shared } from './peer.js';

test('it is done once, whoever asks, in both forms', async (t) => {
  const { memory } = shared(t);
  using first = lock.Once.create(memory, 0);
  using second = lock.Once.open(memory, 0);
  let times = 0;
  assert.deepEqual([first.done, second.done], [false, false]);
  const results = await Promise.all([
    first.run(async (dead) => {
      assert.equal(dead, undefined);
      await new Promise(setImmediate);
      times++;
    }),
    second.run(() => times++),
    first.run(() => times++),
  ]);
  assert.deepEqual([results, times], [[true, false, false], 1]);
  assert.equal(second.runSync(() => times++), false);
  assert.deepEqual([first.done, second.done, times], [true, true, 1]);
});

test('create refuses a place that has one, open one that has none or something else, openOrCreate neither', (t) => {
  const { memory } = shared(t);
  assert.throws(() => lock.Once.open(memory, 0), { code: 'ENOENT' });
  using made = lock.Once.openOrCreate(memory, 0);
  using found = lock.Once.openOrCreate(memory, 0);
  assert.equal(made.runSync(() => {}), true);
  assert.equal(found.done, true);
  assert.throws(() => lock.Once.create(memory, 0), { code: 'EEXIST' });
  using _mutex = lock.Mutex.create(memory, 64);
  assert.throws(() => lock.Once.open(memory, 64), { code: 'ERR_INTERPROC_LAYOUT', message: /is a mutex, not a once/ });
  assert.throws(() => made.runSync(1 as unknown as () => void), { name: 'TypeError', message: /action/ });
  made.close();
  assert.equal(made.closed, true);
  assert.throws(() => made.done, { code: 'ERR_INTERPROC_CLOSED' });
});

test('an action that fails has not been done, and the next one does it', async (t) => {
  const { memory } = shared(t);
  using once = lock.Once.create(memory, 0);
  const failing = (): never => {
    throw new Error('not today');
  };
  assert.throws(() => once.runSync(failing), /not today/);
  await assert.rejects(once.run(async () => failing()), /not today/);
  assert.equal(once.done, false);
  assert.equal(await once.run(() => {}), true);
});

test('who dies in the middle of it is succeeded by the next one, who is told of him', async (t) => {
  const { memory, path } = shared(t);
  using once = lock.Once.create(memory, 0);
  const peer = peerOf(t, 'interproc', path);
  peer.say('once 0');
  await until('it has begun', () => memory.int32.at(-1) === 1);
  await assert.rejects(once.run(() => {}, { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  assert.throws(() => once.runSync(() => {}, { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  let told: lock.DeadOwner | undefined;
  const done = once.run((dead) => {
    told = dead;
  });
  await killed(peer);
  assert.equal(await done, true);
  assert.deepEqual(told, { pid: peer.pid, tid: peer.pid });
  assert.equal(once.runSync(() => {}), false);
});

test('an action that fails after its predecessor has died leaves it to be done', async (t) => {
  const { memory, path } = shared(t);
  using once = lock.Once.create(memory, 0);
  const peer = peerOf(t, 'interproc', path);
  peer.say('once 0');
  await until('it has begun', () => memory.int32.at(-1) === 1);
  await killed(peer);
  await assert.rejects(
    once.run(() => Promise.reject(new Error('not yet'))),
    /not yet/,
  );
  assert.equal(once.runSync(() => {}), true);
});

test('a once and its mapping are not closed while it is being done', async (t) => {
  const { memory } = shared(t);
  const once = lock.Once.create(memory, 0);
  await once.run(() => {
    assert.throws(() => once.close(), { code: 'ERR_INTERPROC_LOCKED', message: /the once at 0/ });
    assert.throws(() => memory.close(), { code: 'ERR_INTERPROC_LOCKED' });
  });
  once.close();
});
