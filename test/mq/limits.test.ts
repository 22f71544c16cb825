import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as mq from '../../src/mq/index.js';
import { attempt } from '../support/elsewhere.js';
import { newQueue, queueName } from './support.js';

test('a queue over the limits is EINVAL, and the hint names both limits', async (t) => {
  const own = { unshared: ['ipc'], asNobody: process.getuid?.() === 0 } as const;
  const outcomes = await attempt(t, own, [
    ['mq.create', '/many', { maxMessages: 11, messageSize: 8 }],
    ['mq.create', '/large', { maxMessages: 1, messageSize: 8193 }],
    ['mq.create', '/most', { maxMessages: 10, messageSize: 8192 }],
    ['mq.open', '/many'],
  ]);
  if (outcomes === undefined) return;
  const [many, large, most, left] = outcomes;
  for (const refused of [many, large]) {
    assert.equal(refused?.code, 'EINVAL');
    assert.equal(refused?.syscall, 'mq_open');
    assert.match(refused?.hint ?? '', /\/proc\/sys\/fs\/mqueue\/msg_max and \/proc\/sys\/fs\/mqueue\/msgsize_max/);
  }
  assert.equal(most?.code, undefined);
  assert.equal(left?.code, 'ENOENT', 'nothing is left behind');
});

test('more queues than the system allows are ENOSPC, and the hint names queues_max', async (t) => {
  const own = { unshared: ['ipc'], asNobody: process.getuid?.() === 0 } as const;
  const outcomes = await attempt(t, own, [['*mq.create', '/q#', { maxMessages: 1, messageSize: 1 }]]);
  if (outcomes === undefined) return;
  assert.equal(outcomes[0]?.code, 'ENOSPC');
  assert.match(outcomes[0]?.hint ?? '', /\/proc\/sys\/fs\/mqueue\/queues_max/);
  assert.equal(outcomes[0]?.count, 256);
});

test('at RLIMIT_MSGQUEUE a queue is EMFILE, and the hint names that limit; a smaller one still fits', async (t) => {
  const small = queueName(t);
  const outcomes = await attempt(t, { limits: ['--msgqueue=4000'] }, [
    ['mq.create', queueName(t), { maxMessages: 10, messageSize: 8192 }],
    ['mq.create', small, { maxMessages: 1, messageSize: 100 }],
    ['mq.unlink', small],
  ]);
  assert.equal(outcomes?.[0]?.code, 'EMFILE');
  assert.match(outcomes?.[0]?.hint ?? '', /RLIMIT_MSGQUEUE .*ulimit -q.*RLIMIT_NOFILE/);
});

test('at RLIMIT_NOFILE opening is EMFILE, and works again when a descriptor is free', async (t) => {
  const { name } = newQueue(t);
  const outcomes = await attempt(t, { limits: ['--nofile=128'] }, [
    ['mq.open', name],
    ['*mq.open', name],
    ['$0.close'],
    ['mq.open', name],
  ]);
  assert.equal(outcomes?.[1]?.code, 'EMFILE');
  assert.match(outcomes?.[1]?.hint ?? '', /RLIMIT_NOFILE/);
  assert.equal(outcomes?.[3]?.code, undefined);
});

test('the mode keeps another user out, and only the owner removes the queue', async (t) => {
  const closed = newQueue(t);
  const readable = newQueue(t, { mode: 0o644 });
  const outcomes = await attempt(t, { asNobody: true }, [
    ['mq.open', closed.name],
    ['mq.openOrCreate', closed.name],
    ['mq.create', closed.name],
    ['mq.unlink', closed.name],
    ['mq.open', readable.name],
    ['mq.open', readable.name, { access: 'receive' }],
    ['$5.tryReceive'],
  ]);
  if (outcomes === undefined) return;
  const [open, either, create, unlink, both, receive] = outcomes;
  for (const refused of [open, either, both]) {
    assert.equal(refused?.code, 'EACCES');
    assert.equal(refused?.errno, -13);
    assert.match(refused?.hint ?? '', /belongs to somebody else whose mode does not let you in/);
  }
  assert.equal(open?.object, closed.name);
  assert.equal(create?.code, 'EEXIST');
  assert.match(unlink?.code ?? '', /^(EACCES|EPERM)$/);
  assert.match(unlink?.hint ?? '', /only the owner/);
  assert.equal(receive?.code, undefined);
  mq.open(closed.name).close();
});
