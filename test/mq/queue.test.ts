import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants, fstatSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as mq from '../../src/mq/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { attempt } from '../support/elsewhere.js';
import { randomName } from '../support/folder.js';
import { start } from '../support/program.js';
import { bytes, newQueue, queueName, text } from './support.js';

test('create makes a queue that is private, close-on-exec, and as large as asked', (t) => {
  const name = queueName(t);
  using queue = mq.create(name, { maxMessages: 3, messageSize: 100 });
  assert.equal(queue.name, name);
  assert.equal(queue.created, true);
  assert.deepEqual(queue.attributes, { maxMessages: 3, messageSize: 100, messages: 0 });
  assert.equal(fstatSync(queue.fd).mode & 0o7777, 0o600);
  assert.equal(fstatSync(queue.fd).uid, process.geteuid?.());
  assert.ok(flagsOf(queue.fd) & 0o2000000, 'O_CLOEXEC');
  assert.match(inspect(queue), new RegExp(`^MessageQueue \\{\\s+name: '${name}'`));
});

test('the sizes are the system defaults if both are omitted, and ours for the one that is', (t) => {
  using both = mq.create(queueName(t));
  const limit = (name: string): number =>
    Number(execFileSync('cat', [`/proc/sys/fs/mqueue/${name}`], { encoding: 'utf8' }));
  assert.equal(both.maxMessages, Math.min(limit('msg_default'), limit('msg_max')));
  assert.equal(both.messageSize, Math.min(limit('msgsize_default'), limit('msgsize_max')));
  using few = mq.create(queueName(t), { maxMessages: 1 });
  assert.deepEqual([few.maxMessages, few.messageSize], [1, 8192]);
  using small = mq.create(queueName(t), { messageSize: 1 });
  assert.deepEqual([small.maxMessages, small.messageSize], [10, 1]);
});

test('the mode is exactly what was asked for, whatever the umask', (t) => {
  const before = process.umask();
  try {
    for (const umask of [0o077, 0, 0o777]) {
      process.umask(umask);
      for (const mode of [0o600, 0o666, 0o640]) {
        using queue = mq.create(queueName(t), { mode, maxMessages: 1, messageSize: 1 });
        assert.equal(fstatSync(queue.fd).mode & 0o7777, mode);
      }
    }
  } finally {
    process.umask(before);
  }
});

test('create refuses a name that is taken, open one that is not, and openOrCreate neither', (t) => {
  const name = queueName(t);
  assert.throws(() => mq.open(name), {
    name: 'IpcError',
    code: 'ENOENT',
    errno: -2,
    syscall: 'mq_open',
    object: name,
    hint: /openOrCreate/,
  });
  using first = mq.openOrCreate(name, { maxMessages: 2, messageSize: 8 });
  assert.equal(first.created, true);
  assert.throws(() => mq.create(name), { code: 'EEXIST', hint: /open\(\) uses the queue that exists/ });
  using second = mq.openOrCreate(name, { maxMessages: 1, messageSize: 4 });
  assert.equal(second.created, false);
  assert.deepEqual([second.maxMessages, second.messageSize], [2, 8], 'a queue keeps what it was made with');
});

test('of several processes that make a queue at once, exactly one makes it', async (t) => {
  const name = queueName(t);
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, () => attempt(t, {}, [['mq.create', name], ['mq.openOrCreate', name], ['$1.created']])),
  );
  const made = outcomes.filter((one) => one?.[0]?.code === undefined);
  assert.equal(made.length, 1);
  assert.ok(outcomes.every((one) => one?.[0]?.code === undefined || one[0].code === 'EEXIST'));
  assert.ok(outcomes.every((one) => one?.[2]?.value === false));
});

test('a name is one slash and up to 255 other bytes', (t) => {
  for (const name of ['', 'x', '/', '//', '/a/b', 'a/b', '/a\0b', '/.', '/..', undefined, 7]) {
    for (const call of [mq.create, mq.open, mq.openOrCreate, mq.unlink]) {
      assert.throws(() => call(name as string), { name: 'TypeError', code: /^ERR_INTERPROC_(NAME|ARGUMENT)$/ });
    }
  }
  const longest = `/${randomName('ip')}${'x'.repeat(255)}`.slice(0, 256);
  mq.create(longest, { maxMessages: 1, messageSize: 1 }).close();
  mq.unlink(longest);
  assert.throws(() => mq.create(`${longest}x`), { code: 'ENAMETOOLONG', hint: /255/ });
  assert.throws(() => mq.open(`${longest}x`), { code: 'ENAMETOOLONG' });
  assert.throws(() => mq.unlink(`${longest}x`), { code: 'ENAMETOOLONG' });
  const odd = `/${randomName('ip')} é…`;
  mq.create(odd).close();
  t.after(() => mq.unlink(odd));
});

test('options that cannot be meant are refused before anything is made, also where the queue exists', (t) => {
  const { name } = newQueue(t);
  for (const call of [mq.create, mq.openOrCreate]) {
    assert.throws(() => call(name, { maxMessages: 0 }), {
      name: 'RangeError',
      code: 'ERR_INTERPROC_RANGE',
      message: /maxMessages.*got 0/,
    });
    assert.throws(() => call(name, { messageSize: -1 }), { code: 'ERR_INTERPROC_RANGE', message: /messageSize/ });
    assert.throws(() => call(name, { messageSize: 1.5 }), { code: 'ERR_INTERPROC_RANGE' });
    assert.throws(() => call(name, { mode: 0o10000 }), { code: 'ERR_INTERPROC_RANGE', message: /mode/ });
    assert.throws(() => call(name, { size: 1 } as never), { name: 'TypeError', message: /unknown option 'size'/ });
    assert.throws(() => call(name, { access: 'write' as never }), {
      name: 'TypeError',
      message: /'send', 'receive' or 'both'/,
    });
  }
  assert.throws(() => mq.open(name, { maxMessages: 1 } as never), /unknown option 'maxMessages'/);
});

test('a queue opened for one way refuses the other', async (t) => {
  const { name } = newQueue(t);
  using sender = mq.open(name, { access: 'send' });
  using receiver = mq.open(name, { access: 'receive' });
  await sender.send(bytes('one way'));
  assert.throws(() => sender.tryReceive(), { code: 'EBADF', syscall: 'mq_receive', hint: /for sending only/ });
  await assert.rejects(sender.receive(), { code: 'EBADF' });
  assert.throws(() => sender.receiveSync(), { code: 'EBADF' });
  assert.throws(() => receiver.trySend(bytes('x')), { code: 'EBADF', syscall: 'mq_send', hint: /for receiving only/ });
  await assert.rejects(receiver.send(bytes('x')), { code: 'EBADF' });
  assert.throws(() => receiver.sendSync(bytes('x')), { code: 'EBADF' });
  assert.equal(text((await receiver.receive()).data), 'one way');
  using made = mq.create(queueName(t), { access: 'send' });
  assert.throws(() => made.tryReceive(), { code: 'EBADF' });
});

test('unlink takes the name at once, who has the queue open goes on, and a new one of this name is another', async (t) => {
  const name = queueName(t);
  using old = mq.create(name, { maxMessages: 2, messageSize: 8 });
  old.sendSync(bytes('old'));
  mq.unlink(name);
  assert.throws(() => mq.open(name), { code: 'ENOENT' });
  assert.throws(() => mq.unlink(name), { code: 'ENOENT', syscall: 'mq_unlink', object: name, hint: /no queue/ });
  using fresh = mq.create(name, { maxMessages: 1, messageSize: 4 });
  assert.equal(fresh.tryReceive(), undefined);
  assert.equal(text(old.tryReceive()?.data), 'old');
});

test('after close everything but close is refused, and the descriptor is gone', async (t) => {
  openPoller();
  const name = queueName(t);
  const before = countDescriptors();
  const queue = mq.create(name);
  queue.close();
  queue.close();
  assert.equal(countDescriptors(), before);
  assert.equal(queue.closed, true);
  assert.equal(queue.fd, -1);
  const closed = { code: 'ERR_INTERPROC_CLOSED', message: new RegExp(`message queue ${name} is closed`) };
  assert.throws(() => queue.trySend(bytes('x')), closed);
  assert.throws(() => queue.sendSync(bytes('x')), closed);
  assert.throws(() => queue.tryReceive(), closed);
  assert.throws(() => queue.receiveSync(), closed);
  assert.throws(() => queue.attributes, closed);
  await assert.rejects(queue.send(bytes('x')), closed);
  await assert.rejects(queue.receive(), closed);
  for await (const _ of queue.messages()) assert.fail('a closed queue has no messages');
  assert.match(inspect(queue), /closed: true/);
});

test('a killed process leaves the queue and its messages to the next one', async (t) => {
  const name = queueName(t);
  const code = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
queue = libc.mq_open(sys.argv[1].encode(), os.O_RDWR | os.O_CREAT, 0o600, None)
libc.mq_send(queue, b'left behind', 11, 7)
os.kill(os.getpid(), 9)`;
  await start(t, 'python3', ['-c', code, name]).ended;
  using queue = mq.openOrCreate(name);
  assert.equal(queue.created, false);
  const left = await queue.receive();
  assert.deepEqual([text(left.data), left.priority], ['left behind', 7]);
});

test('children do not inherit a queue unless they are given it', (t) => {
  const queue = newQueue(t);
  const listing = execFileSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' });
  assert.ok(!listing.includes(queue.name));
  assert.equal(flagsOf(queue.fd) & constants.O_NONBLOCK, 0);
});
