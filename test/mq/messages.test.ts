import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import * as mq from '../../src/mq/index.js';
import { bytes, newQueue, text } from './support.js';

test('the highest priority comes first, and messages of one priority in their order', (t) => {
  const queue = newQueue(t, { maxMessages: 10 });
  const sent: [string, number][] = [
    ['a', 0],
    ['b', 5],
    ['c', 32767],
    ['d', 5],
    ['e', 0],
    ['f', 32766],
  ];
  for (const [name, priority] of sent) assert.equal(queue.trySend(bytes(name), { priority }), true);
  assert.equal(queue.attributes.messages, 6);
  const received = sent.map(() => queue.tryReceive()).map((one) => [text(one?.data), one?.priority]);
  assert.deepEqual(received, [
    ['c', 32767],
    ['f', 32766],
    ['b', 5],
    ['d', 5],
    ['a', 0],
    ['e', 0],
  ]);
  assert.equal(queue.tryReceive(), undefined);
});

test('a priority is 0 to 32767', async (t) => {
  const queue = newQueue(t);
  for (const priority of [-1, 32768, 1.5, Number.NaN]) {
    assert.throws(() => queue.trySend(bytes('x'), { priority }), {
      name: 'RangeError',
      code: 'ERR_INTERPROC_RANGE',
      message: /priority/,
    });
    assert.throws(() => queue.sendSync(bytes('x'), { priority }), { code: 'ERR_INTERPROC_RANGE' });
    await assert.rejects(queue.send(bytes('x'), { priority }), { code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => queue.trySend(bytes('x'), { priority: '1' as never }), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.equal(queue.attributes.messages, 0);
});

test('a message keeps its boundaries, from none to all of its bytes', async (t) => {
  const queue = newQueue(t, { messageSize: 64, maxMessages: 10 });
  for (const size of [0, 1, 63, 64]) await queue.send(new Uint8Array(size).fill(size));
  for (const size of [0, 1, 63, 64]) {
    const { data } = await queue.receive();
    assert.deepEqual(data, new Uint8Array(size).fill(size));
  }
});

test('a message that is too long is EMSGSIZE and leaves nothing in the queue', async (t) => {
  const queue = newQueue(t, { messageSize: 8 });
  const long = new Uint8Array(9);
  const refused = {
    name: 'IpcError',
    code: 'EMSGSIZE',
    errno: -90,
    syscall: 'mq_send',
    message: /9 bytes are more than the 8/,
    hint: /fixed when the queue is created/,
  };
  assert.throws(() => queue.trySend(long), refused);
  assert.throws(() => queue.sendSync(long), refused);
  await assert.rejects(queue.send(long), refused);
  assert.equal(queue.attributes.messages, 0);
});

test('receiveInto fills the caller’s bytes; too few are EMSGSIZE, and the message stays', async (t) => {
  const queue = newQueue(t, { messageSize: 8 });
  await queue.send(bytes('four'), { priority: 4 });
  assert.throws(() => queue.tryReceiveInto(new Uint8Array(7)), {
    code: 'EMSGSIZE',
    syscall: 'mq_receive',
    message: /7 bytes are too few.*8/,
  });
  await assert.rejects(queue.receiveInto(new Uint8Array(7)), { code: 'EMSGSIZE' });
  assert.throws(() => queue.receiveIntoSync(new Uint8Array(7)), { code: 'EMSGSIZE' });
  const into = new Uint8Array(8);
  assert.equal(await queue.receiveInto(into), 4);
  assert.equal(queue.lastPriority, 4);
  assert.equal(text(into.subarray(0, 4)), 'four');
  assert.equal(queue.tryReceiveInto(into), undefined);
});

test('what is no Uint8Array is a TypeError', async (t) => {
  const queue = newQueue(t);
  for (const wrong of [
    'text',
    undefined,
    null,
    [1],
    new Uint16Array(64),
    new ArrayBuffer(64),
    new DataView(new ArrayBuffer(64)),
  ]) {
    const refused = { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' };
    assert.throws(() => queue.trySend(wrong as never), refused);
    await assert.rejects(queue.send(wrong as never), refused);
    assert.throws(() => queue.tryReceiveInto(wrong as never), refused);
    await assert.rejects(queue.receiveInto(wrong as never), refused);
  }
  queue.trySend(Buffer.from('xyz').subarray(1, 2));
  assert.equal(text(queue.tryReceive()?.data), 'y', 'a part of a Buffer is that part');
});

test('a full queue: trySend is false, sendSync times out, send waits until there is room', async (t) => {
  const queue = newQueue(t, { maxMessages: 2 });
  queue.sendSync(bytes('1'));
  queue.sendSync(bytes('2'));
  assert.equal(queue.trySend(bytes('3')), false);
  assert.throws(() => queue.sendSync(bytes('3'), { timeoutMs: 0 }), {
    code: 'ETIMEDOUT',
    syscall: 'mq_send',
    object: queue.name,
  });
  const began = performance.now();
  assert.throws(() => queue.sendSync(bytes('3'), { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  assert.ok(performance.now() - began >= 20);
  const waiting = [queue.send(bytes('3')), queue.send(bytes('4'))];
  assert.equal(text((await queue.receive()).data), '1');
  await waiting[0];
  assert.equal(text((await queue.receive()).data), '2');
  await waiting[1];
  assert.deepEqual([text(queue.tryReceive()?.data), text(queue.tryReceive()?.data)], ['3', '4']);
});

test('an empty queue: tryReceive is undefined, receiveSync times out, receives are served in their order', async (t) => {
  const queue = newQueue(t);
  assert.equal(queue.tryReceive(), undefined);
  assert.throws(() => queue.receiveSync({ timeoutMs: 0 }), { code: 'ETIMEDOUT', syscall: 'mq_receive' });
  const began = performance.now();
  assert.throws(() => queue.receiveSync({ timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  assert.throws(() => queue.receiveIntoSync(new Uint8Array(64), { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  assert.ok(performance.now() - began >= 40);
  const waiting = Promise.all([queue.receive(), queue.receive(), queue.receive()]);
  for (const name of ['a', 'b', 'c']) await queue.send(bytes(name));
  assert.deepEqual(
    (await waiting).map(({ data }) => text(data)),
    ['a', 'b', 'c'],
  );
});

test('a message that is there is delivered however short the time-out', async (t) => {
  const queue = newQueue(t);
  for (let round = 0; round < 3; round++) queue.trySend(bytes('there'));
  assert.equal(text((await queue.receive({ timeoutMs: 0 })).data), 'there');
  assert.equal(text(queue.receiveSync({ timeoutMs: 0 }).data), 'there');
  assert.equal(await queue.receiveInto(new Uint8Array(64), { timeoutMs: 0 }), 5);
  await queue.send(bytes('room'), { timeoutMs: 0 });
});

test('abort, time-out and close end a wait, and no message is lost', async (t) => {
  const queue = newQueue(t, { maxMessages: 1 });
  const controller = new AbortController();
  const reason = new Error('enough');
  const aborted = queue.receive({ signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(aborted, { name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  await assert.rejects(queue.receive({ signal: controller.signal }), { name: 'AbortError' });
  await assert.rejects(queue.receive({ timeoutMs: 10 }), { code: 'ETIMEDOUT', syscall: 'mq_receive' });
  await queue.send(bytes('kept'));
  const again = new AbortController();
  const send = queue.send(bytes('never in'), { signal: again.signal });
  again.abort();
  await assert.rejects(send, { code: 'ABORT_ERR' });
  await assert.rejects(queue.send(bytes('never in'), { timeoutMs: 10 }), { code: 'ETIMEDOUT', syscall: 'mq_send' });
  using other = mq.open(queue.name);
  const pending = [queue.send(bytes('never in'))];
  queue.close();
  await assert.rejects(pending[0] as Promise<void>, { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(text(other.tryReceive()?.data), 'kept');
  const receive = other.receive();
  other.close();
  await assert.rejects(receive, { code: 'ERR_INTERPROC_CLOSED' });
});

test('an AbortSignal that served many waits has no listener left', async (t) => {
  const queue = newQueue(t);
  const { signal } = new AbortController();
  for (let round = 0; round < 2000; round++) {
    const receive = queue.receive({ signal });
    await queue.send(bytes('x'), { signal });
    await receive;
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('a time-out that cannot be meant is a RangeError in every form, and nothing is sent', async (t) => {
  const queue = newQueue(t);
  const into = new Uint8Array(64);
  for (const timeoutMs of [-1, Number.NaN]) {
    const refused = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /timeoutMs/ };
    assert.throws(() => queue.sendSync(bytes('x'), { timeoutMs }), refused);
    await assert.rejects(queue.send(bytes('x'), { timeoutMs }), refused);
    assert.equal(queue.attributes.messages, 0);
    queue.trySend(bytes('x'));
    assert.throws(() => queue.receiveSync({ timeoutMs }), refused);
    assert.throws(() => queue.receiveIntoSync(into, { timeoutMs }), refused);
    await assert.rejects(queue.receive({ timeoutMs }), refused);
    await assert.rejects(queue.receiveInto(into, { timeoutMs }), refused);
    assert.equal(text(queue.tryReceive()?.data), 'x');
  }
});

test('messages() gives them as they come; leaving the loop leaves the queue open', async (t) => {
  const queue = newQueue(t);
  const got: string[] = [];
  for (const name of ['a', 'b', 'c']) await queue.send(bytes(name));
  for await (const { data } of queue.messages()) {
    got.push(text(data));
    if (got.length === 2) break;
  }
  assert.deepEqual(got, ['a', 'b']);
  assert.equal(queue.closed, false);
  assert.equal(text(queue.tryReceive()?.data), 'c');
});

test('messages() ends when the queue is closed, also in the middle of a wait, and throws when aborted', async (t) => {
  const queue = newQueue(t);
  const waiting = queue.messages().next();
  queue.close();
  assert.deepEqual(await waiting, { value: undefined, done: true });
  const other = newQueue(t);
  const controller = new AbortController();
  const aborted = other.messages({ signal: controller.signal }).next();
  controller.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
});

test('two handles of one queue share its messages and count', async (t) => {
  const first = newQueue(t);
  using second = mq.open(first.name);
  const receive = second.receive();
  await first.send(bytes('across'));
  assert.equal(text((await receive).data), 'across');
  second.trySend(bytes('1'));
  assert.equal(first.attributes.messages, 1);
});
