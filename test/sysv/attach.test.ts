/** Segments attached: who has them, for how long, and what becomes of them when they are removed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { sharedMemory } from '../../src/sysv/index.js';
import { attempt } from '../support/elsewhere.js';
import { until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
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

test('a segment that is attached for reading has no view to store through, and read copies what others store', (t) => {
  const segment = newSegment(t, { size: 5000 });
  using writable = segment.attach();
  using memory = sharedMemory.open(segment.key, { access: 'read' }).attach();
  assert.deepEqual([memory.access, writable.access, memory.byteLength], ['read', 'read-write', 5000]);
  const text = 'NUL \0, é, ÿ, 語';
  writable.write(4000, Buffer.from(text));
  assert.equal(Buffer.from(memory.read(4000, Buffer.byteLength(text))).toString(), text);
  const readOnly = { code: 'ERR_INTERPROC_READ_ONLY', message: /the System V segment 0x[0-9a-f]+ of 5000 bytes/ };
  assert.throws(() => memory.bytes, readOnly);
  assert.throws(() => memory.buffer, readOnly);
  assert.throws(() => memory.int32, readOnly);
  assert.throws(() => memory.write(0, new Uint8Array(1)), readOnly);
  assert.throws(() => memory.protect('read-write'), { code: 'EACCES', syscall: 'mprotect' });
  assert.throws(() => memory.bytes, readOnly);
  const copy = memory.read(4000, 4);
  copy.fill(0);
  assert.equal(writable.bytes[4000], 'N'.charCodeAt(0), 'what is read is a copy');
  memory.close();
  assert.throws(() => memory.read(0, 1), { code: 'ERR_INTERPROC_CLOSED' });
});

test('reading and writing stay inside a segment, whose end is that of its size and not of its page', (t) => {
  const segment = newSegment(t, { size: 100 });
  using writable = segment.attach();
  using readable = segment.attach({ access: 'read' });
  const outside = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' };
  for (const memory of [writable, readable]) {
    assert.equal(memory.read(99, 1).length, 1);
    assert.equal(memory.read(100, 0).length, 0);
    for (const [offset, length] of [
      [99, 2],
      [100, 1],
      [101, 0],
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [0, 101],
    ] as const) {
      assert.throws(() => memory.read(offset, length), outside, `${offset}, ${length}`);
    }
  }
  writable.write(98, Buffer.from('ab'));
  for (const offset of [99, 100, -1, 0.5]) assert.throws(() => writable.write(offset, Buffer.from('cd')), outside);
  assert.equal(Buffer.from(readable.read(98)).toString(), 'ab');
  assert.throws(() => segment.attach({ access: 'write' as never }), {
    name: 'TypeError',
    message: /'read' or 'read-write'/,
  });
  assert.throws(() => segment.attach({ acess: 'read' } as never), /unknown option 'acess' \(did you mean access\?\)/);
});

test('what is attached can be made read-only and writable again, and keeps its length', (t) => {
  const segment = newSegment(t);
  using memory = segment.attach();
  memory.protect('read');
  assert.throws(() => memory.bytes, { code: 'ERR_INTERPROC_READ_ONLY' });
  memory.protect('read-write');
  memory.bytes[0] = 3;
  for (const length of [100, 4096, 1_000_000]) {
    assert.throws(() => memory.resize(length), { code: 'EINVAL', syscall: 'mremap', hint: /segment/ });
  }
  assert.deepEqual([memory.byteLength, memory.bytes[0], segment.stat().attached], [4096, 3, 1]);
});

test('a segment of more than 4 GiB is read anywhere, and attached for writing where the runtime has such arrays', (t) => {
  const size = 2 ** 32 + 8192;
  const segment = newSegment(t, { size });
  assert.equal(segment.stat().size, size);
  using memory = segment.attach({ access: 'read' });
  assert.deepEqual(memory.read(size - 4, 4), new Uint8Array(4));
  assert.throws(() => memory.read(size - 4, 5), { code: 'ERR_INTERPROC_RANGE' });
  try {
    using writable = segment.attach();
    writable.write(size - 1, Uint8Array.of(7));
    assert.deepEqual(memory.read(size - 1, 1), Uint8Array.of(7));
  } catch (why) {
    assert.deepEqual(
      [(why as { code: string }).code, process.version.startsWith('v20.')],
      ['ERR_INTERPROC_RANGE', true],
    );
  }
  assert.equal(segment.stat().attached, 1);
});

test('another thread attaches to what this one has attached, and it stays until both have let go', async (t) => {
  const segment = newSegment(t);
  const memory = segment.attach();
  const worker = new Worker(new URL('../fixtures/segment-thread.js', import.meta.url), {
    workerData: memory.handle(),
  });
  await once(worker, 'message');
  assert.equal(memory.bytes[0], 42);
  memory.close();
  assert.equal(segment.stat().attached, 1);
  worker.postMessage('close it');
  await once(worker, 'message');
  assert.equal(segment.stat().attached, 0);
  await worker.terminate();
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
  await until('the others have detached', () => segment.stat().attached === 1);
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

test('what is attached and forgotten is detached when it is collected', async (t) => {
  const segment = newSegment(t);
  const program = start(t, process.execPath, [
    '--expose-gc',
    fileURLToPath(new URL('../fixtures/segment-collected.js', import.meta.url)),
    String(segment.id),
  ]);
  assert.equal(await program.line(), 'attached 50 times, then 0');
  assert.deepEqual(await program.ended, { code: 0, signal: null }, program.errors());
});

test('where shm_rmid_forced is 1 a segment goes with its last attachment', async (t) => {
  const outcomes = await attempt(t, { unshared: ['ipc'], before: 'echo 1 > /proc/sys/kernel/shm_rmid_forced' }, [
    ['sysv.sharedMemory.create', 0x1234, { size: 1 }],
    ['$0.attach'],
    ['$0.stat'],
    ['$1.close'],
    ['$0.stat'],
    ['sysv.sharedMemory.open', 0x1234],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    [undefined, undefined, undefined, undefined, 'EIDRM', 'ENOENT'],
  );
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
