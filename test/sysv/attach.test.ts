/** Segments attached: who has them, for how long, and what becomes of them when they are removed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { sharedMemory } from '../../src/sysv/index.js';
import { attempt } from '../support/elsewhere.js';
import { until } from '../support/proc.js';
import { killed, startFixture } from '../support/program.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { freeKey, newSegment, timesAttached } from './segments.js';

test('two attachments of a segment are the same memory, each counted', (t) => {
  const segment = newSegment(t, { size: 5000 });
  using first = segment.attach();
  using second = sharedMemory.open(segment.key).attach();
  assert.equal(segment.stat().attached, 2);
  assert.equal(segment.stat().lastPid, process.pid);
  assert.ok(Math.abs(Date.now() - (segment.stat().lastAttachTime?.getTime() ?? 0)) < 10_000);
  assert.equal(segment.stat().lastDetachTime, undefined);
  first.bytes[4999] = 17;
  assert.equal(second.bytes[4999], 17);
  assert.equal(Atomics.add(second.int32, 0, 5), 0);
  assert.equal(Atomics.load(first.int32, 0), 5);
  first.close();
  assert.equal(segment.stat().attached, 1);
  assert.ok(Math.abs(Date.now() - (segment.stat().lastDetachTime?.getTime() ?? 0)) < 10_000);
  assert.equal(second.bytes[4999], 17);
});

test('closing the handle leaves what is attached, closing what is attached leaves the segment', (t) => {
  const segment = newSegment(t);
  const memory = segment.attach();
  segment.close();
  memory.bytes[9] = 9;
  assert.equal(timesAttached(segment), 1);
  memory.close();
  assert.equal(timesAttached(segment), 0);
  using again = sharedMemory.open(segment.key).attach();
  assert.equal(again.bytes[9], 9);
});

test('after detaching every view has length 0, detaching again does nothing, and use is an error', (t) => {
  const segment = newSegment(t);
  const memory = segment.attach();
  const { bytes, int32, buffer } = memory;
  memory.close();
  memory.close();
  assert.equal(segment.stat().attached, 0);
  assert.deepEqual([bytes.length, int32.length, buffer.byteLength], [0, 0, 0]);
  assert.throws(() => memory.bytes, { code: 'ERR_INTERPROC_CLOSED' });
});

test('a removed segment lives until it is detached last, can still be attached by its id, and its key is free at once', (t) => {
  const key = freeKey(t);
  const first = sharedMemory.create(key, { size: 100 });
  const memory = first.attach();
  memory.bytes[0] = 1;
  first.remove();
  assert.throws(() => sharedMemory.open(key), { code: 'ENOENT' });
  const second = sharedMemory.create(key, { size: 200 });
  assert.notEqual(second.id, first.id);
  assert.deepEqual([first.stat().markedForRemoval, first.stat().key, first.stat().attached], [true, 0, 1]);
  assert.deepEqual([first.stat().mode, second.stat().markedForRemoval], [0o600, false]);
  const byId = sharedMemory.fromId(first.id).attach();
  assert.equal(byId.bytes[0], 1);
  memory.close();
  byId.bytes[1] = 2;
  assert.equal(first.stat().attached, 1);
  using byHandle = first.attach();
  assert.equal(byHandle.bytes[1], 2);
  byId.close();
  byHandle.close();
  const gone = { code: 'EIDRM', errno: -43, hint: /removed/ };
  assert.throws(() => first.attach(), { ...gone, syscall: 'shmat' });
  assert.throws(() => first.stat(), { ...gone, syscall: 'shmctl(IPC_STAT)' });
  assert.throws(() => first.set({ mode: 0o600 }), gone);
  assert.throws(() => first.set({ uid: 0, gid: 0, mode: 0o600 }), { ...gone, syscall: 'shmctl(IPC_SET)' });
  assert.throws(() => first.lock(), { ...gone, syscall: 'shmctl(SHM_LOCK)' });
  assert.throws(() => first.unlock(), { ...gone, syscall: 'shmctl(SHM_UNLOCK)' });
  assert.throws(() => first.remove(), { ...gone, syscall: 'shmctl(IPC_RMID)' });
  assert.throws(() => sharedMemory.fromId(first.id), { code: 'EINVAL' });
  second.remove();
});

test('a segment that nobody has attached is gone when it is removed, and removing it once more is EIDRM', (t) => {
  const segment = newSegment(t);
  segment.remove();
  assert.throws(() => segment.attach(), { code: 'EIDRM' });
  assert.throws(() => segment.remove(), { code: 'EIDRM', hint: 'the segment was removed already' });
});

test('a segment that is removed while it is attached may be removed again', (t) => {
  const segment = newSegment(t);
  using memory = segment.attach();
  segment.remove();
  segment.remove();
  memory.bytes[0] = 1;
  assert.equal(segment.stat().markedForRemoval, true);
});

test('two processes see the same bytes and count together', async (t) => {
  const segment = newSegment(t);
  using memory = segment.attach();
  const counting = [1, 2].map(() => startFixture(t, 'segment-user', ['count', String(segment.key), '100000']));
  for (let round = 0; round < 100_000; round++) Atomics.add(memory.int32, 0, 1);
  for (const one of counting) assert.deepEqual(await one.ended, { code: 0, signal: null }, one.errors());
  assert.equal(Atomics.load(memory.int32, 0), 300_000);
  assert.equal(segment.stat().attached, 1);
});

test('a process that is killed has detached, and the last one that is killed takes a removed segment with it', async (t) => {
  const segment = newSegment(t);
  const users = [1, 2].map(() => startFixture(t, 'segment-user', ['hold', String(segment.key)]));
  for (const user of users) assert.equal(await user.line(), 'attached twice');
  assert.equal(segment.stat().attached, 4);
  const [first, second] = users as [(typeof users)[0], (typeof users)[0]];
  await killed(first);
  assert.equal(segment.stat().attached, 2);
  assert.equal(segment.stat().lastPid, first.pid);
  segment.remove();
  assert.equal(segment.stat().attached, 2);
  await killed(second);
  assert.throws(() => segment.stat(), { code: 'EIDRM' });
});

test('workers that end, or are terminated, have detached', async (t) => {
  const segment = newSegment(t);
  const file = new URL('../fixtures/segment-worker.js', import.meta.url);
  const workers = Array.from(
    { length: 8 },
    (_, index) => new Worker(file, { workerData: { id: segment.id, busy: index % 2 === 1 } }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  assert.equal(segment.stat().attached, 8 * 3);
  await Promise.all(workers.map((worker) => worker.terminate()));
  await until('all have detached', () => segment.stat().attached === 0);
  assert.equal(timesAttached(segment), 0);
  using memory = segment.attach();
  assert.ok(Atomics.load(memory.int32, 0) > 0, 'they have worked');
});

test('100,000 times attached and detached leave no attachment, no mapping and no memory', (t) =>
  assertNothingLeaks(t, 'sysv attach'));

test('10,000 segments made, attached, removed and detached leave no segment and no memory', async (t) => {
  await assertNothingLeaks(t, 'sysv segment', 10_000);
});

test('10,000 attachments that fail leave nothing', (t) => assertNothingLeaks(t, 'sysv attach fails', 10_000));

test('where no address space is left attaching is ENOMEM, and the hint names the limits', async (t) => {
  const { key } = newSegment(t, { size: 100_000_000 });
  const outcomes = await attempt(t, { limits: ['--as=60000000000'] }, [
    ['sysv.sharedMemory.open', key],
    ['*$0.attach'],
    ['$0.stat'],
  ]);
  assert.equal(outcomes?.[1]?.code, 'ENOMEM');
  assert.equal(outcomes?.[1]?.syscall, 'shmat');
  assert.match(outcomes?.[1]?.hint ?? '', /address space|max_map_count/);
});

test('what is attached can be locked into memory, and stat tells', (t) => {
  const segment = newSegment(t);
  try {
    segment.lock();
  } catch (why) {
    // Who has no CAP_IPC_LOCK needs RLIMIT_MEMLOCK.
    return assert.match(String(why), /EPERM|ENOMEM/);
  }
  assert.deepEqual([segment.stat().locked, segment.stat().mode], [true, 0o600]);
  segment.lock();
  segment.unlock();
  assert.equal(segment.stat().locked, false);
});
