/** Operations on semaphores: all or none, in three forms, and what waits end with. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { performance } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { semaphoreSet } from '../../src/sysv/index.js';
import { SEED, seeded, spinMicroseconds } from '../core/support.js';
import { threadsOf, until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { assertWaitsBearSignals, assertWaitsSleep } from '../support/waiting.js';
import { newSet } from './sets.js';

const ROUNDS = 10_000;
const STANDARD = { threads: 256, intervalMs: 200 };

test('operations are made all or none, in their order', async (t) => {
  const set = newSet(t, { initial: [2, 0, 1] });
  assert.equal(
    set.tryOperate([
      { index: 0, op: -1 },
      { index: 1, op: -1 },
    ]),
    false,
  );
  assert.deepEqual(set.getAll(), [2, 0, 1]);
  assert.equal(
    set.tryOperate([
      { index: 0, op: -2 },
      { index: 1, op: 1 },
      { index: 2, op: -1 },
    ]),
    true,
  );
  assert.deepEqual(set.getAll(), [0, 1, 0]);
  assert.equal(
    set.tryOperate([
      { index: 1, op: -1 },
      { index: 1, op: 0 },
      { index: 1, op: 5 },
    ]),
    true,
  );
  assert.deepEqual(set.getAll(), [0, 5, 0]);
  assert.equal(
    set.tryOperate([
      { index: 1, op: 0 },
      { index: 1, op: -5 },
    ]),
    false,
    'the order counts',
  );
  await set.operate([
    { index: 1, op: -5 },
    { index: 0, op: 1 },
  ]);
  set.operateSync([
    { index: 0, op: -1 },
    { index: 2, op: 3 },
  ]);
  assert.deepEqual(set.getAll(), [0, 0, 3]);
});

test('a wait for several semaphores takes nothing until it can take all', async (t) => {
  const set = newSet(t, { initial: [1, 0] });
  const wait = set.operate([
    { index: 0, op: -1 },
    { index: 1, op: -1 },
  ]);
  await until('it waits', () => set.waitingForIncrease(1) === 1);
  assert.deepEqual(set.getAll(), [1, 0]);
  set.release({ index: 1 });
  await wait;
  assert.deepEqual(set.getAll(), [0, 0]);
});

test('acquire takes a number at once, and its permit gives back as many, once', async (t) => {
  const set = newSet(t, { count: 2, initial: 5 });
  const permit = await set.acquire({ index: 1, count: 3 });
  assert.deepEqual(set.getAll(), [5, 2]);
  assert.equal(set.tryAcquire({ index: 1, count: 3 }), undefined);
  assert.throws(() => set.acquireSync({ index: 1, count: 3, timeoutMs: 5 }), { code: 'ETIMEDOUT', syscall: 'semop' });
  assert.equal(permit.released, false);
  permit.release();
  permit.release();
  assert.deepEqual([permit.released, set.getAll()], [true, [5, 5]]);
  {
    using _one = set.acquireSync({ index: 1, count: 5 });
    assert.equal(set.getValue(1), 0);
  }
  assert.equal(set.getValue(1), 5);
});

test('a wait for zero is woken when the value is 0, in three forms, and changes nothing', async (t) => {
  const set = newSet(t, { initial: 2 });
  assert.equal(set.tryWaitForZero(), false);
  assert.throws(() => set.waitForZeroSync({ timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  const waits = [set.waitForZero(), set.waitForZero({ index: 0 })];
  await until('one waits for all', () => set.waitingForZero() === 1);
  set.tryAcquire({ count: 2 });
  await Promise.all(waits);
  set.waitForZeroSync();
  assert.deepEqual([set.tryWaitForZero(), set.getValue(), set.waitingForZero()], [true, 0, 0]);
});

test('waits of a handle for the same are served in their order', async (t) => {
  const set = newSet(t);
  const order: number[] = [];
  const waits = Array.from({ length: 50 }, async (_, index) => {
    await set.acquire();
    order.push(index);
  });
  await until('it waits', () => set.waitingForIncrease() === 1);
  const late = set.acquire({ timeoutMs: 0 });
  await assert.rejects(late, { code: 'ETIMEDOUT' });
  for (let given = 0; given < 50; given++) set.release();
  await Promise.all(waits);
  assert.deepEqual(
    order,
    Array.from({ length: 50 }, (_, index) => index),
  );
});

test('a time-out is not early, and 0 tries once', async (t) => {
  const set = newSet(t, { initial: 1 });
  const begin = performance.now();
  await assert.rejects(set.acquire({ count: 2, timeoutMs: 60 }), { code: 'ETIMEDOUT', message: /after 60 ms/ });
  const between = performance.now();
  assert.ok(between - begin >= 60);
  assert.throws(() => set.acquireSync({ count: 2, timeoutMs: 60 }), { code: 'ETIMEDOUT' });
  assert.ok(performance.now() - between >= 60);
  assert.throws(() => set.acquireSync({ count: 2, timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  set.acquireSync({ timeoutMs: 0 });
  assert.equal(set.getValue(), 0);
  for (const timeoutMs of [-1, Number.NaN]) {
    await assert.rejects(set.acquire({ timeoutMs }), { name: 'RangeError' });
    assert.throws(() => set.operateSync([{ index: 0, op: 1 }], { timeoutMs }), { name: 'RangeError' });
  }
});

test('an aborted wait rejects with an AbortError, leaves no listener, and others go on', async (t) => {
  const set = newSet(t);
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = Array.from({ length: 20 }, () => assert.rejects(set.acquire({ signal }), { name: 'AbortError' }));
  const other = set.acquire();
  controller.abort();
  await Promise.all(aborted);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  await assert.rejects(set.acquire({ signal }), { code: 'ABORT_ERR' });
  set.release();
  (await other).release();
  assert.equal(set.getValue(), 1);
});

test('closing the handle ends its waits, and the removal ends everybody’s with EIDRM', async (t) => {
  const set = newSet(t);
  const mine = semaphoreSet.fromId(set.id);
  const closed = [mine.acquire(), mine.acquire(), mine.waitForZero({ index: 0 })];
  await (closed[2] as Promise<void>);
  const ends = [assert.rejects(closed[0] as Promise<unknown>, { code: 'ERR_INTERPROC_CLOSED' })];
  ends.push(assert.rejects(closed[1] as Promise<unknown>, { code: 'ERR_INTERPROC_CLOSED' }));
  mine.close();
  await Promise.all(ends);
  const removed = [set.acquire(), set.acquire({ count: 2 })].map((wait) => assert.rejects(wait, { code: 'EIDRM' }));
  await until('both wait', () => set.waitingForIncrease() === 2);
  set.remove();
  await Promise.all(removed);
});

/** What a wait gave, `undefined` if it was aborted. */
async function unlessAborted<T>(wait: Promise<T>): Promise<T | undefined> {
  try {
    return await wait;
  } catch (why) {
    assert.equal((why as { code?: string }).code, 'ABORT_ERR');
    return undefined;
  }
}

async function abortAtCompletion(t: TestContext, rounds: number): Promise<void> {
  const set = newSet(t, { count: 2 });
  const random = seeded(SEED);
  let delivered = 0;
  let aborted = 0;
  for (let round = 0; round < rounds; round++) {
    const controller = new AbortController();
    const both = [
      { index: 0, op: -1 },
      { index: 1, op: -1 },
    ];
    const wait = unlessAborted(set.operate(both, { signal: controller.signal }).then(() => true));
    spinMicroseconds(random() * 30);
    const late = random() < 0.5;
    if (late) controller.abort();
    if (late) spinMicroseconds(random() * 20);
    assert.equal(
      set.tryOperate([
        { index: 0, op: 1 },
        { index: 1, op: 1 },
      ]),
      true,
    );
    if (random() < 0.3) await new Promise(setImmediate);
    else if (!late && random() < 0.1) await wait;
    spinMicroseconds(random() * 20);
    controller.abort();
    const took = (await wait) === true;
    if (took) delivered++;
    else aborted++;
    assert.deepEqual(set.getAll(), took ? [0, 0] : [1, 1], `SEED=${SEED}, round ${round}`);
    if (!took) set.setAll([0, 0]);
  }
  assert.ok(delivered > 0 && aborted > 0, `SEED=${SEED}: ${delivered} delivered, ${aborted} aborted`);
}

test('an abort aimed at completion, 10,000 times: the values are changed exactly if the wait says so', (t) =>
  abortAtCompletion(t, ROUNDS));

test('the same where waits have no thread', async (t) => {
  t.after(() => semaphoreSet.configureWaiting(STANDARD));
  semaphoreSet.configureWaiting({ threads: 0, intervalMs: 1 });
  await abortAtCompletion(t, 1000);
});

test('a blocking wait whose time-out is aimed at completion takes the permit exactly if it returns', async (t) => {
  if (!peer(t, 'perl')) return;
  const set = newSet(t);
  const total = 3000;
  // Adds a permit, one after the other, a moment after the last was taken.
  const code = `
    my ($id, $total) = @ARGV;
    for (1 .. $total) {
      semop($id, pack('s3', 0, 0, 0)) or die $!;
      my $spin = int(rand(3000)); 1 while $spin-- > 0;
      semop($id, pack('s3', 0, 1, 0)) or die $!;
    }`;
  const perl = start(t, 'perl', ['-e', code, String(set.id), String(total)]);
  const random = seeded(SEED);
  let taken = 0;
  let late = 0;
  while (taken < total) {
    try {
      set.acquireSync({ timeoutMs: 0.01 + random() * 0.3 });
      taken++;
    } catch (why) {
      assert.equal((why as { code?: string }).code, 'ETIMEDOUT');
      late++;
    }
  }
  assert.equal((await perl.ended).code, 0, perl.errors());
  assert.equal(set.getValue(), 0, `SEED=${SEED}`);
  assert.ok(late > 0);
});

test('600 waits for different numbers have threads up to the limit, and none is lost', async (t) => {
  const sets = Array.from({ length: 6 }, () => newSet(t, { count: 100 }));
  const before = threadsOf('self').length;
  const waits = sets.flatMap((set) => Array.from({ length: 100 }, (_, index) => set.acquire({ index })));
  assert.ok(threadsOf('self').length - before <= STANDARD.threads);
  for (const set of sets) set.setAll(new Array<number>(100).fill(1));
  await Promise.all(waits);
  for (const set of sets) assert.ok(set.getAll().every((value) => value === 0));
});

test('every wait for a semaphore of a set sleeps', (t) =>
  assertWaitsSleep(t, ['set.acquire', 'set.acquireSync', 'set.waitForZero', 'set.waitForZeroSync']));

test('100 waits for 5 s take less than 1 % of a processor, with threads and without', (t) =>
  assertWaitsSleep(t, ['set.hundred', 'set.watched'], 5000));

test('handled signals neither end nor stretch a wait for a set', async (t) => {
  if (peer(t, 'perl')) await assertWaitsBearSignals(t, ['set.acquire', 'set.acquireSync', 'set.waitForZeroSync']);
});

test('random operations of several processes stay mutually exclusive', async (t) => {
  if (!peer(t, 'perl')) return;
  const set = newSet(t, { initial: [1, 0] });
  // Whoever has the first semaphore adds to the second in two steps: somebody else in between would be seen.
  const code = `
    my ($id, $rounds) = @ARGV;
    for (1 .. $rounds) {
      semop($id, pack('s3', 0, -1, 0)) or die $!;
      my $value = semctl($id, 1, 12, 0); # GETVAL
      my $spin = int(rand(200)); 1 while $spin-- > 0;
      defined(semctl($id, 1, 16, $value + 1)) or die $!; # SETVAL
      semop($id, pack('s3', 0, 1, 0)) or die $!;
    }`;
  const rounds = 1000;
  const others = [1, 2].map(() => start(t, 'perl', ['-e', code, String(set.id), String(rounds)]));
  for (let round = 0; round < rounds; round++) {
    using _mine = await set.acquire();
    const value = set.getValue(1);
    if (round % 10 === 0) await new Promise(setImmediate);
    set.setValue(1, value + 1);
  }
  for (const other of others) assert.equal((await other.ended).code, 0, other.errors());
  assert.deepEqual(set.getAll(), [1, 3 * rounds]);
});
