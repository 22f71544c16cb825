/** The mutex: made, opened, refused; its kinds, its order, its guards. */
import assert from 'node:assert/strict';
import { chmodSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import * as lock from '../../src/lock/index.js';
import * as mmap from '../../src/mmap/index.js';
import { commandElsewhere } from '../support/elsewhere.js';
import { until } from '../support/proc.js';
import { killed, start } from '../support/program.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { peerOf, possible, shared, workerOf } from './peer.js';

const MAGIC = 10;

test('create refuses a place that has a mutex, open one that has none, and openOrCreate neither', (t) => {
  const { memory } = shared(t);
  assert.throws(() => lock.Mutex.open(memory, 64), { name: 'IpcError', code: 'ENOENT', hint: /openOrCreate/ });
  using made = lock.Mutex.create(memory, 64, { kind: 'errorcheck' });
  assert.throws(() => lock.Mutex.create(memory, 64), { code: 'EEXIST', hint: /open\(\)/ });
  using found = lock.Mutex.openOrCreate(memory, 64, { kind: 'recursive' });
  assert.deepEqual([made.kind, found.kind], ['errorcheck', 'errorcheck'], 'it is what it was made as');
  using guard = made.tryLock();
  assert.ok(guard);
  assert.equal(found.tryLock(), undefined, 'both are one');
  assert.deepEqual([made.held, found.held], [true, false]);
});

test('a place must be in memory that can be written, aligned, and inside', (t) => {
  const { memory, path } = shared(t);
  const { Mutex } = lock;
  assert.throws(() => Mutex.create(memory, 32), { name: 'RangeError', message: /multiple of 64, got 32/ });
  assert.throws(() => Mutex.open(memory, 4, { bare: true }), { name: 'RangeError', message: /multiple of 8/ });
  assert.throws(() => Mutex.create(memory, 4096), { name: 'RangeError', message: /beyond the 4096/ });
  assert.throws(() => Mutex.create(memory, -64), { name: 'RangeError' });
  assert.throws(() => Mutex.create(memory, 0.5), { name: 'RangeError' });
  assert.throws(() => Mutex.create({} as mmap.Mapping, 0), { name: 'TypeError', message: /must be a Mapping/ });
  assert.throws(() => Mutex.create(memory, 0, { kind: 'robust' as 'normal' }), { name: 'TypeError', message: /kind/ });
  assert.throws(() => Mutex.create(memory, 0, { type: 'normal' } as object), { name: 'TypeError', message: /type/ });
  assert.throws(() => Mutex.open(memory, 0, { kind: 'normal' } as object), { name: 'TypeError', message: /kind/ });
  using readable = mmap.file(path, { access: 'read' });
  assert.throws(() => Mutex.open(readable, 0), { message: /'read-write', got 'read'/ });
  memory.close();
  assert.throws(() => Mutex.create(memory, 0), { code: 'ERR_INTERPROC_CLOSED' });
});

test('what is something else is not opened, and not written over', (t) => {
  const { memory } = shared(t);
  using _once = lock.Once.create(memory, 0);
  assert.throws(() => lock.Mutex.open(memory, 0), { code: 'ERR_INTERPROC_LAYOUT', message: /is a once, not a mutex/ });
  memory.int32[64 / 4 + MAGIC] = 7;
  assert.throws(() => lock.Mutex.open(memory, 64), { code: 'ERR_INTERPROC_LAYOUT', message: /something else/ });
  assert.throws(() => lock.Mutex.create(memory, 64), { code: 'ERR_INTERPROC_LAYOUT', message: /something else/ });
  using _mutex = lock.Mutex.create(memory, 128);
  memory.int32[128 / 4 + MAGIC + 1] = 0x201 | (1 << 16);
  assert.throws(() => lock.Mutex.open(memory, 128), { code: 'ERR_INTERPROC_LAYOUT', message: /another version/ });
  assert.throws(() => lock.Mutex.open(memory, 256, { bare: true }), {
    code: 'ERR_INTERPROC_LAYOUT',
    message: /no pthread_mutex_t that is robust/,
  });
});

test('who was killed while he made one is succeeded by the next one', (t) => {
  const { memory } = shared(t);
  memory.int32[MAGIC] = 0x4000_0000; // what the kernel writes there when the maker dies
  memory.int32[2] = 12345; // half of what he wrote
  using mutex = lock.Mutex.openOrCreate(memory, 0);
  mutex.lockSync().release();
});

test('of several processes who make it at once exactly one does, a hundred times', async (t) => {
  if (!possible(t, 'interproc')) return;
  const { memory, path } = shared(t, 100 * 64 + 4096);
  const peers = [0, 1, 2].map(() => peerOf(t, 'interproc', path));
  for (let round = 0; round < 100; round++) {
    const answers = await Promise.all(peers.map((peer) => peer.tell(`create ${round * 64}`)));
    assert.deepEqual(answers.sort(), ['EEXIST', 'EEXIST', 'ok'], `round ${round}`);
    lock.Mutex.open(memory, round * 64).close();
  }
});

test('a mutex is taken and given back once, and its guard is disposable', (t) => {
  const { memory } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  {
    using guard = mutex.lockSync();
    assert.deepEqual([guard.released, guard.ownerDied, guard.previousOwner], [false, false, undefined]);
    assert.deepEqual([mutex.held, mutex.owner === undefined], [true, false]);
    assert.throws(() => guard.markConsistent(), { code: 'EINVAL', syscall: 'pthread_mutex_consistent' });
  }
  assert.deepEqual([mutex.held, mutex.owner], [false, undefined]);
  const guard = mutex.lockSync();
  guard.release();
  using other = mutex.tryLock();
  guard.release(); // again: another one has it now
  assert.equal(other?.released, false);
  assert.equal(mutex.held, true);
  assert.throws(() => guard.markConsistent(), { code: 'EPERM', message: /has been released/ });
});

test('a normal mutex that this thread has is waited for, and EDEADLK where that would block for ever', async (t) => {
  const { memory } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const guard = await mutex.lock();
  assert.equal(mutex.tryLock(), undefined);
  assert.throws(() => mutex.lockSync(), { code: 'EDEADLK', syscall: 'pthread_mutex_lock', object: 'the mutex at 0' });
  const next = mutex.lock();
  guard.release();
  (await next).release();
});

test('a recursive mutex is had again in every form, and released as often', async (t) => {
  const { memory } = shared(t);
  using mutex = lock.Mutex.create(memory, 0, { kind: 'recursive' });
  using other = lock.Mutex.open(memory, 0);
  const guards = [mutex.lockSync(), mutex.lockSync(), await mutex.lock(), mutex.tryLock()];
  for (const guard of guards) {
    assert.equal(mutex.held, true);
    assert.equal(other.tryLock(), undefined);
    guard?.release();
  }
  assert.equal(mutex.held, false);
  other.lockSync().release();
});

test('an error-checking mutex says EDEADLK to the thread that has it', async (t) => {
  const { memory } = shared(t);
  using mutex = lock.Mutex.create(memory, 0, { kind: 'errorcheck' });
  using _guard = await mutex.lock();
  await assert.rejects(mutex.lock(), { code: 'EDEADLK', message: /has the mutex already/ });
  assert.throws(() => mutex.lockSync(), { code: 'EDEADLK' });
  assert.equal(mutex.tryLock(), undefined);
});

test('those of one thread get it in the order in which they asked', async (t) => {
  const { memory } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const guard = mutex.lockSync();
  const order: number[] = [];
  const all = Array.from({ length: 100 }, async (_, index) => {
    using _got = await mutex.lock();
    order.push(index);
    if (index % 7 === 0) await new Promise(setImmediate);
  });
  guard.release();
  await Promise.all(all);
  assert.deepEqual(
    order,
    Array.from({ length: 100 }, (_, index) => index),
  );
});

test('ETIMEDOUT comes after the time and not before, and 0 tries once', async (t) => {
  const { memory } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  using other = lock.Mutex.open(memory, 0);
  const guard = other.lockSync();
  const expected = { name: 'IpcError', code: 'ETIMEDOUT', syscall: 'pthread_mutex_lock' };
  await assert.rejects(mutex.lock({ timeoutMs: 0 }), expected);
  const begin = performance.now();
  await assert.rejects(mutex.lock({ timeoutMs: 60 }), expected);
  assert.ok(performance.now() - begin >= 60);
  guard.release();
  (await mutex.lock({ timeoutMs: 0 })).release();
});

test('a blocking wait ends with ETIMEDOUT after its time, and 0 tries once', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const peer = peerOf(t, 'interproc', path);
  assert.equal(await peer.tell('lock 0'), 'ok');
  for (const timeoutMs of [0, 120]) {
    const begin = performance.now();
    assert.throws(() => mutex.lockSync({ timeoutMs }), { code: 'ETIMEDOUT' });
    assert.ok(performance.now() - begin >= timeoutMs);
  }
  assert.throws(() => mutex.lockSync({ timeoutMs: -1 }), { name: 'RangeError' });
  assert.equal(mutex.owner, peer.pid);
});

test('a handle and a mapping are not closed while their lock is held, and the waits of a closed handle end', async (t) => {
  const { memory } = shared(t);
  const mutex = lock.Mutex.create(memory, 0);
  using other = lock.Mutex.open(memory, 0);
  const guard = mutex.lockSync();
  const refused = { code: 'ERR_INTERPROC_LOCKED', message: /the mutex at 0 is held by this thread/ };
  assert.throws(() => mutex.close(), refused);
  assert.throws(() => memory.close(), refused);
  assert.equal(memory.closed, false);
  const waits = [other.lock(), other.lock()].map((wait) => assert.rejects(wait, { code: 'ERR_INTERPROC_CLOSED' }));
  other.close();
  await Promise.all(waits);
  assert.throws(() => other.tryLock(), { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => other.lockSync(), { code: 'ERR_INTERPROC_CLOSED' });
  await assert.rejects(other.lock(), { code: 'ERR_INTERPROC_CLOSED' });
  guard.release();
  memory.close();
  assert.equal(mutex.closed, true, 'what lives in a mapping is closed with it');
  assert.throws(() => mutex.tryLock(), { code: 'ERR_INTERPROC_CLOSED' });
});

test('a mapping is resized while a mutex in it is open, held and waited for', async (t) => {
  const { memory, path } = shared(t, 8192);
  using mutex = lock.Mutex.create(memory, 4096);
  const peer = peerOf(t, 'interproc', path);
  const guard = mutex.lockSync();
  assert.throws(() => memory.resize(4096), { name: 'RangeError', message: /at least 4160, where a lock ends/ });
  memory.resize(4160);
  memory.resize(8192);
  assert.equal(await peer.tell('try 4096'), 'EBUSY');
  const waiting = mutex.lock();
  guard.release();
  (await waiting).release();
  assert.equal(await peer.tell('try 4096'), 'ok');
  assert.equal(mutex.tryLock(), undefined);
  assert.equal(mutex.owner, peer.pid);
  assert.equal(await peer.tell('unlock 4096'), 'ok');
  mutex.lockSync().release();
});

test('destroy() is refused while somebody has it, ends all waits at once with EIDRM, and frees the place', async (t) => {
  const { memory, path } = shared(t);
  const mutex = lock.Mutex.create(memory, 0);
  using other = lock.Mutex.open(memory, 0);
  const peer = peerOf(t, 'interproc', path);
  const guard = other.lockSync();
  assert.throws(() => mutex.destroy(), { code: 'EBUSY', syscall: 'pthread_mutex_destroy' });
  guard.release();
  assert.equal(await peer.tell('lock 0'), 'ok');
  assert.throws(() => mutex.destroy(), { code: 'EBUSY' });
  assert.equal(await peer.tell('unlock 0'), 'ok');
  mutex.destroy();
  assert.equal(mutex.closed, true);
  await assert.rejects(other.lock(), { code: 'EIDRM', message: /destroyed/ });
  assert.throws(() => other.lockSync(), { code: 'EIDRM' });
  assert.throws(() => other.tryLock(), { code: 'EIDRM' });
  assert.equal(await peer.tell('lock 0'), 'EIDRM');
  using again = lock.Mutex.create(memory, 0);
  again.lockSync().release();
});

test('a mutex made by C is used with bare, of every type, and nothing behind its 40 bytes is touched', async (t) => {
  if (!possible(t, 'c')) return;
  const { memory, path } = shared(t);
  const peer = peerOf(t, 'c', path);
  const kinds: [number, lock.MutexKind][] = [
    [0, 'normal'],
    [1, 'recursive'],
    [2, 'errorcheck'],
  ];
  for (const [type, kind] of kinds) {
    const offset = 8 + 40 * type;
    memory.bytes.fill(0xa5, offset + 40, offset + 80);
    assert.equal(await peer.tell(`init ${offset} ${type}`), 'ok');
    const mutex = lock.Mutex.open(memory, offset, { bare: true });
    assert.equal(mutex.kind, kind);
    const guard = mutex.lockSync();
    assert.equal(await peer.tell(`try ${offset}`), 'EBUSY');
    assert.equal(await peer.tell(`lock ${offset} 50`), 'ETIMEDOUT');
    guard.release();
    assert.equal(await peer.tell(`lock ${offset}`), 'ok');
    assert.equal(mutex.tryLock(), undefined);
    assert.equal(await peer.tell(`unlock ${offset}`), 'ok');
    mutex.destroy();
    assert.ok(memory.bytes.subarray(offset + 40, offset + 80).every((byte) => byte === 0xa5));
  }
});

test('a bare mutex may end where the memory ends', async (t) => {
  if (!possible(t, 'c')) return;
  const { memory, path } = shared(t);
  const peer = peerOf(t, 'c', path);
  assert.equal(await peer.tell('init 4056 0'), 'ok');
  using mutex = lock.Mutex.open(memory, 4056, { bare: true });
  assert.equal(await peer.tell('lock 4056'), 'ok');
  await killed(peer);
  const guard = mutex.lockSync();
  assert.deepEqual(guard.previousOwner, { pid: undefined, tid: peer.pid });
  guard.release();
  assert.throws(() => mutex.lockSync(), { code: 'ENOTRECOVERABLE' });
});

test('two mappings of one file have the same mutex in one thread, and it waits for itself there', async (t) => {
  const { memory, path } = shared(t);
  using again = mmap.file(path, { access: 'read-write' });
  using mutex = lock.Mutex.create(memory, 0);
  const same = lock.Mutex.open(again, 0);
  const guard = mutex.lockSync();
  assert.equal(same.tryLock(), undefined);
  assert.throws(() => same.lockSync(), { code: 'EDEADLK' });
  const waiting = same.lock();
  guard.release();
  const got = await waiting;
  assert.throws(() => again.close(), { code: 'ERR_INTERPROC_LOCKED' });
  assert.equal(mutex.tryLock(), undefined);
  got.release();
  again.close();
  mutex.lockSync().release();
});

test('worker threads have mappings of their own, and exclude each other and this thread', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const [first, second] = await Promise.all([workerOf(t, path), workerOf(t, path)]);
  assert.equal(await first.tell('lock 0'), 'ok');
  assert.equal(await second.tell('try 0'), 'EBUSY');
  assert.equal(mutex.tryLock(), undefined);
  const waiting = mutex.lock();
  assert.equal(await first.tell('unlock 0'), 'ok');
  (await waiting).release();
  assert.deepEqual(await Promise.all([first, second].map((one) => one.tell('count 0 1000'))), ['ok', 'ok']);
  assert.equal(memory.int32.at(-1), 2000);
});

test('nested locks are taken and given back in every order, and peers agree at every step', async (t) => {
  if (!possible(t, 'c')) return;
  const { memory, path } = shared(t);
  const mutexes = Array.from({ length: 6 }, (_, index) => lock.Mutex.create(memory, index * 64));
  const peer = peerOf(t, 'c', path);
  for (const order of [
    [0, 1, 2, 3, 4, 5],
    [5, 4, 3, 2, 1, 0],
    [2, 0, 5, 1, 4, 3],
    [3, 5, 0, 4, 2, 1],
  ]) {
    const guards = mutexes.map((mutex) => mutex.lockSync());
    for (const index of order) {
      assert.equal(await peer.tell(`try ${index * 64}`), 'EBUSY');
      guards[index]?.release();
      assert.equal(await peer.tell(`try ${index * 64}`), 'ok');
      assert.equal(await peer.tell(`unlock ${index * 64}`), 'ok');
    }
  }
  for (const mutex of mutexes) mutex.close();
});

test('a word that somebody overwrites while it is held is told at the release, and nothing else breaks', (t) => {
  const { memory } = shared(t);
  const overwritten = { code: 'ERR_INTERPROC_LAYOUT', message: /overwritten the mutex at 0 while it was held/ };
  for (const others of [0, 2]) {
    for (const value of [0, 77, -1, 0x4000_0000]) {
      memory.bytes.fill(0);
      const [mutex, ...more] = Array.from({ length: 3 }, (_, index) => lock.Mutex.create(memory, index * 64));
      assert.ok(mutex);
      const held = more.slice(0, others).map((one) => one.lockSync());
      const guard = mutex.lockSync();
      memory.int32.fill(-1, 2, 4);
      memory.int32.fill(-1, 6, 10);
      memory.int32[0] = value;
      assert.throws(() => guard.release(), overwritten, `0x${value.toString(16)}, ${others} others`);
      assert.equal(mutex.held, false);
      mutex.close();
      for (const one of held) one.release();
      for (const one of more) {
        one.lockSync().release();
        one.close();
      }
    }
  }
});

test('whatever stands in memory that is not held, taking it ends, with it or with an error', async (t) => {
  const { memory } = shared(t);
  for (const word of [0, 5, -1, 0x4000_0000, 0x3fff_ffff, -0x4000_0000]) {
    for (const owner of [0, 1, -1, 0x7fff_ffff, 0x7fff_fffe]) {
      memory.bytes.fill(0);
      using mutex = lock.Mutex.create(memory, 0);
      memory.int32.fill(-1, 6, 10);
      memory.int32[2] = owner;
      memory.int32[0] = word;
      const what = `word 0x${word.toString(16)}, owner ${owner}`;
      try {
        mutex.lockSync({ timeoutMs: 5 }).release();
        assert.equal(mutex.held, false, what);
      } catch (why) {
        assert.match((why as { code: string }).code, /^(ETIMEDOUT|ENOTRECOVERABLE)$/, what);
      }
      await mutex.lock({ timeoutMs: 1 }).then(
        (guard) => guard.release(),
        (why: { code: string }) => assert.match(why.code, /^(ETIMEDOUT|ENOTRECOVERABLE)$/, what),
      );
    }
  }
});

test('a file that is cut while the lock is held or taken says so, and the lock is not had', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  truncateSync(path, 0);
  assert.throws(() => mutex.lockSync(), { code: 'ERR_INTERPROC_TRUNCATED' });
  assert.equal(mutex.held, false);
});

test('a mutex shows what it is', (t) => {
  const { memory } = shared(t);
  using mutex = lock.Mutex.create(memory, 64, { kind: 'recursive' });
  using _guard = mutex.lockSync();
  assert.equal(inspect(mutex), "Mutex { offset: 64, kind: 'recursive', held: true, closed: false }");
});

test('opening, taking and closing leaves nothing behind', (t) => assertNothingLeaks(t, 'mutex'));

test('handles that are collected without having been closed leave nothing behind', (t) =>
  assertNothingLeaks(t, 'mutex collected', 20_000));

test('a mutex whose handle and guard were lost stays held until the thread ends, and its memory mapped', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  using second = lock.Mutex.create(memory, 64);
  const peer = peerOf(t, 'interproc', path, 'collecting');
  assert.equal(await peer.tell('lose 0'), 'ok');
  assert.equal(mutex.tryLock(), undefined);
  assert.equal(await peer.tell('lock 64'), 'ok');
  await killed(peer);
  for (const one of [mutex, second]) {
    const guard = one.lockSync({ timeoutMs: 1000 });
    assert.deepEqual(guard.previousOwner, { pid: peer.pid, tid: peer.pid });
    guard.markConsistent();
    guard.release();
  }
});

test('a user who may write the file uses its mutex', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  chmodSync(dirname(path), 0o755);
  chmodSync(path, 0o666);
  const fixture = fileURLToPath(new URL('../fixtures/lock-mutex.js', import.meta.url));
  const words = commandElsewhere(t, [process.execPath, fixture, path], { asNobody: true });
  if (words === undefined) return;
  const user = start(t, words[0] as string, words.slice(1));
  const guard = mutex.lockSync();
  user.say('lock 0');
  await until('he waits', () => memory.int32[0] !== mutex.owner);
  guard.release();
  assert.equal(await user.line(), 'ok');
  await killed(user);
  using after = mutex.lockSync();
  assert.equal(after.ownerDied, true);
});
