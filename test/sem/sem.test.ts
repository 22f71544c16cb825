/** POSIX semaphores: made, opened, removed, refused, and what they count. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { performance } from 'node:perf_hooks';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as mmap from '../../src/mmap/index.js';
import * as sem from '../../src/sem/index.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { startFixture } from '../support/program.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { skip } from '../support/skips.js';
import { freeName, newNamed, newPlaced, pathOf } from './support.js';

const MOST = 2 ** 31 - 1;

test('create refuses a name that a semaphore has, open one that none has, and openOrCreate neither', (t) => {
  const name = freeName(t);
  assert.throws(() => sem.open(name), { name: 'IpcError', code: 'ENOENT', syscall: 'sem_open', object: name });
  using made = sem.openOrCreate(name, { value: 3 });
  assert.deepEqual([made.created, made.value, made.name], [true, 3, name]);
  assert.throws(() => sem.create(name), { code: 'EEXIST', hint: /openOrCreate/ });
  using found = sem.openOrCreate(name, { value: 9, mode: 0o666 });
  assert.deepEqual([found.created, found.value], [false, 3]);
  using opened = sem.open(name);
  assert.equal(opened.tryAcquire() === undefined, false);
  assert.deepEqual([made.value, found.value, opened.value], [2, 2, 2], 'all of them are one');
});

test('the name is gone at once, who has it open goes on, and the same name is another one then', (t) => {
  const old = newNamed(t, 1);
  sem.unlink(old.name);
  assert.throws(() => sem.open(old.name), { code: 'ENOENT' });
  assert.throws(() => sem.unlink(old.name), { code: 'ENOENT', syscall: 'sem_unlink' });
  using other = sem.create(old.name, { value: 7 });
  old.release();
  assert.deepEqual([old.value, other.value], [2, 7]);
});

test('it begins with 0 permits unless told otherwise, and its file has exactly the mode, whatever the umask', (t) => {
  const name = freeName(t);
  const before = process.umask(0o077);
  t.after(() => process.umask(before));
  using semaphore = sem.create(name, { mode: 0o664 });
  assert.equal(semaphore.value, 0);
  const { mode, size } = statSync(pathOf(name));
  assert.deepEqual([mode & 0o7777, size], [0o664, sem.byteLength]);
  sem.unlink(name);
  process.umask(0);
  sem.create(name).close();
  assert.equal(statSync(pathOf(name)).mode & 0o7777, 0o600);
});

test('a permit is taken, given back once, and released for others', (t) => {
  const semaphore = newNamed(t, 1);
  const permit = semaphore.tryAcquire();
  assert.deepEqual([permit?.released, semaphore.value, semaphore.tryAcquire()], [false, 0, undefined]);
  permit?.release();
  permit?.release();
  assert.deepEqual([permit?.released, semaphore.value], [true, 1]);
  assert.throws(() => {
    using _held = semaphore.acquireSync();
    assert.equal(semaphore.value, 0);
    throw new Error('inside');
  }, /inside/);
  assert.equal(semaphore.value, 1, 'also where the block throws');
  semaphore.release(5);
  assert.equal(semaphore.value, 6);
});

test('a semaphore of 2^31 - 1 takes no more: EOVERFLOW, and nothing is added', (t) => {
  const semaphore = newPlaced(t, MOST - 1);
  assert.throws(() => semaphore.release(2), { code: 'EOVERFLOW', syscall: 'sem_post', hint: /SEM_VALUE_MAX/ });
  assert.equal(semaphore.value, MOST - 1);
  semaphore.release();
  assert.throws(() => semaphore.release(), { code: 'EOVERFLOW' });
  assert.equal(semaphore.value, MOST);
});

test('what cannot be meant is refused before any system call', (t) => {
  const semaphore = newPlaced(t);
  for (const value of [-1, 2 ** 31, 0.5, Number.NaN]) {
    assert.throws(() => sem.create('/x', { value }), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  for (const name of ['x', '/', '//x', '/x/y', '/..', '']) {
    assert.throws(() => sem.open(name), { name: 'TypeError', code: 'ERR_INTERPROC_NAME' }, name);
  }
  assert.throws(() => sem.open(5 as never), { name: 'TypeError' });
  assert.throws(() => sem.open('/x', { recover: 1 } as never), { name: 'TypeError' });
  assert.throws(() => sem.create('/x', { temporary: true } as never), { message: /temporary needs recover/ });
  assert.throws(() => sem.create('/x', { vaule: 1 } as never), /did you mean value\?/);
  assert.throws(() => sem.create('/x', { mode: 0o10000 }), { name: 'RangeError' });
  assert.throws(() => sem.open('/x', { owner: -1 }), { name: 'RangeError' });
  for (const count of [0, -1, 1.5, 2 ** 31]) assert.throws(() => semaphore.release(count), { name: 'RangeError' });
  assert.throws(() => semaphore.acquireSync({ timeoutMs: -1 }), { name: 'RangeError' });
  assert.throws(() => semaphore.acquireSync({ signal: AbortSignal.abort() } as never), /unknown option 'signal'/);
  assert.equal(existsSync(pathOf('/x')), false);
});

test('a name is as long as the file system allows: beyond it is ENAMETOOLONG', (t) => {
  const name = `/${'n'.repeat(251)}`;
  t.after(() => rmSync(pathOf(name), { force: true }));
  sem.create(name).close();
  sem.open(name).close();
  sem.unlink(name);
  assert.throws(() => sem.create(`${name}n`), { code: 'ENAMETOOLONG', hint: /251 bytes/ });
  assert.throws(() => sem.open(`${name}n`), { code: 'ENAMETOOLONG' });
});

test('a planted link is not followed, and what is no semaphore is refused', (t) => {
  const name = freeName(t);
  const path = pathOf(name);
  const target = join(temporaryFolder(t), 'target');
  symlinkSync(target, path);
  assert.throws(() => sem.open(name), { code: 'ELOOP', hint: /symbolic link/ });
  assert.throws(() => sem.create(name), { code: 'EEXIST' });
  assert.throws(() => sem.openOrCreate(name), { code: 'ELOOP' });
  assert.equal(existsSync(target), false);
  rmSync(path);
  for (const [size, what] of [
    [0, /has 0 bytes/],
    [31, /has 31 bytes/],
    [33, /has 33 bytes/],
    [32, /no semaphore between processes/],
  ] as const) {
    writeFileSync(path, new Uint8Array(size));
    assert.throws(() => sem.open(name), { code: 'EINVAL', syscall: 'sem_open', message: what }, String(size));
    assert.throws(() => sem.openOrCreate(name), { code: 'EINVAL' });
  }
  rmSync(path);
  mkdirSync(path);
  assert.throws(
    () => sem.open(name),
    (why: { code?: string }) => ['EISDIR', 'EINVAL'].includes(why.code ?? ''),
  );
});

test('another user’s is refused unless he is named, and ours keeps him out', async (t) => {
  if (process.getuid?.() !== 0) {
    skip(t, 'root');
    return;
  }
  const semaphore = newNamed(t, 1);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sem.open', semaphore.name],
    ['sem.openOrCreate', semaphore.name],
    ['sem.unlink', semaphore.name],
  ]);
  assert.deepEqual([outcomes?.[0]?.code, outcomes?.[1]?.code], ['EACCES', 'EACCES']);
  assert.match(outcomes?.[0]?.hint ?? '', /permission to read and to write/);
  // /dev/shm is sticky here, or not: either way only its owner removes it.
  if ((statSync('/dev/shm').mode & 0o1000) !== 0) assert.match(outcomes?.[2]?.code ?? '', /^(EPERM|EACCES)$/);
  chmodSync(pathOf(semaphore.name), 0o666);
  const allowed = await attempt(t, { asNobody: true }, [['sem.open', semaphore.name], ['$0.release'], ['$0.value']]);
  assert.equal(allowed?.[2]?.value, 2, 'root’s is trusted by everybody');
  chownSync(pathOf(semaphore.name), 65_534, 65_534);
  assert.throws(() => sem.open(semaphore.name), {
    code: 'EACCES',
    message: /belongs to the user 65534/,
    hint: /option owner/,
  });
  assert.throws(() => sem.openOrCreate(semaphore.name), { code: 'EACCES' });
  using trusted = sem.open(semaphore.name, { owner: 65_534 });
  assert.equal(trusted.value, 2);
});

test('of several who open or create at once one makes it, and none sees it without its value', async (t) => {
  const name = freeName(t);
  const racers = Array.from({ length: 4 }, () => startFixture(t, 'sem-race', [name, '1000']));
  const told = await Promise.all(
    racers.map(async (one) => JSON.parse(await one.line()) as { made: number; seen: number[] }),
  );
  for (const { seen } of told) assert.deepEqual(seen, [5]);
  assert.ok(told.reduce((sum, { made }) => sum + made, 0) > 500);
});

test('one in memory is at its place, for every mapping of that memory', () => {
  using memory = mmap.anonymous(4096);
  using again = mmap.descriptor(memory.fd);
  using first = sem.create(memory, 0, { value: 2 });
  using second = sem.create(memory, sem.byteLength, { value: 5 });
  using same = sem.open(again, sem.byteLength);
  assert.deepEqual([first.name, first.created, same.created], [undefined, true, false]);
  same.release(3);
  assert.deepEqual([first.value, second.value], [2, 8]);
  sem.create(memory, 4096 - sem.byteLength).close();
  for (const offset of [4, -8, 4096 - 24, 4096, 8.5]) {
    assert.throws(() => sem.create(memory, offset), { name: 'RangeError' }, String(offset));
    assert.throws(() => sem.open(memory, offset), { name: 'RangeError' });
  }
  assert.throws(() => sem.open(memory, 1024), { code: 'EINVAL', message: /no semaphore between processes is there/ });
  assert.throws(() => sem.create(memory, undefined as never), { name: 'TypeError' });
  assert.throws(() => sem.create(memory, 0, { mode: 0o600 } as never), /unknown option 'mode'/);
});

test('a mapping that is only for reading, or a copy, is refused, and so is one that is too small or closed', (t) => {
  const path = join(temporaryFolder(t), 'memory');
  writeFileSync(path, new Uint8Array(64));
  using readOnly = mmap.file(path);
  using copy = mmap.file(path, { access: 'copy-on-write' });
  assert.throws(() => sem.create(readOnly, 0), { name: 'TypeError', message: /got 'read'/ });
  assert.throws(() => sem.open(copy, 0), { name: 'TypeError', message: /got 'copy-on-write'/ });
  const memory = mmap.anonymous(16);
  assert.throws(() => sem.create(memory, 0), { name: 'RangeError' });
  memory.close();
  assert.throws(() => sem.create(memory, 0), { code: 'ERR_INTERPROC_CLOSED' });
});

test('memory whose file was cut is an error and no end of the process', (t) => {
  const path = join(temporaryFolder(t), 'memory');
  writeFileSync(path, new Uint8Array(8192));
  using memory = mmap.file(path, { access: 'read-write' });
  using semaphore = sem.create(memory, 4096, { value: 1 });
  truncateSync(path, 4096);
  semaphore.tryAcquire();
  assert.throws(() => semaphore.value, { code: 'ERR_INTERPROC_TRUNCATED' });
});

test('use after close is an error, close is idempotent, and the memory of others stays', async (t) => {
  const semaphore = newNamed(t, 1);
  using other = sem.open(semaphore.name);
  const permit = semaphore.acquireSync();
  semaphore.close();
  semaphore.close();
  for (const use of [
    () => semaphore.value,
    () => semaphore.release(),
    () => semaphore.tryAcquire(),
    () => permit.release(),
  ]) {
    assert.throws(use, { code: 'ERR_INTERPROC_CLOSED' });
  }
  await assert.rejects(semaphore.acquire(), { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(inspect(semaphore), `Semaphore { name: '${semaphore.name}', closed: true }`);
  other.release();
  assert.equal(inspect(other), `Semaphore { name: '${semaphore.name}', value: 1, closed: false }`);
  const memory = mmap.anonymous(64);
  const placed = sem.create(memory, 0);
  memory.close();
  assert.throws(() => placed.value, { code: 'ERR_INTERPROC_CLOSED' });
  assert.match(inspect(placed), /closed: false/);
  using kept = mmap.anonymous(64);
  sem.create(kept, 0).close();
  assert.equal(kept.closed, false);
});

test('a child that inherits the memory shares the semaphore in it', async (t) => {
  using memory = mmap.anonymous(4096);
  using semaphore = sem.create(memory, 128);
  const script = `
    const { sem, mmap } = await import(process.argv[1]);
    const semaphore = sem.open(mmap.descriptor(3), 128);
    semaphore.release(2);
    await semaphore.acquire();`;
  const module = new URL('../../src/index.js', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, module], {
    stdio: ['ignore', 'inherit', 'inherit', memory.fd],
  });
  t.after(() => child.kill('SIGKILL'));
  const permit = await semaphore.acquire();
  await new Promise((resolve) => child.once('exit', resolve));
  assert.deepEqual([child.exitCode, semaphore.value], [0, 0]);
  permit.release();
  assert.equal(semaphore.value, 1);
});

test('a permit that can be had at once is had also when the time is over, and a time-out is not early', async (t) => {
  const semaphore = newNamed(t, 2);
  (await semaphore.acquire({ timeoutMs: 0 })).release();
  semaphore.acquireSync({ timeoutMs: 0 });
  semaphore.acquireSync({ timeoutMs: 0 });
  const begin = performance.now();
  await assert.rejects(semaphore.acquire({ timeoutMs: 50 }), { code: 'ETIMEDOUT', syscall: 'sem_wait' });
  const between = performance.now();
  assert.throws(() => semaphore.acquireSync({ timeoutMs: 50 }), {
    code: 'ETIMEDOUT',
    message: /timed out after 50 ms/,
  });
  assert.ok(between - begin >= 50 && performance.now() - between >= 50);
});

test('semaphores are made, opened, waited for and removed, thousands of times, and nothing is left', async (t) => {
  await Promise.all([
    assertNothingLeaks(t, 'sem.create', 10_000),
    assertNothingLeaks(t, 'sem.open', 20_000),
    assertNothingLeaks(t, 'sem.acquire waits', 10_000),
    assertNothingLeaks(t, 'sem recovering', 2000),
    assertNothingLeaks(t, 'set.create', 10_000),
    assertNothingLeaks(t, 'set.acquire waits', 10_000),
  ]);
});
