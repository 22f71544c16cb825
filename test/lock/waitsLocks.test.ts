/** Who waits for whom: the locks of this library in shared memory, by real processes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { waits } from '../../src/lock/index.js';
import { killed, type Program, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { among, deadlockOf, short, type Short, Stage, told, untilEdges } from './waitsSupport.js';

/** So many processes at the same memory. */
function parties(t: TestContext, count: number): Program[] {
  const path = new Stage(t).file('memory');
  return Array.from({ length: count }, () => startFixture(t, 'waits-locks', [path]));
}

for (const how of ['sync', 'async'] as const) {
  test(`two that have a mutex and an rwlock, and want the other’s (${how}), are a deadlock${how === 'sync' ? ', proven' : ''}`, async (t) => {
    if (!peer(t, 'cc')) return;
    const [one, other] = parties(t, 2) as [Program, Program];
    await told(one, 'mutex 0 - async');
    await told(other, 'rwlock 64 write async');
    one.say(`rwlock 64 read ${how}`);
    other.say(`mutex 0 - ${how}`);
    const { edges, proven, others, parties: waiting } = await deadlockOf(one, other);
    const expected: Short[] = [
      [one.pid, other.pid, 'rwlock', 'registered'],
      [other.pid, one.pid, 'mutex', 'kernel'],
    ];
    assert.deepEqual(edges.map(short).sort(), expected.sort());
    assert.deepEqual([proven, others.length], [how === 'sync', how === 'sync' ? 0 : 2]);
    for (const { pid, tid } of waiting) assert.equal(tid, pid);
    for (const { to } of edges) assert.equal(to.tid, to.pid);
    assert.deepEqual(edges.map(({ object, mode }) => [object.replace(/.*, /, ''), mode]).sort(), [
      ['at 0', 'exclusive'],
      ['at 64', 'shared'],
    ]);
  });
}

test('a writer waits for every reader, and a reader behind him for him', async (t) => {
  if (!peer(t, 'cc')) return;
  const [first, second, writer, late] = parties(t, 4) as [Program, Program, Program, Program];
  await told(first, 'rwlock 64 read async');
  await told(second, 'rwlock 64 read async');
  writer.say('rwlock 64 write async');
  await untilEdges(2, first, second, writer);
  late.say('rwlock 64 read async');
  const { edges, deadlocks } = await untilEdges(3, first, second, writer, late);
  const expected: Short[] = [
    [writer.pid, first.pid, 'rwlock', 'registered'],
    [writer.pid, second.pid, 'rwlock', 'registered'],
    [late.pid, writer.pid, 'rwlock', 'registered'],
  ];
  assert.deepEqual([edges.map(short).sort(), deadlocks], [expected.sort(), []]);
  // Who dies is waited for no longer.
  await killed(first);
  await killed(second);
  assert.equal(await writer.line(), 'held');
  assert.deepEqual((await untilEdges(1, writer, late)).edges.map(short), [
    [late.pid, writer.pid, 'rwlock', 'registered'],
  ]);
});

test('of those who have permits, only who is needed is waited for, for sure', async (t) => {
  if (!peer(t, 'cc')) return;
  const [one, two, third] = parties(t, 3) as [Program, Program, Program];
  await told(one, 'semaphore 512 1 async');
  await told(two, 'semaphore 512 2 async');
  third.say('semaphore 512 1 async');
  const { edges, deadlocks } = await untilEdges(2, one, two, third);
  const expected: Short[] = [
    [third.pid, one.pid, 'semaphore', 'inferred'],
    [third.pid, two.pid, 'semaphore', 'inferred'],
  ];
  assert.deepEqual([edges.map(short).sort(), deadlocks], [expected.sort(), []]);
  const [owner, waiter] = parties(t, 2) as [Program, Program];
  await told(owner, 'semaphore 512 2 async');
  await told(owner, 'mutex 0 - async');
  waiter.say('semaphore 512 2 async');
  assert.deepEqual((await untilEdges(1, owner, waiter)).edges.map(short), [
    [waiter.pid, owner.pid, 'semaphore', 'registered'],
  ]);
});

test('who has arrived at a barrier waits for those who have not, as far as can be guessed', async (t) => {
  if (!peer(t, 'cc')) return;
  const [one, other] = parties(t, 2) as [Program, Program];
  one.say('barrier 1024 - async');
  other.say('barrier 1024 - async');
  assert.deepEqual([await one.line(), await other.line()], ['held', 'held']);
  one.say('barrier 1024 - async');
  const { edges } = await untilEdges(1, one, other);
  assert.deepEqual(edges.map(short), [[one.pid, other.pid, 'barrier', 'inferred']]);
  other.say('barrier 1024 - async');
  assert.deepEqual([await one.line(), await other.line()], ['held', 'held']);
  assert.deepEqual(among(await waits(), one, other).edges, []);
});
