/** What record locks do of their own: they are the process's, any close drops them, and the kernel finds deadlocks. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as filelock from '../../src/filelock/index.js';
import { countDescriptors } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { killed } from '../support/program.js';
import { peer } from '../support/skips.js';
import { held, holder, newFile, rangeIsFree, release } from './support.js';

const { record, ofd, flock } = filelock;
const WORKER = new URL('../fixtures/filelock-worker.js', import.meta.url);

test('any close of the file in this process drops its locks, and isHeld says so', (t) => {
  if (!peer(t, 'python3')) return;
  const path = newFile(t);
  const lock = held(t, record.tryAcquire(path));
  assert.deepEqual([lock.isHeld(), rangeIsFree(path)], [true, false]);
  readFileSync(path);
  assert.deepEqual([lock.isHeld(), rangeIsFree(path)], [false, true]);
  lock.release();
});

test('what this family opens and closes drops none of them', (t) => {
  const path = newFile(t);
  filelock.lease(path, 'write')?.release(); // what handles its signal is opened once
  const before = countDescriptors();
  const lock = held(t, record.tryAcquire(path, { offset: 0, length: 10 }));
  held(t, record.tryAcquire(path, { offset: 20, length: 10 })).release();
  held(t, ofd.tryAcquire(path, { offset: 40, length: 10 })).release();
  held(t, flock.tryAcquire(path)).release();
  filelock.holders(path);
  filelock.holders(lock);
  assert.equal(record.holder(path), undefined);
  assert.equal(ofd.holder(path)?.pid, process.pid);
  assert.throws(() => record.tryAcquire(path, { offset: 5 }), { code: 'EBUSY' });
  filelock.lease(path, 'write')?.release();
  assert.equal(lock.isHeld(), true);
  lock.release();
  assert.equal(countDescriptors(), before, 'and all is closed when the last one is gone');
});

test('the bytes that this process has are refused to its other parts: EBUSY, and not a second lock', async (t) => {
  const path = newFile(t);
  const busy = { code: 'EBUSY', path, hint: /do not exclude its own parts; filelock.ofd does/ };
  const lock = held(t, record.tryAcquire(path, { offset: 10, length: 10 }));
  assert.throws(() => record.tryAcquire(path, { offset: 19 }), busy);
  await assert.rejects(record.acquire(path), busy);
  assert.throws(() => record.acquireSync(path, { shared: true }), busy);
  const next = held(t, record.tryAcquire(path, { offset: 20 }));
  assert.deepEqual([lock.isHeld(), next.isHeld()], [true, true], 'neighbours are one lock for the kernel');
  next.release();
  assert.equal(lock.isHeld(), true);
});

test('another worker is refused while this thread has locks on the file, and may have them afterwards, until it ends', async (t) => {
  const path = newFile(t);
  const ask = async (): Promise<string> => {
    const worker = new Worker(WORKER, { workerData: { kind: 'record', path } });
    t.after(() => worker.terminate());
    const [said] = await once(worker, 'message');
    if (said !== 'held') await worker.terminate();
    return said as string;
  };
  const lock = held(t, record.tryAcquire(path, { offset: 0, length: 1 }));
  assert.equal(await ask(), 'EBUSY');
  assert.equal(lock.isHeld(), true, 'what the worker opened and closed dropped nothing');
  lock.release();
  const worker = new Worker(WORKER, { workerData: { kind: 'record', path } });
  assert.deepEqual(await once(worker, 'message'), ['held']);
  assert.throws(() => record.tryAcquire(path), {
    code: 'EBUSY',
    hint: /do not exclude its threads; filelock.ofd does/,
  });
  await worker.terminate();
  held(t, record.tryAcquire(path));
});

test('a circle of waits is EDEADLK for who would close it', async (t) => {
  const path = newFile(t);
  const lock = held(t, record.tryAcquire(path, { offset: 0, length: 1 }));
  const other = await holder(t, 'record', path, { offset: 1, length: 1 });
  other.say('also 0');
  assert.equal(await other.line(), 'waiting');
  await until('it waits', () => filelock.holders(path).some(({ waiting }) => waiting));
  const deadlock = { code: 'EDEADLK', syscall: 'fcntl(F_SETLKW)', hint: /take locks in one order everywhere/ };
  await assert.rejects(record.acquire(path, { offset: 1, length: 1 }), deadlock);
  assert.throws(() => record.acquireSync(path, { offset: 1, length: 1 }), deadlock);
  lock.release();
  assert.equal(await other.line(), 'held');
});

test('two that share a lock and both upgrade: the later one gets EDEADLK and keeps the shared lock', async (t) => {
  const path = newFile(t);
  const lock = held(t, record.tryAcquire(path, { shared: true, access: 'read-write' }));
  const other = await holder(t, 'record', path, { shared: true, access: 'read-write' });
  other.say('upgrade');
  await until('it waits', () => filelock.holders(path).some(({ waiting }) => waiting));
  await assert.rejects(lock.upgrade(), { code: 'EDEADLK' });
  assert.deepEqual([lock.shared, lock.isHeld()], [true, true]);
  lock.release();
  assert.equal(await other.line(), 'upgraded');
});

test('a child has none of its parent’s locks', async (t) => {
  const path = newFile(t);
  const lock = held(t, record.tryAcquire(path));
  const child = await import('../../src/proc/index.js').then(({ spawn }) =>
    spawn('sh', ['-c', 'exec flock -n 5 true'], { fds: { 5: lock.fd } }),
  );
  await child.wait();
  assert.equal(lock.isHeld(), true, 'and when it closes what it inherited, none is dropped');
});

test('the locks of a killed process are free at once', async (t) => {
  const path = newFile(t);
  const other = await holder(t, 'record', path);
  const waiting = record.acquire(path);
  await killed(other);
  held(t, await waiting);
  await assert.rejects(holder(t, 'record', path, { timeoutMs: 10 }), /ETIMEDOUT/);
});

test('a process that reads the file loses its lock, as its isHeld tells', async (t) => {
  const path = newFile(t);
  const other = await holder(t, 'record', path);
  other.say('read');
  assert.equal(await other.line(), 'read');
  other.say('ask');
  assert.equal(await other.line(), 'false');
  held(t, record.tryAcquire(path));
  await release(other);
  assert.equal(record.holder(path), undefined);
});
