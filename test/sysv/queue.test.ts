import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as interproc from '../../src/index.js';
import { IPC_PRIVATE, messageQueue } from '../../src/sysv/index.js';
import { attempt } from '../support/elsewhere.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, freeKey, newQueue, removedAfter, text } from './support.js';

const msgmnb = Number(readFileSync('/proc/sys/kernel/msgmnb', 'utf8'));

test('create makes a queue that is private to its user and empty', (t) => {
  const key = freeKey(t);
  using queue = messageQueue.create(key);
  assert.equal(queue.key, key);
  assert.equal(queue.created, true);
  const status = queue.stat();
  assert.deepEqual(
    { ...status, changeTime: undefined },
    {
      key,
      id: queue.id,
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
      creatorUid: process.geteuid?.(),
      creatorGid: process.getegid?.(),
      mode: 0o600,
      messages: 0,
      bytes: 0,
      maxBytes: msgmnb,
      lastSendPid: undefined,
      lastReceivePid: undefined,
      lastSendTime: undefined,
      lastReceiveTime: undefined,
      changeTime: undefined,
    },
  );
  assert.ok(Math.abs(status.changeTime.getTime() - Date.now()) < 60_000);
  const shown = key.toString(16).padStart(8, '0');
  assert.match(inspect(queue), new RegExp(`^MessageQueue \\{\\s+key: '0x${shown}',\\s+id: ${queue.id},`));
});

test('the family is a namespace of the whole', () => {
  assert.equal(interproc.sysv.messageQueue.create, messageQueue.create);
});

test('the mode is exactly what was asked for: System V queues ignore the umask', (t) => {
  const before = process.umask();
  try {
    for (const umask of [0o077, 0, 0o777]) {
      process.umask(umask);
      for (const mode of [0o600, 0o666, 0o640, 0o777]) assert.equal(newQueue(t, { mode }).stat().mode, mode);
      assert.equal(newQueue(t, { mode: 0o662, maxBytes: 100 }).stat().mode, 0o662);
    }
  } finally {
    process.umask(before);
  }
});

test('create refuses a key that is taken, open one that is not, and openOrCreate neither', (t) => {
  const key = freeKey(t);
  const name = `0x${key.toString(16).padStart(8, '0')}`;
  assert.throws(() => messageQueue.open(key), {
    name: 'IpcError',
    code: 'ENOENT',
    errno: -2,
    syscall: 'msgget',
    key: name,
    hint: /openOrCreate/,
  });
  using first = messageQueue.openOrCreate(key, { maxBytes: 100, mode: 0o640 });
  assert.equal(first.created, true);
  assert.throws(() => messageQueue.create(key), {
    code: 'EEXIST',
    syscall: 'msgget',
    key: name,
    hint: /open\(\) uses the queue that exists/,
  });
  using second = messageQueue.openOrCreate(key, { maxBytes: 200, mode: 0o600 });
  assert.deepEqual([second.created, second.id], [false, first.id]);
  assert.deepEqual([second.stat().maxBytes, second.stat().mode], [100, 0o640], 'a queue keeps what it was made with');
  using third = messageQueue.open(key);
  assert.deepEqual([third.created, third.id, third.key], [false, first.id, key]);
});

test('of several processes that make a queue at once, exactly one makes it', async (t) => {
  const key = freeKey(t);
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, () =>
      attempt(t, {}, [['sysv.messageQueue.create', key], ['sysv.messageQueue.openOrCreate', key], ['$1.created']]),
    ),
  );
  assert.equal(outcomes.filter((one) => one?.[0]?.code === undefined).length, 1);
  assert.ok(outcomes.every((one) => one?.[0]?.code === undefined || one[0].code === 'EEXIST'));
  assert.ok(outcomes.every((one) => one?.[2]?.value === false));
});

test('of several processes that open or make a queue at once, exactly one makes it', async (t) => {
  const key = freeKey(t);
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, () =>
      attempt(t, {}, [['sysv.messageQueue.openOrCreate', key], ['$0.created'], ['$0.id']]),
    ),
  );
  assert.equal(outcomes.filter((one) => one?.[1]?.value === true).length, 1);
  assert.equal(new Set(outcomes.map((one) => one?.[2]?.value)).size, 1);
});

test('a negative key is the same as its 32 bits without a sign', (t) => {
  const key = (freeKey(t) | 0x8000_0000) >>> 0;
  const queue = messageQueue.openOrCreate(key | 0);
  removedAfter(t, queue);
  assert.equal(queue.key, key);
  assert.equal(messageQueue.open(key).id, queue.id);
});

test('a private queue is always a new one, and is found by its id only', (t) => {
  const queues = [
    messageQueue.create('private'),
    messageQueue.create(IPC_PRIVATE),
    messageQueue.openOrCreate('private'),
    messageQueue.openOrCreate(0),
  ];
  for (const queue of queues) {
    removedAfter(t, queue);
    assert.deepEqual([queue.key, queue.created], [0, true]);
  }
  assert.equal(new Set(queues.map(({ id }) => id)).size, 4);
  for (const key of [0, 'private']) {
    assert.throws(() => messageQueue.open(key as number), { name: 'TypeError', message: /no key .*fromId/ });
    assert.throws(() => messageQueue.remove(key as number), { code: 'ERR_INTERPROC_ARGUMENT' });
  }
  const [first] = queues as [messageQueue.MessageQueue];
  first.sendSync(1, bytes('by id'));
  using again = messageQueue.fromId(first.id);
  assert.deepEqual([again.created, again.key], [false, 0]);
  assert.equal(text(again.tryReceive()?.data), 'by id');
});

test('a random key is one that was free, and finds the queue', (t) => {
  const [one, other] = [newQueue(t), newQueue(t)];
  assert.notEqual(one.key, other.key);
  assert.ok(one.key > 0 && one.created);
  assert.equal(messageQueue.open(one.key).id, one.id);
});

test('an id without a queue is EINVAL, and says so', () => {
  assert.throws(() => messageQueue.fromId(0x7fff_ffff), {
    code: 'EINVAL',
    syscall: 'msgctl(IPC_STAT)',
    object: 'id 2147483647',
    hint: /no queue has this id/,
  });
  for (const id of [-1, 1.5, 2 ** 31]) assert.throws(() => messageQueue.fromId(id), { code: 'ERR_INTERPROC_RANGE' });
});

test('keys and options that cannot be meant are refused before anything is made', (t) => {
  const key = freeKey(t);
  for (const wrong of ['0x12', undefined, null, 7n, {}, 'Private', 'random ']) {
    for (const call of [messageQueue.create, messageQueue.open, messageQueue.openOrCreate, messageQueue.remove]) {
      assert.throws(() => call(wrong as never), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT', message: /key/ });
    }
  }
  for (const wrong of [2 ** 32, -(2 ** 31) - 1, 1.5, Number.NaN]) {
    assert.throws(() => messageQueue.create(wrong), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  for (const call of [messageQueue.create, messageQueue.openOrCreate]) {
    for (const mode of [0o1000, -1, 0.5]) assert.throws(() => call(key, { mode }), { code: 'ERR_INTERPROC_RANGE' });
    for (const maxBytes of [0, -1, 1.5]) assert.throws(() => call(key, { maxBytes }), { code: 'ERR_INTERPROC_RANGE' });
    assert.throws(() => call(key, { mode: '600' as never }), { name: 'TypeError', message: /mode must be a number/ });
    assert.throws(() => call(key, { maxbytes: 1 } as never), /unknown option 'maxbytes' \(did you mean maxBytes\?\)/);
  }
  assert.throws(() => messageQueue.open(key, { mode: 0o600 } as never), /unknown option 'mode'/);
  assert.throws(() => messageQueue.open(key, { access: 'write' as never }), /'send', 'receive' or 'both'/);
  assert.throws(() => messageQueue.openOrCreate(key, { access: 'write' as never }), /'send', 'receive' or 'both'/);
  assert.throws(() => messageQueue.open(key), { code: 'ENOENT' }, 'nothing was made');
});

test('a queue is as large as asked, and one above msgmnb without the privilege is EPERM and leaves nothing', async (t) => {
  assert.equal(newQueue(t, { maxBytes: 1 }).stat().maxBytes, 1);
  assert.equal(newQueue(t, { maxBytes: msgmnb }).stat().maxBytes, msgmnb);
  const key = freeKey(t);
  const outcomes = await attempt(t, { unshared: ['ipc'], asNobody: process.getuid?.() === 0 }, [
    ['sysv.messageQueue.create', key, { maxBytes: msgmnb + 1 }],
    ['sysv.messageQueue.open', key],
    ['sysv.messageQueue.create', key, { maxBytes: msgmnb }],
    ['$2.set', { maxBytes: msgmnb + 1 }],
    ['$2.set', { maxBytes: 1 }],
    ['$2.set', { maxBytes: msgmnb }],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    ['EPERM', 'ENOENT', undefined, 'EPERM', undefined, undefined],
  );
  assert.match(outcomes[0]?.hint ?? '', /\/proc\/sys\/kernel\/msgmnb .*CAP_SYS_RESOURCE/);
  assert.equal(outcomes[3]?.syscall, 'msgctl(IPC_SET)');
});

test('more queues than the system allows are ENOSPC, and the hint names msgmni', async (t) => {
  const where = { unshared: ['ipc'], before: 'echo 5 > /proc/sys/kernel/msgmni' } as const;
  const outcomes = await attempt(t, where, [['*sysv.messageQueue.create', 'private']]);
  if (outcomes === undefined) return;
  assert.deepEqual([outcomes[0]?.code, outcomes[0]?.count, outcomes[0]?.syscall], ['ENOSPC', 5, 'msgget']);
  assert.match(outcomes[0]?.hint ?? '', /\/proc\/sys\/kernel\/msgmni/);
});

test('remove takes key and messages at once for everybody, and the next queue of this key is another', (t) => {
  const key = freeKey(t);
  using queue = messageQueue.create(key);
  using other = messageQueue.open(key);
  queue.sendSync(1, bytes('lost'));
  queue.remove();
  assert.throws(() => messageQueue.open(key), { code: 'ENOENT' });
  using next = messageQueue.create(key);
  assert.notEqual(next.id, queue.id);
  assert.equal(next.tryReceive(), undefined);
  messageQueue.remove(key);
  assert.throws(() => messageQueue.remove(key), { code: 'ENOENT', syscall: 'msgget' });
  assert.equal(other.closed, false);
});

test('after the removal every call is EIDRM, in every form', async (t) => {
  const queue = newQueue(t);
  using other = messageQueue.fromId(queue.id);
  queue.remove();
  const removed = { name: 'IpcError', code: 'EIDRM', errno: -43, hint: /was removed/ };
  const calls: (() => unknown)[] = [
    () => other.trySend(1, bytes('x')),
    () => other.sendSync(1, bytes('x')),
    () => other.sendSync(1, bytes('x'), { timeoutMs: 10 }),
    () => other.tryReceive(),
    () => other.receiveSync(),
    () => other.receiveSync({ timeoutMs: 10 }),
    () => other.tryReceiveInto(new Uint8Array(1)),
    () => other.copy(0),
    () => other.stat(),
    () => other.set({ mode: 0o600 }),
    () => other.set({ uid: 0, gid: 0, mode: 0o600, maxBytes: 1 }),
    () => other.remove(),
  ];
  for (const call of calls) assert.throws(call, removed, String(call));
  await assert.rejects(other.send(1, bytes('x')), removed);
  await assert.rejects(other.receive(), removed);
  assert.match(inspect(other), /MessageQueue \{/);
});

test('set changes what it names and leaves the rest', (t) => {
  const queue = newQueue(t, { mode: 0o600, maxBytes: 1000 });
  const before = queue.stat();
  queue.set({ mode: 0o644 });
  assert.deepEqual([queue.stat().mode, queue.stat().maxBytes, queue.stat().uid], [0o644, 1000, before.uid]);
  queue.set({ maxBytes: 500 });
  assert.deepEqual([queue.stat().mode, queue.stat().maxBytes], [0o644, 500]);
  queue.set({ uid: before.uid, gid: before.gid, mode: 0o600, maxBytes: 400 });
  assert.deepEqual([queue.stat().mode, queue.stat().maxBytes], [0o600, 400]);
  queue.set({});
  assert.equal(queue.stat().maxBytes, 400);
  for (const wrong of [{ mode: 0o1000 }, { maxBytes: 0 }, { uid: -1 }, { gid: 2 ** 32 }, { uid: 2 ** 32 - 1 }]) {
    assert.throws(() => queue.set(wrong), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => queue.set({ size: 1 } as never), /unknown option 'size'/);
  assert.throws(() => queue.set(undefined as never), { name: 'TypeError' });
  assert.equal(queue.stat().maxBytes, 400);
});

test('stat tells what is in the queue, and who sent and received last, and when', async (t) => {
  if (!peer(t, 'perl')) return;
  const queue = newQueue(t);
  queue.sendSync(1, bytes('12345'));
  queue.sendSync(2, bytes(''));
  const sent = queue.stat();
  assert.deepEqual([sent.messages, sent.bytes, sent.lastSendPid, sent.lastReceivePid], [2, 5, process.pid, undefined]);
  assert.ok(Math.abs((sent.lastSendTime as Date).getTime() - Date.now()) < 60_000);
  const receive = 'my $m; msgrcv($ARGV[0], $m, 100, 0, 0) or die $!; print "$$\\n"';
  const perl = start(t, 'perl', ['-e', receive, String(queue.id)]);
  assert.equal(await perl.line(), String(perl.pid));
  const received = queue.stat();
  assert.deepEqual([received.messages, received.bytes, received.lastReceivePid], [1, 0, perl.pid]);
  assert.ok(received.lastReceiveTime instanceof Date);
});

test('after close everything but close is refused, and the queue stays', async (t) => {
  const queue = newQueue(t);
  queue.close();
  queue.close();
  assert.equal(queue.closed, true);
  const closed = { code: 'ERR_INTERPROC_CLOSED', message: /the System V queue 0x[0-9a-f]{8} is closed/ };
  const calls: (() => unknown)[] = [
    () => queue.trySend(1, bytes('x')),
    () => queue.sendSync(1, bytes('x')),
    () => queue.tryReceive(),
    () => queue.receiveSync(),
    () => queue.tryReceiveInto(new Uint8Array(1)),
    () => queue.receiveIntoSync(new Uint8Array(1)),
    () => queue.copy(0),
    () => queue.stat(),
    () => queue.set({ mode: 0o600 }),
    () => queue.remove(),
  ];
  for (const call of calls) assert.throws(call, closed, String(call));
  await assert.rejects(queue.send(1, bytes('x')), closed);
  await assert.rejects(queue.receive(), closed);
  await assert.rejects(queue.receiveInto(new Uint8Array(1)), closed);
  for await (const _ of queue.messages()) assert.fail('a closed handle has no messages');
  assert.match(inspect(queue), /closed: true/);
  assert.equal(messageQueue.open(queue.key).id, queue.id);
});

test('a killed process leaves the queue and its messages to the next one', async (t) => {
  if (!peer(t, 'perl')) return;
  const key = freeKey(t);
  const code = `my $id = msgget($ARGV[0], 01600) // die $!;
    msgsnd($id, pack('l! a*', 7, 'left behind'), 0) or die $!; kill 'KILL', $$`;
  assert.equal((await start(t, 'perl', ['-e', code, '--', String(key | 0)]).ended).signal, 'SIGKILL');
  using queue = messageQueue.openOrCreate(key);
  assert.equal(queue.created, false);
  const left = await queue.receive();
  assert.deepEqual([left.type, text(left.data)], [7, 'left behind']);
});
