/** Lock files: who has one, what is in it, and what becomes of it when its owner dies. */
import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as fifo from '../../src/fifo/index.js';
import * as filelock from '../../src/filelock/index.js';
import { countDescriptors, openWaiting } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer, skip } from '../support/skips.js';
import { attempt } from '../support/elsewhere.js';
import { flockIsFree, held, holder, newFile, release, waiter } from './support.js';

const { lockFile, lockFileSync, owner, tryLockFile } = filelock;

const pathIn = (t: Parameters<typeof temporaryFolder>[0]): string => join(temporaryFolder(t), 'jobs.lock');

test('one at a time has it, it says who, and it is gone afterwards', async (t) => {
  const path = pathIn(t);
  assert.equal(owner(path), undefined);
  const began = Date.now();
  const lock = held(t, await lockFile(path));
  assert.deepEqual([lock.path, lock.takenOver, lock.closed], [path, undefined, false]);
  const { pid, startTime, host, command, since } = owner(path) ?? {};
  assert.deepEqual([pid, host], [process.pid, hostname()]);
  const stat = readFileSync('/proc/self/stat', 'latin1');
  assert.equal(String(startTime), stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  assert.match(command ?? '', /lockFile\.test/);
  assert.ok(since && since.getTime() >= began && since.getTime() <= Date.now());
  assert.equal(statSync(path).mode & 0o7777, 0o600);
  assert.equal(tryLockFile(path), undefined);
  await assert.rejects(lockFile(path, { timeoutMs: 10 }), { code: 'ETIMEDOUT', path, message: /after 10 ms/ });
  assert.throws(() => lockFileSync(path, { timeoutMs: 10 }), { code: 'ETIMEDOUT', message: /after 10 ms/ });
  await assert.rejects(lockFile(path, { signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  assert.equal(owner(path)?.pid, process.pid, 'to ask has disturbed nobody');
  lock.release();
  lock.release();
  assert.deepEqual([existsSync(path), owner(path), lock.closed], [false, undefined, true]);
  lockFileSync(path).release();
  assert.equal(existsSync(path), false);
});

test('who waits has it when it is released, though the file that he waited at is removed', async (t) => {
  await openWaiting();
  const path = pathIn(t);
  const before = countDescriptors();
  const first = held(t, tryLockFile(path));
  const waits = Array.from({ length: 10 }, () => lockFile(path));
  await until('all wait', () => filelock.holders(path).filter(({ waiting }) => waiting).length === 10);
  first.release();
  let alone = 0;
  await Promise.all(
    waits.map(async (wait) => {
      using lock = await wait;
      assert.equal(++alone, 1);
      assert.equal(owner(path)?.pid, process.pid);
      await new Promise(setImmediate);
      alone--;
      lock.release();
    }),
  );
  assert.equal(existsSync(path), false);
  assert.equal(countDescriptors(), before);
});

test('what a killed owner left is nobody’s at once, and is taken over by the next, who learns whose it was', async (t) => {
  const path = pathIn(t);
  for (let round = 0; round < 3; round++) {
    const other = await holder(t, 'lockFile', path);
    assert.equal(owner(path)?.pid, other.pid);
    const waiting = lockFile(path);
    await killed(other);
    const lock = held(t, await waiting);
    assert.equal(lock.takenOver?.pid, other.pid);
    assert.match(lock.takenOver?.command ?? '', /filelock-holder\.js lockFile/);
    lock.release();
    assert.equal(existsSync(path), false);
  }
  const other = await holder(t, 'lockFile', path);
  await killed(other);
  assert.equal(existsSync(path), true);
  assert.equal(owner(path), undefined, 'what is written is not believed');
  const next = held(t, tryLockFile(path));
  assert.equal(next.takenOver?.pid, other.pid);
  assert.equal(owner(path)?.pid, process.pid);
});

test('a process that is stopped is not taken for dead', async (t) => {
  const path = pathIn(t);
  const other = await holder(t, 'lockFile', path);
  other.process.kill('SIGSTOP');
  await assert.rejects(lockFile(path, { timeoutMs: 50 }), { code: 'ETIMEDOUT' });
  assert.equal(owner(path)?.pid, other.pid);
  other.process.kill('SIGCONT');
  await release(other);
  held(t, tryLockFile(path));
});

test('a process that exits releases it, and removes the file', async (t) => {
  const path = pathIn(t);
  const other = await holder(t, 'lockFile', path);
  other.say('exit');
  assert.deepEqual(await other.ended, { code: 0, signal: null });
  assert.equal(existsSync(path), false);
});

test('a file that was there empty stays, also when its owner was killed; remove says otherwise', async (t) => {
  const path = newFile(t);
  held(t, tryLockFile(path)).release();
  assert.equal(readFileSync(path, 'utf8'), '');
  await killed(await holder(t, 'lockFile', path));
  assert.notEqual(readFileSync(path, 'utf8'), '');
  held(t, tryLockFile(path)).release();
  assert.equal(readFileSync(path, 'utf8'), '');
  held(t, tryLockFile(path, { remove: true })).release();
  assert.equal(existsSync(path), false);
  held(t, tryLockFile(path, { remove: false })).release();
  assert.equal(readFileSync(path, 'utf8'), '');
});

test('flock(1) keeps it out, and is kept out; who has it is known by the kernel', async (t) => {
  if (!peer(t, 'flock')) return;
  const path = newFile(t);
  const lock = held(t, tryLockFile(path));
  assert.equal(flockIsFree(path), false);
  lock.release();
  const other = start(t, 'flock', [path, 'sh', '-c', 'echo held; read line']);
  assert.equal(await other.line(), 'held');
  assert.equal(tryLockFile(path), undefined);
  const { pid, command, since } = owner(path) ?? {};
  assert.equal(pid, other.pid);
  assert.match(command ?? '', /^flock /);
  assert.equal(since, undefined);
  const waiting = lockFile(path);
  other.say('');
  (await waiting).release();
});

test('what is no lock file is refused, and left as it is', async (t) => {
  const folder = temporaryFolder(t);
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('data'), 'precious');
  writeFileSync(path('json'), '{"name":"precious"}');
  for (const name of ['data', 'json']) {
    const before = readFileSync(path(name), 'utf8');
    const refused = { code: 'EEXIST', path: path(name), hint: /name another path/ };
    assert.throws(() => tryLockFile(path(name)), refused);
    assert.throws(() => lockFileSync(path(name)), refused);
    await assert.rejects(lockFile(path(name), { remove: true }), refused);
    assert.equal(readFileSync(path(name), 'utf8'), before);
    assert.equal(flockIsFree(path(name)), true);
  }
  writeFileSync(path('target'), '');
  symlinkSync('target', path('link'));
  symlinkSync('nothing', path('dangling'));
  linkSync(path('target'), path('twice'));
  mkdirSync(path('folder'));
  fifo.create(path('fifo'));
  for (const [name, code] of [
    ['link', 'ELOOP'],
    ['dangling', 'ELOOP'],
    ['twice', 'EINVAL'],
    ['folder', 'EISDIR'],
    ['fifo', 'EINVAL'],
    ['none/lock', 'ENOENT'],
  ] as const) {
    assert.throws(() => tryLockFile(path(name)), { code, path: path(name) }, name);
  }
  assert.equal(existsSync(path('nothing')), false);
  assert.throws(() => owner(path('link')), { code: 'ELOOP' });
});

test('arguments that cannot be meant are named', async (t) => {
  const path = pathIn(t);
  for (const [file, options, error] of [
    [undefined, {}, /path must be a string/],
    ['', {}, /path must not be empty/],
    [path, { mod: 1 }, /did you mean mode\?/],
    [path, { mode: -1 }, /mode must be a whole number/],
    [path, { remove: 1 }, /remove must be true or false, got 1/],
    [path, { timeoutMs: -1 }, /timeoutMs/],
  ] as const) {
    const what = inspect([file, options]);
    await assert.rejects(lockFile(file as string, options as object), error, what);
    assert.throws(() => lockFileSync(file as string, options as object), error, what);
    assert.throws(
      () => tryLockFile(file as string, options as object),
      error.source.includes('timeout') ? /unknown option/ : error,
      what,
    );
  }
  assert.throws(() => owner(1 as unknown as string), { name: 'TypeError' });
  assert.equal(existsSync(path), false);
});

test('the mode is exact, and lets another user take it, too', async (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const path = pathIn(t);
  const { chmodSync } = await import('node:fs');
  chmodSync(dirname(path), 0o777);
  const before = process.umask(0o077);
  t.after(() => process.umask(before));
  const lock = held(t, tryLockFile(path, { mode: 0o666, remove: false }));
  assert.equal(statSync(path).mode & 0o7777, 0o666);
  const calls = [
    ['filelock.tryLockFile', path],
    ['filelock.owner', path],
  ] as const;
  const outcomes = await attempt(t, { asNobody: true }, calls);
  assert.deepEqual(outcomes, [{}, { value: {} }], 'nobody sees that it is held');
  lock.release();
  const [taken] = (await attempt(t, { asNobody: true }, calls)) ?? [];
  assert.deepEqual(taken, { value: {} });
  chmodSync(path, 0o600);
  const refused = (await attempt(t, { asNobody: true }, calls)) ?? [];
  assert.deepEqual(
    refused.map(({ code }) => code),
    ['EACCES', 'EACCES'],
  );
});

test('on a full disk it is ENOSPC, and nothing is left locked or written', async (t) => {
  const folder = temporaryFolder(t);
  const full = `mount -t tmpfs -o size=4k tmpfs ${folder}; head -c 4096 /dev/zero > ${folder}/full`;
  const outcomes = await attempt(t, { unshared: ['mount'], before: full }, [
    ['filelock.tryLockFile', join(folder, 'lock')],
    ['filelock.owner', join(folder, 'lock')],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual([outcomes[0]?.code, outcomes[1]], ['ENOSPC', {}]);
});

test('8 processes that take it 200 times each are alone each time, and what they count adds up', async (t) => {
  const path = pathIn(t);
  const counter = join(dirname(path), 'counter');
  writeFileSync(counter, '0');
  const racers = Array.from({ length: 8 }, () => startFixture(t, 'filelock-racer', [path, counter, '200']));
  for (const racer of racers) assert.equal((await racer.ended).code, 0, racer.errors());
  assert.equal(readFileSync(counter, 'utf8'), '1600');
  assert.equal(existsSync(path), false);
});

test('of 4 processes that are killed in the middle again and again, the others are alone each time, and nobody waits for a dead one', async (t) => {
  const path = pathIn(t);
  const counter = join(dirname(path), 'counter');
  writeFileSync(counter, '0');
  const kills = 20;
  let racers = Array.from({ length: 4 }, () => startFixture(t, 'filelock-racer', [path, counter, '1000000']));
  const turns = (): number => Number(readFileSync(counter, 'utf8').split(' ')[0]);
  for (let kill = 0; kill < kills; kill++) {
    const seen = turns();
    await until('ten more turns', () => turns() >= seen + 10);
    const victim = racers[kill % racers.length] as (typeof racers)[number];
    await killed(victim);
    racers = racers.map((one) =>
      one === victim ? startFixture(t, 'filelock-racer', [path, counter, '1000000']) : one,
    );
  }
  const seen = turns();
  await until('ten more turns', () => turns() >= seen + 10);
  for (const racer of racers) {
    await killed(racer);
    assert.equal(racer.errors(), '');
  }
  held(t, tryLockFile(path)).release();
});

test('a waiter whose signal aborts is in nobody’s way', async (t) => {
  const path = pathIn(t);
  const lock = held(t, tryLockFile(path));
  const other = waiter(t, 'lockFile', path, { timeoutMs: 20 });
  assert.equal(await other.line(), 'ETIMEDOUT');
  const controller = new AbortController();
  const wait = lockFile(path, { signal: controller.signal });
  controller.abort();
  await assert.rejects(wait, { code: 'ABORT_ERR' });
  lock.release();
  held(t, tryLockFile(path));
});
