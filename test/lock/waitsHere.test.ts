/** Who waits for whom: programs in JavaScript, whose promises no thread of theirs waits for; and System V semaphore sets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as filelock from '../../src/filelock/index.js';
import { waits } from '../../src/lock/waits/index.js';
import { semaphoreSet } from '../../src/sysv/index.js';
import { startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { among, deadlockOf, short, type Short, Stage, untilEdges, untilTold } from './waitsSupport.js';

const us = { pid: process.pid };

test('promises of two programs that wait for each other are a circle that is not proven', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const [first, second] = [stage.file('first'), stage.file('second')];
  const one = startFixture(t, 'waits-party', ['flock', first, 'ofd', second]);
  const other = startFixture(t, 'waits-party', ['ofd', second, 'flock', first]);
  assert.deepEqual([await one.line(), await other.line()], ['held', 'held']);
  one.say('go');
  other.say('go');
  const { edges, parties, proven, others } = await deadlockOf(one, other);
  const expected: Short[] = [
    [one.pid, other.pid, 'ofd', 'kernel'],
    [other.pid, one.pid, 'flock', 'kernel'],
  ];
  assert.deepEqual(edges.map(short).sort(), expected.sort());
  assert.deepEqual([proven, others.map(({ pid }) => pid).sort()], [false, [one.pid, other.pid].sort()]);
  for (const { pid, tid } of parties)
    assert.equal(tid, pid, 'the thread of JavaScript, not the one that sleeps for it');
});

test('parts of one program that take turns wait, and are no circle', async (t) => {
  if (!peer(t, 'cc')) return;
  const path = new Stage(t).file('file');
  for (const kind of [filelock.flock, filelock.ofd]) {
    const lock = kind.tryAcquire(path);
    const second = kind.acquire(path);
    const { edges, deadlocks } = await untilEdges(1, us);
    assert.deepEqual(
      [edges.map(({ from, to, object }) => [from.tid, to.pid, object]), deadlocks],
      [[[us.pid, us.pid, path]], []],
    );
    lock?.release();
    (await second).release();
    assert.deepEqual(among(await waits(), us).edges, []);
  }
});

test('a promise of a worker is one of that worker', async (t) => {
  if (!peer(t, 'cc')) return;
  const path = new Stage(t).file('file');
  const lock = filelock.ofd.tryAcquire(path);
  const index = new URL('../../src/filelock/index.js', import.meta.url).href;
  const code = `import(${JSON.stringify(index)}).then(async ({ ofd }) => (await ofd.acquire(${JSON.stringify(path)})).release())`;
  const worker = new Worker(code, { eval: true });
  const { edges } = await untilEdges(1, us);
  const [{ from, to }] = edges as [(typeof edges)[0]];
  assert.deepEqual([from.pid, to.pid, from.tid === us.pid, to.tid], [us.pid, us.pid, false, undefined]);
  lock?.release();
  await once(worker, 'exit');
});

test('an opener waits for the holder of a lease, which is no deadlock: the kernel ends it', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const [leased, file] = [stage.file('leased'), stage.file('file')];
  using lease = filelock.lease(leased, 'write');
  const opener = await stage.having(`flock ${file} w`);
  opener.say(`flock ${leased} w`); // it opens the file
  const wait = filelock.flock.acquire(file);
  const { edges, deadlocks } = await untilEdges(2, us, opener);
  const expected: Short[] = [
    [opener.pid, us.pid, 'lease', 'kernel'],
    [us.pid, opener.pid, 'flock', 'kernel'],
  ];
  assert.deepEqual([edges.map(short).sort(), deadlocks], [expected.sort(), []]);
  lease?.release();
  assert.equal(await opener.line(), 'held');
  opener.process.stdin?.end();
  (await wait).release();
});

test('who waits for a semaphore waits, as far as can be guessed, for who used it last', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const set = semaphoreSet.create('private', { initial: [1, 1, 7] });
  t.after(() => set.remove());
  const one = await stage.having(`sem ${set.id} 0 -1`);
  const other = await stage.having(`sem ${set.id} 1 -1`);
  one.say(`sem ${set.id} 1 -1`);
  other.say(`sem ${set.id} 0 -1`);
  const { edges, deadlocks } = await untilEdges(2, one, other);
  const expected: Short[] = [
    [one.pid, other.pid, 'semaphore set', 'inferred'],
    [other.pid, one.pid, 'semaphore set', 'inferred'],
  ];
  assert.deepEqual([edges.map(short).sort(), deadlocks], [expected.sort(), []]);
  const mine = edges.find(({ from }) => from.pid === one.pid);
  assert.deepEqual([mine?.object, mine?.mode], [`semaphore 1 of set ${set.id} (0x00000000)`, '-1']);
  const zero = stage.peer();
  zero.say(`sem ${set.id} 2 0`); // we have given it its value
  const [last] = (await untilEdges(1, us, zero)).edges;
  assert.deepEqual([last?.from.pid, last?.to.pid, last?.mode], [zero.pid, us.pid, '0']);
  // Its last user is gone: nobody is guessed.
  other.process.kill('SIGKILL');
  await other.ended;
  await untilTold('nothing is guessed', (all) => all.edges.every(({ from }) => from.pid !== one.pid));
});
