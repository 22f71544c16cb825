import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as interproc from '../../src/index.js';
import { IPC_PRIVATE, sharedMemory } from '../../src/sysv/index.js';
import { attempt } from '../support/elsewhere.js';
import { kernelSecond } from '../support/folder.js';
import { until } from '../support/proc.js';
import { startFixture } from '../support/program.js';
import { freeKey, hasHugePages, newSegment, removedAfter } from './segments.js';

test('create makes a segment of the size asked, private to its user, zero-filled and not attached', (t) => {
  const key = freeKey(t);
  const before = kernelSecond(t);
  using segment = sharedMemory.create(key, { size: 10_000 });
  assert.deepEqual([segment.key, segment.created, segment.size], [key, true, 10_000]);
  const status = segment.stat();
  assert.deepEqual(
    { ...status, changeTime: undefined },
    {
      key,
      id: segment.id,
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
      creatorUid: process.geteuid?.(),
      creatorGid: process.getegid?.(),
      mode: 0o600,
      size: 10_000,
      attached: 0,
      markedForRemoval: false,
      locked: false,
      creatorPid: process.pid,
      lastPid: undefined,
      lastAttachTime: undefined,
      lastDetachTime: undefined,
      changeTime: undefined,
    },
  );
  assert.ok(status.changeTime >= before && status.changeTime.getTime() <= Date.now());
  using memory = segment.attach();
  assert.equal(memory.byteLength, 10_000);
  assert.ok(memory.bytes.every((byte) => byte === 0));
  const shown = key.toString(16).padStart(8, '0');
  assert.match(inspect(segment), new RegExp(`^Segment \\{ key: '0x${shown}', id: ${segment.id}, size: 10000,`));
});

test('the segments are in the namespace of the whole', () => {
  assert.equal(interproc.sysv.sharedMemory.create, sharedMemory.create);
});

test('the mode is exactly what was asked for: System V segments ignore the umask', (t) => {
  const before = process.umask();
  try {
    for (const umask of [0o077, 0, 0o777]) {
      process.umask(umask);
      for (const mode of [0o600, 0o666, 0o640, 0o777]) assert.equal(newSegment(t, { mode }).stat().mode, mode);
    }
  } finally {
    process.umask(before);
  }
});

test('create refuses a key that a segment has, open one that none has, and openOrCreate neither', (t) => {
  const key = freeKey(t);
  const name = `0x${key.toString(16).padStart(8, '0')}`;
  assert.throws(() => sharedMemory.open(key), {
    name: 'IpcError',
    code: 'ENOENT',
    errno: -2,
    syscall: 'shmget',
    key: name,
    hint: /openOrCreate/,
  });
  assert.throws(() => sharedMemory.remove(key), { code: 'ENOENT', syscall: 'shmget', key: name });
  using first = sharedMemory.openOrCreate(key, { size: 100, mode: 0o640 });
  assert.equal(first.created, true);
  const taken = { code: 'EEXIST', syscall: 'shmget', key: name, hint: /open\(\) uses the segment that exists/ };
  assert.throws(() => sharedMemory.create(key, { size: 100 }), taken);
  for (const hugePages of [true, 'require'] as const) {
    assert.throws(() => sharedMemory.create(key, { size: 100, hugePages }), taken);
  }
  using second = sharedMemory.openOrCreate(key, { size: 50, mode: 0o600 });
  assert.deepEqual([second.created, second.id, second.size], [false, first.id, 100]);
  assert.equal(second.stat().mode, 0o640, 'a segment keeps what it was made with');
  using third = sharedMemory.open(key);
  assert.deepEqual([third.created, third.id, third.key, third.size], [false, first.id, key, 100]);
  sharedMemory.remove(key);
  assert.throws(() => sharedMemory.open(key), { code: 'ENOENT' });
});

test('a segment that exists must have the size that is asked for, or more', (t) => {
  const { key } = newSegment(t, { size: 5000 });
  for (const size of [1, 4096, 5000]) {
    assert.equal(sharedMemory.open(key, { size }).size, 5000);
    assert.equal(sharedMemory.openOrCreate(key, { size }).size, 5000);
  }
  for (const size of [5001, 8192, 1e9]) {
    const refused = { code: 'EINVAL', syscall: 'shmget', hint: /fewer bytes than size/ };
    assert.throws(() => sharedMemory.open(key, { size }), refused);
    assert.throws(() => sharedMemory.openOrCreate(key, { size }), refused);
  }
});

test('of several processes that make a segment at once, exactly one makes it', async (t) => {
  const [one, other] = [freeKey(t), freeKey(t)];
  const size = { size: 100 };
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, () =>
      attempt(t, {}, [
        ['sysv.sharedMemory.create', one, size],
        ['sysv.sharedMemory.openOrCreate', other, size],
        ['$1.created'],
        ['$1.id'],
      ]),
    ),
  );
  assert.equal(outcomes.filter((each) => each?.[0]?.code === undefined).length, 1);
  assert.ok(outcomes.every((each) => each?.[0]?.code === undefined || each[0].code === 'EEXIST'));
  assert.equal(outcomes.filter((each) => each?.[2]?.value === true).length, 1);
  assert.equal(new Set(outcomes.map((each) => each?.[3]?.value)).size, 1);
});

test('who makes and removes an object under the feet of another gets it or hears that it is not there, and nothing else', async (t) => {
  const key = freeKey(t);
  const racers = [1, 2].map(() => startFixture(t, 'sysv-race', [String(key), '4000']));
  for (const racer of racers) {
    const { made, errors } = JSON.parse(await racer.line()) as { made: number; errors: string[] };
    assert.ok(made > 0);
    for (const error of errors) assert.match(error, /^ENOENT (shm|msg)get$/);
  }
});

test('a private segment is always a new one, and is found by its id only', (t) => {
  const segments = [
    sharedMemory.create('private', { size: 1 }),
    sharedMemory.create(IPC_PRIVATE, { size: 1 }),
    sharedMemory.openOrCreate('private', { size: 1 }),
    sharedMemory.openOrCreate(0, { size: 1 }),
  ];
  for (const segment of segments) {
    removedAfter(t, segment);
    assert.deepEqual([segment.key, segment.created], [0, true]);
  }
  assert.equal(new Set(segments.map(({ id }) => id)).size, 4);
  for (const key of [0, 'private']) {
    assert.throws(() => sharedMemory.open(key as number), { name: 'TypeError', message: /no key .*fromId/ });
    assert.throws(() => sharedMemory.remove(key as number), { code: 'ERR_INTERPROC_ARGUMENT' });
  }
  const [first] = segments as [sharedMemory.Segment];
  using memory = first.attach();
  memory.bytes[0] = 17;
  using again = sharedMemory.fromId(first.id);
  assert.deepEqual([again.created, again.key, again.size], [false, 0, 1]);
  using theirs = again.attach();
  assert.equal(theirs.bytes[0], 17);
});

test('a random key is one that no segment had, and a negative key the same as its 32 bits without a sign', (t) => {
  const [one, other] = [newSegment(t), newSegment(t)];
  assert.notEqual(one.key, other.key);
  assert.equal(sharedMemory.open(one.key).id, one.id);
  const key = (freeKey(t) | 0x8000_0000) >>> 0;
  const segment = sharedMemory.openOrCreate(key | 0, { size: 1 });
  removedAfter(t, segment);
  assert.equal(segment.key, key);
  assert.equal(sharedMemory.open(key).id, segment.id);
});

test('a key finds a queue and a segment, which know nothing of each other', (t) => {
  const { key } = newSegment(t);
  using queue = interproc.sysv.messageQueue.create(key);
  try {
    assert.equal(sharedMemory.open(key).stat().size, 4096);
  } finally {
    queue.remove();
  }
  sharedMemory.open(key);
});

test('an id without a segment is EINVAL, and says so', () => {
  assert.throws(() => sharedMemory.fromId(0x7fff_ffff), {
    code: 'EINVAL',
    syscall: 'shmctl(IPC_STAT)',
    object: 'id 2147483647',
    hint: /no segment has this id/,
  });
  for (const id of [-1, 1.5, 2 ** 31]) assert.throws(() => sharedMemory.fromId(id), { code: 'ERR_INTERPROC_RANGE' });
});

test('keys, sizes and options of a segment that cannot be meant are refused before anything is made', (t) => {
  const key = freeKey(t);
  const { create, open, openOrCreate, remove } = sharedMemory;
  for (const wrong of ['0x12', undefined, null, 7n, {}, 'Private', 'random '] as never[]) {
    const refused = { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT', message: /key/ };
    for (const call of [create, openOrCreate]) assert.throws(() => call(wrong, { size: 1 }), refused);
    for (const call of [open, remove]) assert.throws(() => call(wrong), refused);
  }
  for (const wrong of [2 ** 32, -(2 ** 31) - 1, 1.5, Number.NaN]) {
    assert.throws(() => create(wrong, { size: 1 }), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  const { key: taken } = newSegment(t);
  for (const call of [create, openOrCreate]) {
    for (const size of [0, -1, 1.5, 2 ** 53, Number.NaN, Infinity]) {
      for (const one of [key, taken, 'private'] as const) {
        assert.throws(() => call(one, { size }), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /size/ });
      }
    }
    for (const size of ['1', undefined, null, 1n] as never[]) {
      assert.throws(() => call(key, { size }), { name: 'TypeError', message: /size must be a number/ });
    }
    assert.throws(() => call(key, undefined as never), { name: 'TypeError', message: /size must be a number/ });
    for (const mode of [0o1000, -1, 0.5]) assert.throws(() => call(key, { size: 1, mode }), /mode/);
    for (const hugePages of ['prefer', 1, null] as never[]) {
      assert.throws(() => call(key, { size: 1, hugePages }), { name: 'TypeError', message: /a boolean or 'require'/ });
    }
    assert.throws(() => call(key, { size: 1, sise: 1 } as never), /unknown option 'sise' \(did you mean size\?\)/);
  }
  for (const size of [0, -1, 1.5]) assert.throws(() => open(key, { size }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => open(key, { mode: 0o600 } as never), /unknown option 'mode'/);
  assert.throws(() => open(key, { access: 'write' as never }), /'read' or 'read-write'/);
  assert.throws(() => openOrCreate(key, { size: 1, access: 'both' as never }), /'read' or 'read-write'/);
  assert.throws(() => open(key), { code: 'ENOENT' }, 'nothing was made');
});

test('set changes owner and mode, leaves the rest, and moves the change time', async (t) => {
  const segment = newSegment(t, { mode: 0o600 });
  const before = segment.stat();
  await until('the clock of the kernel shows another second', () => Date.now() > before.changeTime.getTime() + 1050);
  assert.deepEqual(segment.stat(), before);
  // The clock that the kernel stamps with goes on tick by tick.
  await until('the change time moves', () => {
    segment.set({ mode: 0o640 });
    return segment.stat().changeTime > before.changeTime;
  });
  assert.deepEqual({ ...segment.stat(), changeTime: before.changeTime }, { ...before, mode: 0o640 });
  segment.set({});
  assert.equal(segment.stat().mode, 0o640);
  for (const wrong of [{ mode: 0o1000 }, { uid: -1 }, { gid: 2 ** 32 - 1 }, { uid: 1.5 }]) {
    assert.throws(() => segment.set(wrong), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => segment.set({ size: 1 } as never), /unknown option 'size'/);
});

test('sizes that the system does not allow are EINVAL and ENOSPC, and the hints name what decides', async (t) => {
  const outcomes = await attempt(
    t,
    {
      unshared: ['ipc'],
      before: 'echo 8192 > /proc/sys/kernel/shmmax; echo 4 > /proc/sys/kernel/shmall; echo 3 > /proc/sys/kernel/shmmni',
    },
    [
      ['sysv.sharedMemory.create', 'private', { size: 8193 }],
      ['sysv.sharedMemory.create', 'private', { size: 8192 }],
      ['sysv.sharedMemory.create', 'private', { size: 4097 }],
      ['sysv.sharedMemory.create', 'private', { size: 1 }],
      ['$2.remove'],
      ['*sysv.sharedMemory.create', 'private', { size: 1 }],
    ],
  );
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    ['EINVAL', undefined, undefined, 'ENOSPC', undefined, 'ENOSPC'],
  );
  assert.match(outcomes[0]?.hint ?? '', /shmmax/);
  assert.match(outcomes[3]?.hint ?? '', /shmall/);
  assert.equal(outcomes[5]?.count, 2, 'two more, then there are three');
  assert.match(outcomes[5]?.hint ?? '', /shmmni/);
  assert.equal(outcomes[5]?.key, 'IPC_PRIVATE');
});

test('more than the machine has is ENOMEM, and the hint says why', async (t) => {
  const outcomes = await attempt(t, { unshared: ['ipc'] }, [
    ['sysv.sharedMemory.create', 'private', { size: 2 ** 50 }],
  ]);
  if (outcomes === undefined) return;
  const promisesAll = readFileSync('/proc/sys/vm/overcommit_memory', 'utf8').trim() === '1';
  assert.equal(outcomes[0]?.code, promisesAll ? undefined : 'ENOMEM');
  assert.match(outcomes[0]?.hint ?? '', promisesAll ? /^$/ : /memory and swap/);
});

test('where there are no huge pages a segment that prefers them says that it has none, and one that requires them is an error', (t) => {
  const preferring = newSegment(t, { size: 5_000_000, hugePages: true });
  assert.equal(preferring.size, 5_000_000);
  assert.equal(newSegment(t).hugePages, false);
  assert.equal(sharedMemory.open(preferring.key).hugePages, undefined, 'the kernel does not tell');
  const key = freeKey(t);
  // 2^50 bytes of huge pages has nobody, whatever this machine has.
  assert.throws(() => sharedMemory.create(key, { size: 2 ** 50, hugePages: 'require' }), {
    code: /^(ENOMEM|EPERM|EINVAL|ENOSYS)$/,
    syscall: 'shmget(SHM_HUGETLB)',
    hint: /nr_hugepages|CAP_IPC_LOCK|CONFIG_HUGETLBFS/,
  });
  assert.throws(() => sharedMemory.open(key), { code: 'ENOENT' }, 'nothing was made');
  if (!hasHugePages()) assert.equal(preferring.hugePages, false);
  using memory = preferring.attach();
  memory.bytes[4_999_999] = 1;
  assert.equal(preferring.stat().attached, 1);
  memory.close();
  assert.equal(preferring.stat().attached, 0);
});

test('after close everything but close is refused', (t) => {
  const segment = newSegment(t);
  segment.close();
  segment.close();
  const closed = { code: 'ERR_INTERPROC_CLOSED', message: /^the System V segment 0x[0-9a-f]{8} is closed$/ };
  for (const call of [
    () => segment.attach(),
    () => segment.stat(),
    () => segment.set({}),
    () => segment.lock(),
    () => segment.unlock(),
    () => segment.remove(),
  ]) {
    assert.throws(call, closed);
  }
  assert.match(inspect(segment), /closed: true/);
  assert.equal(sharedMemory.open(segment.key).id, segment.id, 'it stays');
});
