/** What another user may do with a queue, by its mode. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attempt } from '../support/elsewhere.js';
import { skip } from '../support/skips.js';
import { bytes, newQueue } from './support.js';

test('the mode keeps another user out of a queue, by key and by id, and only the owner changes or removes it', async (t) => {
  const { key, id } = newQueue(t);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.messageQueue.open', key],
    ['sysv.messageQueue.openOrCreate', key],
    ['sysv.messageQueue.create', key],
    ['sysv.messageQueue.remove', key],
    ['sysv.messageQueue.fromId', id],
  ]);
  if (outcomes === undefined) return;
  const [open, either, create, remove, byId] = outcomes;
  for (const refused of [open, either]) {
    assert.deepEqual([refused?.code, refused?.errno, refused?.syscall], ['EACCES', -13, 'msgget']);
    assert.match(refused?.hint ?? '', /belongs to somebody else whose mode/);
  }
  assert.equal(open?.key, `0x${key.toString(16).padStart(8, '0')}`);
  assert.equal(create?.code, 'EEXIST');
  assert.deepEqual([remove?.code, remove?.syscall], ['EPERM', 'msgctl(IPC_RMID)']);
  assert.match(remove?.hint ?? '', /only the owner of a queue, its creator/);
  assert.deepEqual([byId?.code, byId?.syscall], ['EACCES', 'msgctl(IPC_STAT)']);
  assert.match(byId?.hint ?? '', /needs read permission/);
});

test('who may only receive is refused to send, to change and to remove, and may look', async (t) => {
  const queue = newQueue(t, { mode: 0o644 });
  queue.sendSync(1, bytes('for all'));
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.messageQueue.open', queue.key],
    ['sysv.messageQueue.open', queue.key, { access: 'receive' }],
    ['$1.stat'],
    ['$1.copy', 0],
    ['$1.tryReceive'],
    ['$1.trySend', 1, { bytes: 1 }],
    ['$1.send', 1, { bytes: 1 }],
    ['$1.set', { mode: 0o666 }],
    ['$1.remove'],
    ['sysv.messageQueue.openOrCreate', queue.key, { access: 'receive' }],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    ['EACCES', undefined, undefined, undefined, undefined, 'EACCES', 'EACCES', 'EPERM', 'EPERM', undefined],
  );
  assert.match(outcomes[5]?.hint ?? '', /write permission/);
  assert.equal(outcomes[7]?.syscall, 'msgctl(IPC_SET)');
  assert.equal(queue.stat().messages, 0);
});

test('who may only send is refused to receive, to copy and to look, and waits for room all the same', async (t) => {
  const queue = newQueue(t, { mode: 0o622, maxBytes: 1 });
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.messageQueue.open', queue.key, { access: 'receive' }],
    ['sysv.messageQueue.open', queue.key, { access: 'send' }],
    ['$1.trySend', 1, { bytes: 1 }],
    ['$1.trySend', 1, { bytes: 1 }],
    ['$1.send', 1, { bytes: 1 }, { timeoutMs: 20 }],
    ['$1.sendSync', 1, { bytes: 2 }, { timeoutMs: 20 }],
    ['$1.tryReceive'],
    ['$1.receive'],
    ['$1.receiveSync', { timeoutMs: 20 }],
    ['$1.copy', 0],
    ['$1.stat'],
    ['$1.set', { maxBytes: 10 }],
    ['$1.set', { uid: 0, gid: 0, mode: 0o666, maxBytes: 10 }],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code, value }) => code ?? value),
    [
      'EACCES',
      {},
      true,
      false,
      'ETIMEDOUT',
      'ETIMEDOUT',
      'EACCES',
      'EACCES',
      'EACCES',
      'EACCES',
      'EACCES',
      'EACCES',
      'EPERM',
    ],
  );
  assert.equal(outcomes[6]?.syscall, 'msgrcv');
  assert.match(outcomes[6]?.hint ?? '', /read permission/);
  assert.equal(queue.stat().messages, 1);
});

test('the owner changes a queue that he may not look at by naming everything', async (t) => {
  const where = { unshared: ['ipc'], asNobody: process.getuid?.() === 0 } as const;
  const outcomes = await attempt(t, where, [
    ['sysv.messageQueue.create', 'private', { mode: 0o200, maxBytes: 10 }],
    ['$0.stat'],
    ['$0.set', { mode: 0o600 }],
  ]);
  if (outcomes === undefined) return;
  if (process.getuid?.() !== 0) return assert.equal(outcomes[0]?.code, undefined, 'root of its namespace may look');
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    [undefined, 'EACCES', 'EACCES'],
  );
  const all = { uid: 65534, gid: 65534, mode: 0o600, maxBytes: 10 };
  const again = await attempt(t, where, [
    ['sysv.messageQueue.create', 'private', { mode: 0o200 }],
    ['$0.set', all],
    ['$0.stat'],
  ]);
  assert.deepEqual(
    again?.map(({ code }) => code),
    [undefined, undefined, undefined],
  );
});

test('permission that is taken away while somebody waits is EACCES for him', async (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const queue = newQueue(t, { mode: 0o666 });
  const refused = attempt(t, { asNobody: true }, [
    ['sysv.messageQueue.open', queue.key],
    ['$0.trySend', 9, { bytes: 0 }],
    ['$0.receive', { type: 5 }],
  ]);
  await queue.receive({ type: 9 });
  queue.set({ mode: 0o600 });
  queue.trySend(5, bytes('not for him'));
  const outcomes = await refused;
  assert.equal(outcomes?.[2]?.code, 'EACCES');
  assert.equal(queue.stat().messages, 1);
});

test('the owner may give a queue away, and its creator still removes it', async (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const queue = newQueue(t);
  queue.set({ uid: 65534, gid: 65534 });
  const { uid, gid, creatorUid, creatorGid } = queue.stat();
  assert.deepEqual([uid, gid, creatorUid, creatorGid], [65534, 65534, 0, 0]);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['sysv.messageQueue.open', queue.key],
    ['$0.trySend', 1, { bytes: 1 }],
    ['$0.set', { mode: 0o660 }],
    ['$0.remove'],
  ]);
  assert.deepEqual(
    outcomes?.map(({ code }) => code),
    [undefined, undefined, undefined, undefined],
  );
  assert.throws(() => queue.stat(), { code: 'EIDRM' });
});
