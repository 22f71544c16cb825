import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { messageQueue } from '../../src/sysv/index.js';
import { attempt } from '../support/elsewhere.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, fullQueue, newQueue, text } from './support.js';

const msgmax = Number(readFileSync('/proc/sys/kernel/msgmax', 'utf8'));
const shown = (message: messageQueue.Message | undefined): string | undefined =>
  message && `${message.type} ${text(message.data)}`;

/** The messages as they come out of a queue into which these were put. */
function filled(queue: messageQueue.MessageQueue, types: readonly number[]): void {
  types.forEach((type, index) => {
    assert.equal(queue.trySend(type, bytes(String.fromCharCode(97 + index))), true);
  });
}

function drained(queue: messageQueue.MessageQueue, options?: messageQueue.ReceiveOptions): string[] {
  const all: string[] = [];
  for (let one = queue.tryReceive(options); one !== undefined; one = queue.tryReceive(options))
    all.push(shown(one) as string);
  return all;
}

test('without a type messages come in the order in which they were sent', (t) => {
  const queue = newQueue(t);
  filled(queue, [3, 1, 2, 1]);
  assert.deepEqual(drained(queue), ['3 a', '1 b', '2 c', '1 d']);
  filled(queue, [3, 1]);
  assert.deepEqual(drained(queue, { type: 0 }), ['3 a', '1 b']);
});

test('a positive type takes the first message of this type and leaves the others', (t) => {
  const queue = newQueue(t);
  filled(queue, [3, 1, 2, 1, 3]);
  assert.deepEqual(drained(queue, { type: 1 }), ['1 b', '1 d']);
  assert.deepEqual(drained(queue, { type: 4 }), []);
  assert.deepEqual(drained(queue), ['3 a', '2 c', '3 e']);
});

test('a negative type takes the lowest type up to it, and within a type the first', (t) => {
  const queue = newQueue(t);
  filled(queue, [3, 1, 2, 1, 9]);
  assert.equal(shown(queue.tryReceive({ type: -2 })), '1 b');
  assert.deepEqual(drained(queue, { type: -3 }), ['1 d', '2 c', '3 a']);
  assert.deepEqual(drained(queue, { type: -8 }), []);
  assert.deepEqual(drained(queue), ['9 e']);
});

test('except takes the first message of any other type', (t) => {
  const queue = newQueue(t);
  filled(queue, [3, 1, 3, 2]);
  assert.deepEqual(drained(queue, { type: 3, except: true }), ['1 b', '2 d']);
  assert.deepEqual(drained(queue, { type: 3, except: false }), ['3 a', '3 c']);
});

test('a type is selected in every form of receiving, waiting or not', async (t) => {
  const queue = newQueue(t);
  const into = new Uint8Array(8);
  const take: [string, () => unknown][] = [
    ['tryReceive', () => queue.tryReceive({ type: 5 })?.type],
    ['receiveSync', () => queue.receiveSync({ type: 5 }).type],
    ['receiveSync with a time-out', () => queue.receiveSync({ type: 5, timeoutMs: 1000 }).type],
    ['receive', async () => (await queue.receive({ type: 5 })).type],
    ['tryReceiveInto', () => queue.tryReceiveInto(into, { type: 5 }) && queue.lastType],
    ['receiveIntoSync', () => queue.receiveIntoSync(into, { type: 5 }) && queue.lastType],
    ['receiveInto', async () => (await queue.receiveInto(into, { type: 5 })) && queue.lastType],
  ];
  for (const [name, call] of take) {
    filled(queue, [4, 5]);
    assert.equal(await call(), 5, name);
    assert.deepEqual(drained(queue), ['4 a'], name);
  }
  const waits: [messageQueue.Select, unwanted: number, wanted: number][] = [
    [{ type: 7 }, 5, 7],
    [{ type: -3 }, 5, 2],
    [{ type: 5, except: true }, 5, 9],
  ];
  for (const [options, unwanted, wanted] of waits) {
    const waiting = queue.receive(options);
    filled(queue, [unwanted, wanted]);
    assert.equal(shown(await waiting), `${wanted} b`);
    assert.deepEqual(drained(queue), [`${unwanted} a`]);
  }
});

test('a type is a C long: what is beyond 2^53 survives as a bigint, and what would be rounded is refused', async (t) => {
  const queue = newQueue(t);
  const exact = [1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n];
  for (const type of exact) {
    await queue.send(type, bytes('x'));
    const { type: received } = await queue.receive({ type });
    assert.equal(received, type);
    queue.trySend(type, bytes('x'));
    assert.equal(queue.tryReceiveInto(new Uint8Array(1), { type: -(2n ** 63n - 1n) }), 1);
    assert.equal(queue.lastType, type);
    queue.trySend(type, bytes(''));
    assert.equal(queue.copy(0)?.type, type);
    assert.equal(queue.receiveSync({ timeoutMs: 1000 }).type, type);
  }
  queue.trySend(5n, bytes('x'));
  assert.equal(queue.tryReceive({ type: 5 })?.type, 5, 'a bigint that a number can tell comes out as a number');
  for (const type of [2 ** 53, 2 ** 63]) {
    const refused = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /bigint where it is beyond 2\^53 - 1/ };
    assert.throws(() => queue.trySend(type, bytes('x')), refused);
    assert.throws(() => queue.tryReceive({ type }), refused);
  }
  assert.equal(queue.stat().messages, 0);
});

test('a wait for an empty message is told its type, however large', async (t) => {
  const queue = newQueue(t);
  for (const type of [1, 2 ** 53 - 1, 2n ** 53n + 1n, 2n ** 63n - 1n]) {
    const waiting = queue.receive();
    queue.trySend(type, bytes(''));
    assert.deepEqual(await waiting, { type, data: new Uint8Array(0) });
    const into = queue.receiveInto(new Uint8Array(4));
    queue.trySend(type, bytes(''));
    assert.deepEqual([await into, queue.lastType], [0, type]);
  }
});

test('the type of a message to send is at least 1', async (t) => {
  const queue = newQueue(t);
  for (const type of [0, -1, 1.5, Number.NaN, 0n, -5n, 2n ** 63n]) {
    const refused = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /type must be/ };
    assert.throws(() => queue.trySend(type, bytes('x')), refused);
    assert.throws(() => queue.sendSync(type, bytes('x')), refused);
    await assert.rejects(queue.send(type, bytes('x')), refused);
  }
  for (const type of ['1', undefined, null, {}]) {
    assert.throws(() => queue.trySend(type as never, bytes('x')), {
      name: 'TypeError',
      code: 'ERR_INTERPROC_ARGUMENT',
    });
  }
  assert.equal(queue.stat().messages, 0);
});

test('options of receiving that cannot be meant are refused, and no message is taken', async (t) => {
  const queue = newQueue(t);
  queue.trySend(1, bytes('x'));
  const range = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' };
  const argument = { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' };
  const wrong: [object, object][] = [
    [{ type: 1.5 }, range],
    [{ type: 2n ** 63n }, range],
    [{ type: '1' }, argument],
    [{ type: 0, except: true }, argument],
    [{ type: -1, except: true }, argument],
    [{ except: true }, argument],
    [{ except: 1, type: 1 }, argument],
    [{ truncate: 'yes', size: 1 }, argument],
    [{ truncate: true }, argument],
    [{ size: -1 }, range],
    [{ types: 1 }, argument],
    [{ timeoutMs: -1 }, range],
    [{ timeoutMs: Number.NaN }, range],
  ];
  for (const [options, refused] of wrong) {
    assert.throws(() => queue.receiveSync(options as never), refused, JSON.stringify(Object.keys(options)));
    await assert.rejects(queue.receive(options as never), refused);
  }
  assert.throws(() => queue.tryReceiveInto(new Uint8Array(1), { size: 1 } as never), /unknown option 'size'/);
  assert.throws(() => queue.sendSync(1, bytes('x'), { priority: 1 } as never), /unknown option 'priority'/);
  await assert.rejects(queue.send(1, bytes('x'), { priority: 1 } as never), /unknown option 'priority'/);
  for (const timeoutMs of [-1, Number.NaN]) {
    assert.throws(() => queue.sendSync(1, bytes('x'), { timeoutMs }), range);
    await assert.rejects(queue.send(1, bytes('x'), { timeoutMs }), range);
  }
  for (const index of [-1, 1.5, 2 ** 31]) assert.throws(() => queue.copy(index), range);
  assert.deepEqual(drained(queue), ['1 x']);
});

test('what is no Uint8Array is a TypeError', async (t) => {
  const queue = newQueue(t);
  const wrong = [
    'text',
    undefined,
    null,
    [1],
    new Uint16Array(64),
    new ArrayBuffer(64),
    new DataView(new ArrayBuffer(8)),
  ];
  for (const one of wrong) {
    const refused = { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' };
    assert.throws(() => queue.trySend(1, one as never), refused);
    await assert.rejects(queue.send(1, one as never), refused);
    assert.throws(() => queue.tryReceiveInto(one as never), refused);
    await assert.rejects(queue.receiveInto(one as never), refused);
  }
  queue.trySend(1, Buffer.from('xyz').subarray(1, 2));
  assert.equal(text(queue.tryReceive()?.data), 'y', 'a part of a Buffer is that part');
});

test('a message keeps its boundaries, from none to msgmax bytes', async (t) => {
  const queue = newQueue(t);
  for (const size of [0, 1, 4096, msgmax]) {
    await queue.send(1, new Uint8Array(size).fill(size));
    assert.deepEqual((await queue.receive()).data, new Uint8Array(size).fill(size));
  }
});

test('a message longer than msgmax is EINVAL, names both lengths, and leaves nothing in the queue', async (t) => {
  const queue = newQueue(t);
  const long = new Uint8Array(msgmax + 1);
  const refused = {
    name: 'IpcError',
    code: 'EINVAL',
    errno: -22,
    syscall: 'msgsnd',
    message: new RegExp(`${msgmax + 1} bytes are more`),
    hint: /\/proc\/sys\/kernel\/msgmax/,
  };
  assert.throws(() => queue.trySend(1, long), refused);
  assert.throws(() => queue.sendSync(1, long), refused);
  await assert.rejects(queue.send(1, long), refused);
  assert.equal(queue.stat().messages, 0);
});

test('a message that would never fit into its queue is EMSGSIZE, where the kernel would wait for ever', async (t) => {
  const queue = newQueue(t, { maxBytes: 100 });
  const refused = {
    code: 'EMSGSIZE',
    syscall: 'msgsnd',
    message: /101 bytes are more than the 100 of this queue/,
    hint: /set\(\) raises maxBytes/,
  };
  const long = new Uint8Array(101);
  assert.throws(() => queue.trySend(1, long), refused);
  assert.throws(() => queue.sendSync(1, long), refused);
  await assert.rejects(queue.send(1, long), refused);
  queue.set({ maxBytes: 101 });
  assert.equal(queue.trySend(1, long), true);
  assert.equal(queue.trySend(1, new Uint8Array(0)), true, 'an empty message needs no bytes');
});

test('a message longer than size is E2BIG and stays; with truncate it is cut, and the rest is lost', async (t) => {
  const queue = newQueue(t);
  const long = {
    name: 'IpcError',
    code: 'E2BIG',
    syscall: 'msgrcv',
    message: /longer than 3 bytes/,
    hint: /stays in the queue/,
  };
  queue.trySend(1, bytes('hello'));
  assert.throws(() => queue.tryReceive({ size: 3 }), long);
  assert.throws(() => queue.receiveSync({ size: 3 }), long);
  await assert.rejects(queue.receive({ size: 3 }), long);
  assert.throws(() => queue.tryReceiveInto(new Uint8Array(3)), long);
  await assert.rejects(queue.receiveInto(new Uint8Array(3)), long);
  assert.equal(queue.stat().messages, 1);
  assert.equal(text(queue.tryReceive({ size: 3, truncate: true })?.data), 'hel');
  assert.equal(queue.stat().messages, 0, 'the rest is lost');
  queue.trySend(1, bytes('hello'));
  assert.equal(text((await queue.receive({ size: 0, truncate: true })).data), '');
  queue.trySend(1, bytes('hello'));
  const into = new Uint8Array(2);
  assert.equal(queue.tryReceiveInto(into, { truncate: true }), 2);
  assert.equal(text(into), 'he');
  queue.trySend(1, bytes('hello'));
  assert.equal(text(queue.tryReceive({ size: 5 })?.data), 'hello');
});

test('a wait for a message that is too long is E2BIG when it comes, and the next wait gets it', async (t) => {
  const queue = newQueue(t);
  const short = queue.receive({ size: 3 });
  const any = queue.receive();
  queue.trySend(1, bytes('hello'));
  await assert.rejects(short, { code: 'E2BIG' });
  assert.equal(text((await any).data), 'hello');
});

test('bytes that were transferred away while they were waited with take no message', async (t) => {
  const queue = newQueue(t);
  const into = new Uint8Array(16);
  const waiting = queue.receiveInto(into);
  structuredClone(into.buffer, { transfer: [into.buffer] });
  queue.trySend(1, bytes('kept'));
  await assert.rejects(waiting, { code: 'E2BIG' });
  assert.equal(text(queue.tryReceive()?.data), 'kept');
});

test('a message longer than any before, as a raised msgmax allows, comes whole, also as a copy', async (t) => {
  const size = 100_000;
  const before = `echo ${size} > /proc/sys/kernel/msgmax; echo ${size} > /proc/sys/kernel/msgmnb`;
  const outcomes = await attempt(t, { unshared: ['ipc'], before }, [
    ['sysv.messageQueue.create', 'private'],
    ['$0.trySend', 1, { bytes: size }],
    ['$0.copy', 0],
    ['$2.data.length'],
    ['$0.receiveSync', { timeoutMs: 1000 }],
    ['$4.data.length'],
  ]);
  if (outcomes === undefined) return;
  assert.equal(outcomes[1]?.value, true);
  for (const got of [outcomes[3], outcomes[5]]) assert.equal(got?.value, size);
});

test('copy shows any message and takes none', (t) => {
  const queue = newQueue(t);
  assert.equal(queue.copy(0), undefined);
  filled(queue, [3, 1, 2]);
  assert.deepEqual(
    [0, 1, 2, 3].map((index) => shown(queue.copy(index))),
    ['3 a', '1 b', '2 c', undefined],
  );
  assert.equal(queue.stat().messages, 3);
  assert.deepEqual(drained(queue), ['3 a', '1 b', '2 c']);
});

test('where the kernel was built without it, copy is ENOSYS, and the hint names the option', async (t) => {
  if (!peer(t, 'strace')) return;
  const index = fileURLToPath(new URL('../../src/sysv/index.js', import.meta.url));
  const source = `import { messageQueue } from ${JSON.stringify(index)};
    const queue = messageQueue.create('private');
    try { queue.copy(0); } catch ({ code, hint }) { console.log(code, hint); } finally { queue.remove(); }`;
  const words = ['-qq', '-o', '/dev/null', '-e', 'trace=msgrcv', '-e', 'inject=msgrcv:error=ENOSYS'];
  const node = start(t, 'strace', [...words, process.execPath, '--input-type=module', '-e', source]);
  assert.match(await node.line(), /^ENOSYS .*CONFIG_CHECKPOINT_RESTORE/);
  assert.equal((await node.ended).code, 0);
});

test('a full queue: trySend is false, sendSync times out, send waits until there is room', async (t) => {
  const queue = newQueue(t, { maxBytes: 2 });
  queue.sendSync(1, bytes('1'));
  queue.sendSync(1, bytes('2'));
  assert.equal(queue.trySend(1, bytes('3')), false);
  assert.throws(() => queue.sendSync(1, bytes('3'), { timeoutMs: 0 }), { code: 'ETIMEDOUT', syscall: 'msgsnd' });
  await assert.rejects(queue.send(1, bytes('3'), { timeoutMs: 0 }), { code: 'ETIMEDOUT', syscall: 'msgsnd' });
  const began = performance.now();
  assert.throws(() => queue.sendSync(1, bytes('3'), { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  assert.ok(performance.now() - began >= 20);
  const waiting = [queue.send(1, bytes('3')), queue.send(1, bytes('4'))];
  assert.equal(text((await queue.receive()).data), '1');
  await waiting[0];
  assert.equal(text((await queue.receive()).data), '2');
  await waiting[1];
  assert.deepEqual(drained(queue), ['1 3', '1 4']);
});

test('a queue is full of empty messages, too: it holds as many as bytes', (t) => {
  const queue = newQueue(t, { maxBytes: 3 });
  for (let index = 0; index < 3; index++) assert.equal(queue.trySend(1, bytes('')), true);
  assert.equal(queue.trySend(1, bytes('')), false);
});

test('an empty queue: tryReceive is undefined, receiveSync times out, receives are served in their order', async (t) => {
  const queue = newQueue(t);
  assert.equal(queue.tryReceive(), undefined);
  assert.throws(() => queue.receiveSync({ timeoutMs: 0 }), { code: 'ETIMEDOUT', syscall: 'msgrcv' });
  await assert.rejects(queue.receive({ timeoutMs: 0 }), { code: 'ETIMEDOUT', syscall: 'msgrcv' });
  const began = performance.now();
  assert.throws(() => queue.receiveSync({ timeoutMs: 20 }), { code: 'ETIMEDOUT', message: /after 20 ms/ });
  assert.throws(() => queue.receiveIntoSync(new Uint8Array(64), { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  assert.ok(performance.now() - began >= 40);
  const waiting = Promise.all([queue.receive(), queue.receive(), queue.receive()]);
  for (const name of ['a', '', 'c']) await queue.send(1, bytes(name));
  assert.deepEqual(
    (await waiting).map(({ data }) => text(data)),
    ['a', '', 'c'],
  );
});

test('a message that is there is delivered however short the time-out', async (t) => {
  const queue = newQueue(t);
  for (let round = 0; round < 3; round++) queue.trySend(1, bytes('there'));
  assert.equal(text((await queue.receive({ timeoutMs: 0 })).data), 'there');
  assert.equal(text(queue.receiveSync({ timeoutMs: 0 }).data), 'there');
  assert.equal(await queue.receiveInto(new Uint8Array(64), { timeoutMs: 0 }), 5);
  await queue.send(1, bytes('room'), { timeoutMs: 0 });
});

test('abort, time-out and close end a wait, and no message is lost', async (t) => {
  const queue = newQueue(t, { maxBytes: 4 });
  const controller = new AbortController();
  const reason = new Error('enough');
  const aborted = queue.receive({ signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(aborted, { name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  await assert.rejects(queue.receive({ signal: controller.signal }), { name: 'AbortError' });
  await assert.rejects(queue.receive({ timeoutMs: 10 }), { code: 'ETIMEDOUT', syscall: 'msgrcv' });
  await queue.send(1, bytes('kept'));
  const again = new AbortController();
  const send = queue.send(1, bytes('x'), { signal: again.signal });
  again.abort();
  await assert.rejects(send, { code: 'ABORT_ERR' });
  await assert.rejects(queue.send(1, bytes('x'), { timeoutMs: 10 }), { code: 'ETIMEDOUT', syscall: 'msgsnd' });
  const pending = queue.send(1, bytes('x'));
  queue.close();
  await assert.rejects(pending, { code: 'ERR_INTERPROC_CLOSED' });
  using other = messageQueue.open(queue.key);
  assert.deepEqual(drained(other), ['1 kept']);
  const receive = other.receive();
  other.close();
  await assert.rejects(receive, { code: 'ERR_INTERPROC_CLOSED' });
});

test('giving up one of several waits leaves the others in their order', async (t) => {
  const queue = newQueue(t);
  const [first, third] = [new AbortController(), new AbortController()];
  const waits = [
    queue.receive({ signal: first.signal }),
    queue.receive(),
    queue.receive({ signal: third.signal }),
    queue.receive(),
  ] as const;
  first.abort();
  third.abort();
  await assert.rejects(waits[0], { name: 'AbortError' });
  await assert.rejects(waits[2], { name: 'AbortError' });
  filled(queue, [1, 2]);
  assert.deepEqual([shown(await waits[1]), shown(await waits[3])], ['1 a', '2 b']);
});

test('a send that is given up lets those behind it go, in their order', async (t) => {
  const queue = fullQueue(t);
  const controller = new AbortController();
  const head = queue.send(2, new Uint8Array(16), { signal: controller.signal });
  const behind = [queue.send(3, bytes('b')), queue.send(4, bytes('c'))];
  controller.abort();
  await assert.rejects(head, { name: 'AbortError' });
  while (queue.tryReceive({ type: 1 }) !== undefined);
  await Promise.all(behind);
  assert.deepEqual(drained(queue), ['3 b', '4 c']);
});

test('an AbortSignal that served many waits has no listener left', async (t) => {
  const queue = newQueue(t);
  const { signal } = new AbortController();
  for (let round = 0; round < 2000; round++) {
    const receive = queue.receive({ signal });
    await queue.send(1, bytes('x'), { signal });
    await receive;
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('messages() gives them as they come; leaving the loop leaves the handle open', async (t) => {
  const queue = newQueue(t);
  const got: string[] = [];
  filled(queue, [1, 2, 1, 1]);
  for await (const { data } of queue.messages({ type: 1 })) {
    got.push(text(data));
    if (got.length === 2) break;
  }
  assert.deepEqual(got, ['a', 'c']);
  assert.equal(queue.closed, false);
  assert.deepEqual(drained(queue), ['2 b', '1 d']);
});

test('messages() ends when the handle is closed, and throws when it is aborted or the queue is removed', async (t) => {
  const waiting = (queue: messageQueue.MessageQueue, signal?: AbortSignal): Promise<unknown> =>
    queue.messages(signal === undefined ? {} : { signal }).next();
  const [closed, aborted, removed] = [newQueue(t), newQueue(t), newQueue(t)];
  const ends = waiting(closed);
  closed.close();
  assert.deepEqual(await ends, { value: undefined, done: true });
  const controller = new AbortController();
  const throws = waiting(aborted, controller.signal);
  controller.abort();
  await assert.rejects(throws, { name: 'AbortError' });
  const gone = waiting(removed);
  removed.remove();
  await assert.rejects(gone, { code: 'EIDRM' });
});
