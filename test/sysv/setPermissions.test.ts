/** What another user may do with a set, by its mode. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { semaphoreSet } from '../../src/sysv/index.js';
import { attempt } from '../support/elsewhere.js';
import { skip } from '../support/skips.js';
import { newSet } from './sets.js';

test('the mode keeps another user out of a set, by key and by id, and only the owner changes or removes it', async (t) => {
  const { key, id } = newSet(t);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.semaphoreSet.open', key],
    ['sysv.semaphoreSet.openOrCreate', key],
    ['sysv.semaphoreSet.create', key],
    ['sysv.semaphoreSet.remove', key],
    ['sysv.semaphoreSet.fromId', id],
  ]);
  if (outcomes === undefined) return;
  const [open, either, create, remove, byId] = outcomes;
  for (const refused of [open, either]) {
    assert.deepEqual([refused?.code, refused?.errno, refused?.syscall], ['EACCES', -13, 'semget']);
    assert.match(refused?.hint ?? '', /belongs to somebody else whose mode/);
  }
  assert.equal(open?.key, `0x${key.toString(16).padStart(8, '0')}`);
  assert.equal(create?.code, 'EEXIST');
  assert.deepEqual([remove?.code, remove?.syscall], ['EPERM', 'semctl(IPC_RMID)']);
  assert.match(remove?.hint ?? '', /only the owner of a semaphore set, its creator/);
  assert.deepEqual([byId?.code, byId?.syscall], ['EACCES', 'semctl(IPC_STAT)']);
});

test('who may only read a set looks at it and waits for zero, and is refused to change it', async (t) => {
  const set = newSet(t, { mode: 0o644 });
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.semaphoreSet.open', set.key],
    ['sysv.semaphoreSet.open', set.key, { access: 'read' }],
    ['$1.getAll'],
    ['$1.waitForZero'],
    ['$1.lastPid'],
    ['$1.release'],
    ['$1.acquire'],
    ['$1.setValue', 0, 1],
    ['$1.setAll', [1]],
    ['$1.set', { mode: 0o666 }],
    ['$1.remove'],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    ['EACCES', undefined, undefined, undefined, undefined, 'EACCES', 'EACCES', 'EACCES', 'EACCES', 'EPERM', 'EPERM'],
  );
  assert.match(outcomes[5]?.hint ?? '', /write permission on the set/);
  assert.equal(outcomes[9]?.syscall, 'semctl(IPC_SET)');
  assert.deepEqual(set.getAll(), [0]);
});

test('permission that is taken away while somebody waits is looked at with the next call', async (t) => {
  const set = newSet(t, { mode: 0o666 });
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.semaphoreSet.fromId', set.id],
    ['$0.release'],
    ['$0.tryAcquire'],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    [undefined, undefined, undefined],
  );
  set.set({ mode: 0o600 });
  const later = await attempt(t, { asNobody: true }, [['sysv.semaphoreSet.open', set.key]]);
  assert.equal(later?.[0]?.code, 'EACCES');
});

test('a set is given away, and its creator may still remove it', (t) => {
  if (process.getuid?.() !== 0) {
    skip(t, 'root');
    return;
  }
  const set = newSet(t);
  set.set({ uid: 65_534, gid: 65_534, mode: 0o640 });
  const { uid, gid, mode, creatorUid } = set.stat();
  assert.deepEqual([uid, gid, mode, creatorUid], [65_534, 65_534, 0o640, 0]);
  semaphoreSet.remove(set.key);
});
