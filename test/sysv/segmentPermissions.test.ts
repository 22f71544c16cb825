/** What another user may do with a segment, by its mode and by his limits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attempt } from '../support/elsewhere.js';
import { skip } from '../support/skips.js';
import { newSegment } from './segments.js';

test('the mode keeps another user out of a segment, by key and by id, and only the owner changes, locks or removes it', async (t) => {
  const { key, id } = newSegment(t);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.sharedMemory.open', key],
    ['sysv.sharedMemory.openOrCreate', key, { size: 1 }],
    ['sysv.sharedMemory.create', key, { size: 1 }],
    ['sysv.sharedMemory.remove', key],
    ['sysv.sharedMemory.fromId', id],
  ]);
  if (outcomes === undefined) return;
  const [open, either, create, remove, byId] = outcomes;
  for (const refused of [open, either]) {
    assert.deepEqual([refused?.code, refused?.errno, refused?.syscall], ['EACCES', -13, 'shmget']);
    assert.match(refused?.hint ?? '', /belongs to somebody else whose mode/);
  }
  assert.equal(open?.key, `0x${key.toString(16).padStart(8, '0')}`);
  assert.equal(create?.code, 'EEXIST');
  assert.deepEqual([remove?.code, remove?.syscall], ['EPERM', 'shmctl(IPC_RMID)']);
  assert.match(remove?.hint ?? '', /only the owner of a segment, its creator/);
  assert.deepEqual([byId?.code, byId?.syscall], ['EACCES', 'shmctl(IPC_STAT)']);
  assert.match(byId?.hint ?? '', /needs read permission/);
});

test('who may only read a segment attaches it for that, and is refused to write, to change, to lock and to remove', async (t) => {
  const segment = newSegment(t, { mode: 0o644 });
  using memory = segment.attach();
  memory.bytes.set(Buffer.from('for all'));
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.sharedMemory.open', segment.key],
    ['sysv.sharedMemory.open', segment.key, { access: 'read' }],
    ['$1.stat'],
    ['$1.attach'],
    ['$3.read', 0, 7],
    ['$3.bytes'],
    ['$1.attach', { access: 'read-write' }],
    ['sysv.sharedMemory.fromId', segment.id],
    ['$7.attach'],
    ['$7.attach', { access: 'read' }],
    ['sysv.sharedMemory.openOrCreate', segment.key, { size: 1, access: 'read' }],
    ['$1.set', { mode: 0o666 }],
    ['$1.lock'],
    ['$1.unlock'],
    ['$1.remove'],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code, value }) => code ?? value),
    [
      'EACCES',
      {},
      {},
      {},
      'for all',
      'ERR_INTERPROC_READ_ONLY',
      'EACCES',
      {},
      'EACCES',
      {},
      {},
      'EPERM',
      'EPERM',
      'EPERM',
      'EPERM',
    ],
  );
  assert.equal(outcomes[6]?.syscall, 'shmat');
  assert.match(outcomes[6]?.hint ?? '', /unless access is 'read'/);
  for (const [index, command] of ['IPC_SET', 'SHM_LOCK', 'SHM_UNLOCK', 'IPC_RMID'].entries()) {
    assert.equal(outcomes[11 + index]?.syscall, `shmctl(${command})`);
    assert.match(outcomes[11 + index]?.hint ?? '', /only the owner/);
  }
});

test('write permission alone opens no segment: what is attached can always be read', async (t) => {
  const { key } = newSegment(t, { mode: 0o622 });
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.sharedMemory.open', key],
    ['sysv.sharedMemory.open', key, { access: 'read' }],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    ['EACCES', 'EACCES'],
  );
});

test('the owner changes and removes a segment that he may not look at', async (t) => {
  const where = { unshared: ['ipc'], asNobody: process.getuid?.() === 0 } as const;
  const outcomes = await attempt(t, where, [
    ['sysv.sharedMemory.create', 'private', { size: 10, mode: 0o200 }],
    ['$0.stat'],
    ['$0.attach'],
    ['$0.set', { mode: 0o600 }],
    ['$0.set', { uid: 65534, gid: 65534, mode: 0o400 }],
    ['$0.attach', { access: 'read' }],
    ['$0.remove'],
  ]);
  if (outcomes === undefined) return;
  if (process.getuid?.() !== 0) return assert.equal(outcomes[0]?.code, undefined, 'root of its namespace may look');
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    [undefined, 'EACCES', 'EACCES', 'EACCES', undefined, undefined, undefined],
  );
});

test('permission that is taken away leaves those who are in, and keeps out who comes', async (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const segment = newSegment(t, { mode: 0o666 });
  using ours = segment.attach();
  const refused = attempt(t, { asNobody: true }, [
    ['sysv.sharedMemory.open', segment.key],
    ['$0.attach'],
    ['*$0.stat'],
    ['$1.write', 0, { bytes: 3 }],
    ['$1.read', 0, 5],
    ['$0.attach'],
  ]);
  ours.bytes.set(Buffer.from('still'));
  while (segment.stat().attached < 2) await new Promise(setImmediate);
  segment.set({ mode: 0o600 });
  const outcomes = await refused;
  assert.deepEqual(
    outcomes?.map(({ code, value }) => code ?? value),
    [{}, {}, 'EACCES', undefined, '\0\0\0ll', 'EACCES'],
  );
});

test('the owner may give a segment away, and its creator still removes it', async (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const segment = newSegment(t);
  segment.set({ uid: 65534, gid: 65534 });
  const { uid, gid, creatorUid, creatorGid } = segment.stat();
  assert.deepEqual([uid, gid, creatorUid, creatorGid], [65534, 65534, 0, 0]);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.sharedMemory.open', segment.key],
    ['$0.attach'],
    ['$0.set', { mode: 0o660 }],
    ['$0.remove'],
    ['$1.close'],
  ]);
  assert.deepEqual(
    outcomes?.map(({ code }) => code),
    [undefined, undefined, undefined, undefined, undefined],
  );
  assert.throws(() => segment.stat(), { code: 'EIDRM' });
});

test('without CAP_IPC_LOCK a user locks as much as RLIMIT_MEMLOCK allows: EPERM at 0, ENOMEM beyond, and the hints name it', async (t) => {
  for (const [limit, code, hint] of [
    ['0:0', 'EPERM', /RLIMIT_MEMLOCK/],
    ['65536:65536', 'ENOMEM', /RLIMIT_MEMLOCK/],
    ['1000000:1000000', undefined, /^$/],
  ] as const) {
    const outcomes = await attempt(t, { asNobody: true, limits: [`--memlock=${limit}`] }, [
      ['sysv.sharedMemory.create', 'private', { size: 500_000 }],
      ['$0.lock'],
      ['$0.unlock'],
      ['$0.remove'],
    ]);
    if (outcomes === undefined) return;
    assert.equal(outcomes[1]?.code, code, limit);
    assert.match(outcomes[1]?.hint ?? '', hint);
    assert.deepEqual([outcomes[2]?.code, outcomes[3]?.code], [undefined, undefined]);
  }
});

test('huge pages are for who has the right to them', async (t) => {
  const outcomes = await attempt(t, { asNobody: true, limits: ['--memlock=0:0'] }, [
    ['sysv.sharedMemory.create', 'private', { size: 1, hugePages: 'require' }],
    ['sysv.sharedMemory.create', 'private', { size: 1, hugePages: true }],
    ['$1.hugePages'],
    ['$1.remove'],
  ]);
  if (outcomes === undefined) return;
  assert.match(outcomes[0]?.code ?? '', /^(EPERM|EINVAL|ENOSYS)$/);
  assert.match(outcomes[0]?.hint ?? '', /CAP_IPC_LOCK|CONFIG_HUGETLBFS/);
  assert.deepEqual([outcomes[2]?.value, outcomes[3]?.code], [false, undefined]);
});
