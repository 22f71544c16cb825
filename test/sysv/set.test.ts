/** Semaphore sets: made, found, changed and removed, and their values. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { IpcError } from '../../src/index.js';
import { semaphoreSet } from '../../src/sysv/index.js';
import { attempt } from '../support/elsewhere.js';
import { kernelSecond } from '../support/folder.js';
import { freeKey, newSet, removedAfter } from './sets.js';

/** The numbers of /proc/sys/kernel/sem: SEMMSL, SEMMNS, SEMOPM, SEMMNI. */
const LIMITS = readFileSync('/proc/sys/kernel/sem', 'utf8').trim().split(/\s+/).map(Number) as [
  number,
  number,
  number,
  number,
];
const NO_ID = 0x7fff_ffff;

test('create refuses a key that a set has, open one that none has, and openOrCreate neither', (t) => {
  const key = freeKey(t);
  assert.throws(() => semaphoreSet.open(key), { name: 'IpcError', code: 'ENOENT', syscall: 'semget' });
  const set = semaphoreSet.openOrCreate(key, { count: 2, initial: 5 });
  assert.deepEqual([set.created, set.key, set.count, set.initialised, set.getAll()], [true, key, 2, true, [5, 5]]);
  assert.throws(() => semaphoreSet.create(key), { code: 'EEXIST', key: `0x${key.toString(16).padStart(8, '0')}` });
  const again = semaphoreSet.openOrCreate(key, { count: 2, initial: 9 });
  assert.deepEqual([again.created, again.id, again.getAll()], [false, set.id, [5, 5]]);
  assert.equal(semaphoreSet.open(key).id, set.id);
  assert.equal(semaphoreSet.fromId(set.id).key, key);
  semaphoreSet.remove(key);
  assert.throws(() => semaphoreSet.remove(key), { code: 'ENOENT', syscall: 'semget' });
});

test('a set that exists must have as many semaphores as are asked for, or more', (t) => {
  const { key } = newSet(t, { count: 3 });
  assert.equal(semaphoreSet.open(key, { count: 3 }).count, 3);
  assert.equal(semaphoreSet.open(key, { count: 1 }).count, 3);
  assert.throws(() => semaphoreSet.open(key, { count: 4 }), { code: 'EINVAL', hint: /fewer semaphores than count/ });
  assert.throws(() => semaphoreSet.openOrCreate(key, { count: 4 }), { code: 'EINVAL' });
});

test('a private set has no key, is always new, and is found by its id', (t) => {
  const sets = [semaphoreSet.create('private'), semaphoreSet.openOrCreate('private', { initial: [1, 2] })] as const;
  for (const set of sets) removedAfter(t, set);
  assert.deepEqual(
    sets.map(({ key }) => key),
    [0, 0],
  );
  assert.notEqual(sets[0].id, sets[1].id);
  assert.deepEqual(semaphoreSet.fromId(sets[1].id).getAll(), [1, 2]);
  assert.throws(() => semaphoreSet.open(0), { code: 'ERR_INTERPROC_ARGUMENT' });
});

test('the values at the beginning are 0, one number for all, or one for each', (t) => {
  assert.deepEqual(newSet(t).getAll(), [0]);
  assert.deepEqual(newSet(t, { count: 3 }).getAll(), [0, 0, 0]);
  assert.deepEqual(newSet(t, { count: 3, initial: 32_767 }).getAll(), [32_767, 32_767, 32_767]);
  assert.deepEqual(newSet(t, { initial: [0, 4] }).getAll(), [0, 4]);
  assert.deepEqual(newSet(t, { count: 2, initial: [3, 0] }).getAll(), [3, 0]);
});

test('what cannot be meant is refused before any system call', (t) => {
  for (const options of [
    { count: 0 },
    { count: 1.5 },
    { count: 70_000 },
    { initial: -1 },
    { initial: 32_768 },
    { initial: [] },
    { count: 2, initial: [1] },
    { initial: [1, -1] },
    { mode: 0o1000 },
  ]) {
    assert.throws(() => semaphoreSet.create('private', options), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => semaphoreSet.create('private', { initial: null } as never), { name: 'TypeError' });
  assert.throws(() => semaphoreSet.create('private', { size: 1 } as never), /unknown option 'size'/);
  assert.throws(() => semaphoreSet.open(1, { access: 'write' } as never), /'read' or 'read-write', got write/);
  const set = newSet(t);
  for (const [operation, name] of [
    [{ index: -1, op: 1 }, 'RangeError'],
    [{ index: 65_536, op: 1 }, 'RangeError'],
    [{ index: 0, op: 32_768 }, 'RangeError'],
    [{ index: 0, op: -32_769 }, 'RangeError'],
    [{ index: 0, op: '1' }, 'TypeError'],
    [{ index: 0 }, 'TypeError'],
    [{ index: 0, op: 1, undo: 1 }, 'TypeError'],
    [{ index: 0, op: 1, unddo: true }, 'TypeError'],
    [null, 'TypeError'],
  ] as const) {
    assert.throws(() => set.tryOperate([operation as never]), { name }, inspect(operation));
  }
  assert.throws(() => set.tryOperate([]), { name: 'RangeError' });
  assert.throws(() => set.tryOperate({} as never), { name: 'TypeError' });
  assert.throws(() => set.tryAcquire({ count: 0 }), { name: 'RangeError' });
  assert.throws(() => set.release({ count: 40_000 }), { name: 'RangeError' });
  assert.throws(() => set.setValue(0, 32_768), { name: 'RangeError', message: /value.*from 0 to 32767, got 32768/ });
  assert.throws(() => set.setAll([1, 2]), { name: 'RangeError', message: /1, one for each semaphore/ });
  assert.deepEqual(set.getAll(), [0]);
});

test('more semaphores than a set may have are EINVAL, and the hint names the limit', () => {
  if (LIMITS[0] >= 65_536) return;
  assert.throws(() => semaphoreSet.create('private', { count: LIMITS[0] + 1 }), {
    code: 'EINVAL',
    hint: /first number of \/proc\/sys\/kernel\/sem/,
  });
});

test('a set as large as the limit has a value for each, and they are set and read at once', (t) => {
  const count = Math.min(LIMITS[0], 65_536);
  const set = newSet(t, { initial: Array.from({ length: count }, (_, index) => index % 32_768) });
  assert.equal(set.stat().count, count);
  assert.equal(set.getValue(count - 1), (count - 1) % 32_768);
  set.setAll(new Array<number>(count).fill(7));
  assert.equal(
    set.getAll().every((value) => value === 7),
    true,
  );
});

test('more sets, and more semaphores, than the system allows are ENOSPC, and the hint names the numbers', async (t) => {
  const where = { unshared: ['ipc'], before: 'echo "100 150 10 4" > /proc/sys/kernel/sem' } as const;
  const many = await attempt(t, where, [
    ['sysv.semaphoreSet.create', 'private', { count: 100 }],
    ['sysv.semaphoreSet.create', 'private', { count: 51 }],
    ['*sysv.semaphoreSet.create', 'private'],
  ]);
  if (many === undefined) return;
  assert.equal(many[1]?.code, 'ENOSPC');
  assert.deepEqual([many[2]?.code, many[2]?.count], ['ENOSPC', 3]);
  assert.match(many[2]?.hint ?? '', /\/proc\/sys\/kernel\/sem/);
});

test('an operation on a semaphore that the set has not is EFBIG, on more than the system takes at once E2BIG, and on too much ERANGE', async (t) => {
  const set = newSet(t, { count: 2, initial: 32_000 });
  assert.throws(() => set.release({ index: 2 }), { code: 'EFBIG', syscall: 'semop', hint: /fewer semaphores/ });
  await assert.rejects(set.waitForZero({ index: 2 }), { code: 'EFBIG' });
  const most = LIMITS[2];
  if (most < 65_535) {
    const many = new Array<semaphoreSet.Operation>(most + 1).fill({ index: 0, op: 1 });
    assert.throws(() => set.tryOperate(many), { code: 'E2BIG', hint: /third number of \/proc\/sys\/kernel\/sem/ });
    assert.equal(set.tryOperate(many.slice(1)), true);
  }
  const before = set.getAll();
  assert.throws(() => set.release({ count: 767 + 1 }), { code: 'ERANGE', hint: /32767/ });
  assert.throws(
    () =>
      set.tryOperate([
        { index: 1, op: 700 },
        { index: 1, op: 700 },
      ]),
    { code: 'ERANGE' },
  );
  assert.deepEqual(set.getAll(), before, 'none of them was made');
});

test('the values are read and set, one and all, and the last pid is told', (t) => {
  const set = newSet(t, { count: 3 });
  assert.equal(set.lastPid(2), undefined);
  set.setValue(2, 11);
  set.setAll([1, 2, 3]);
  set.release({ index: 1, count: 5 });
  assert.deepEqual([set.getAll(), set.getValue(1), set.getValue()], [[1, 7, 3], 7, 1]);
  assert.equal(set.lastPid(1), process.pid);
  for (const ask of [
    () => set.getValue(3),
    () => set.setValue(3, 0),
    () => set.lastPid(3),
    () => set.waitingForZero(3),
  ]) {
    assert.throws(ask, { code: 'EINVAL', message: /the set has no semaphore 3/ });
  }
});

test('stat tells the times, and set changes the mode', (t) => {
  const before = kernelSecond(t).getTime();
  const set = newSet(t, { count: 2, mode: 0o400 });
  const { mode, count, lastOperationTime, changeTime, uid, creatorUid } = set.stat();
  assert.deepEqual([mode, count, uid, creatorUid], [0o400, 2, process.geteuid?.(), process.geteuid?.()]);
  assert.ok((lastOperationTime?.getTime() ?? 0) >= before && changeTime.getTime() >= before);
  set.set({ mode: 0o640 });
  assert.equal(set.stat().mode, 0o640);
  assert.throws(() => set.set({ mode: 0o1000 }), { code: 'ERR_INTERPROC_RANGE' });
});

test('a mode without the owner’s permissions has its values all the same', (t) => {
  const set = newSet(t, { initial: [3, 0, 9], mode: 0o044 });
  set.set({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, mode: 0o600 });
  assert.deepEqual(set.getAll(), [3, 0, 9]);
});

test('after the removal every call is EIDRM, in every form', async (t) => {
  const set = newSet(t, { count: 2 });
  set.remove();
  for (const call of [
    () => set.tryAcquire(),
    () => set.acquireSync(),
    () => set.release(),
    () => set.tryOperate([{ index: 0, op: 1 }]),
    () => set.waitForZeroSync(),
    () => set.getValue(),
    () => set.getAll(),
    () => set.setValue(0, 1),
    () => set.setAll([1, 1]),
    () => set.lastPid(),
    () => set.waitingForIncrease(),
    () => set.stat(),
    () => set.set({ mode: 0o600 }),
    () => set.remove(),
  ]) {
    assert.throws(call, (why) => why instanceof IpcError && why.code === 'EIDRM', String(call));
  }
  await assert.rejects(set.acquire(), { code: 'EIDRM', hint: /removed/ });
  await assert.rejects(set.operate([{ index: 0, op: 0 }]), { code: 'EIDRM' });
});

test('an id without a set is EINVAL, and says so', () => {
  assert.throws(() => semaphoreSet.fromId(NO_ID), {
    code: 'EINVAL',
    syscall: 'semctl(IPC_STAT)',
    hint: /no semaphore set/,
  });
  assert.throws(() => semaphoreSet.fromId(-1), { code: 'ERR_INTERPROC_RANGE' });
});

test('use after close is an error and changes nothing, and the set stays', async (t) => {
  const set = newSet(t, { initial: 1 });
  const permit = set.acquireSync();
  set.close();
  set.close();
  assert.throws(() => set.release(), { code: 'ERR_INTERPROC_CLOSED', message: /the System V semaphore set 0x/ });
  assert.throws(() => permit.release(), { code: 'ERR_INTERPROC_CLOSED' });
  await assert.rejects(set.acquire(), { code: 'ERR_INTERPROC_CLOSED' });
  assert.deepEqual(semaphoreSet.fromId(set.id).getAll(), [0]);
  assert.match(inspect(set), /^SemaphoreSet \{ key: '0x[0-9a-f]{8}', id: \d+, count: 1, closed: true \}$/);
});
