/** Waiting for room: in the queue of a receiver, and in the buffer of the sender. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { type DatagramSocket, datagram, seqpacket } from '../../src/unix/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { randomName } from '../support/folder.js';
import { peer } from '../support/skips.js';
import { assertWaitsBearSignals, assertWaitsSleep } from '../support/waiting.js';
import { bytes, fillWith, messagePair, socketPath, text } from './support.js';

const WAITS = [
  'datagram.receive',
  'datagram.receiveSync',
  'datagram.send',
  'datagram.sendSync',
  'datagram.sendTo',
  'datagram.sendToSync',
  'seqpacket.receive',
  'seqpacket.receiveSync',
  'seqpacket.send',
  'seqpacket.sendSync',
];

const addressOf = (socket: DatagramSocket): string => String(socket.address);

/** All that a socket has received and not given out. */
function drain(socket: DatagramSocket): string[] {
  const words: string[] = [];
  for (let one = socket.tryReceive(); one !== undefined; one = socket.tryReceive()) words.push(text(one.data));
  return words;
}

test('a queue takes one more than net.unix.max_dgram_qlen, then sending waits, to one that is named or connected to', async () => {
  const length = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'utf8'));
  using server = datagram.bind();
  using named = datagram.bind();
  using connected = datagram.connect(addressOf(server));
  const to = addressOf(server);
  assert.equal(
    fillWith(() => named.trySend(bytes('x'), { to })),
    length + 1,
  );
  assert.equal(named.trySendMany([bytes('x')], { to }), 0);
  assert.equal(connected.trySend(bytes('x')), false);
  const order: string[] = [];
  const waits = [
    named.send(bytes('one'), { to }).then(() => order.push('one')),
    named.send(bytes('two'), { to }).then(() => order.push('two')),
    connected.send(bytes('three')).then(() => order.push('three')),
  ];
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(order.length, 0);
  const seen: string[] = [];
  while (seen.length < length + 4) seen.push(text((await server.receive()).data));
  await Promise.all(waits);
  assert.deepEqual([...order].sort(), ['one', 'three', 'two']);
  assert.ok(order.indexOf('one') < order.indexOf('two'));
  assert.ok(seen.indexOf('one') < seen.indexOf('two'));
});

test('no message overtakes one that waits on the same way, whatever its form, and other ways are free', async () => {
  using full = datagram.bind();
  using free = datagram.bind();
  using client = datagram.bind();
  const to = addressOf(full);
  const before = fillWith(() => client.trySend(bytes('x'), { to }));
  const waits = [
    client.send(bytes('1'), { to }),
    client.sendMany([bytes('2'), bytes('3')], { to }),
    client.send(bytes('4'), { to }),
  ];
  await client.send(bytes('free'), { to: addressOf(free) });
  assert.equal(text((await free.receive()).data), 'free');
  assert.equal(drain(full).length, before);
  // There is room again, and nobody has been woken yet.
  assert.equal(client.trySend(bytes('5'), { to }), true);
  client.sendSync(bytes('6'), { to });
  await Promise.all(waits);
  assert.deepEqual(drain(full), ['1', '2', '3', '4', '5', '6']);
});

test('of what waits for a full receiver nothing but its guest is left, and that only while somebody waits', async () => {
  openPoller();
  using server = datagram.bind();
  using client = datagram.bind();
  const to = addressOf(server);
  fillWith(() => client.trySend(bytes('x'), { to }));
  const before = countDescriptors();
  const abort = new AbortController();
  const waits = Array.from({ length: 100 }, () => client.send(bytes('y'), { to, signal: abort.signal }));
  assert.equal(countDescriptors(), before + 1, 'one guest for all of them');
  abort.abort();
  for (const wait of waits) await assert.rejects(wait, { code: 'ABORT_ERR' });
  assert.equal(countDescriptors(), before);
  await assert.rejects(client.send(bytes('y'), { to, timeoutMs: 5 }), { code: 'ETIMEDOUT', object: to });
  assert.throws(() => client.sendSync(bytes('y'), { to, timeoutMs: 5 }), { code: 'ETIMEDOUT', object: to });
  await assert.rejects(client.sendMany([bytes('y')], { to, timeoutMs: 0 }), { code: 'ETIMEDOUT', sent: 0 });
  const closed = client.send(bytes('y'), { to });
  client.close();
  await assert.rejects(closed, { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(countDescriptors(), before - 1);
  assert.ok(drain(server).every((word) => word === 'x'));
});

test('a send that waits learns that the receiver is gone, or finds the one that has taken its place', async (t) => {
  const path = socketPath(t);
  for (const next of [false, true]) {
    const server = datagram.bind(path);
    using named = datagram.bind();
    using connected = datagram.connect(path);
    fillWith(() => named.trySend(bytes('x'), { to: path }));
    const waits = [named.send(bytes('named'), { to: path }), connected.send(bytes('connected'))];
    server.close();
    using taken = next ? datagram.bind(path) : undefined;
    const [one, other] = await Promise.allSettled(waits);
    assert.equal(other?.status === 'rejected' && other.reason.code, 'ECONNREFUSED');
    if (taken === undefined) assert.equal(one?.status === 'rejected' && one.reason.code, 'ENOENT');
    else assert.equal(text((await taken.receive()).data), 'named');
  }
});

test('a sender whose own buffer is full waits for that, though the receiver it names has room', async () => {
  using slow = datagram.bind();
  using quick = datagram.bind();
  using client = datagram.bind();
  client.sendBuffer = 5000;
  const large = new Uint8Array(4000);
  assert.ok(fillWith(() => client.trySend(large, { to: addressOf(slow) })) < 10);
  assert.equal(client.trySend(large, { to: addressOf(quick) }), false);
  const waiting = client.send(bytes('to the quick one'), { to: addressOf(quick) });
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(quick.tryReceive(), undefined);
  drain(slow);
  await waiting;
  assert.equal(text((await quick.receive()).data), 'to the quick one');
});

test('a sender whose buffer is half full of what nobody takes still sends to another once that has room', async () => {
  using stuck = datagram.bind();
  using server = datagram.bind();
  using client = datagram.bind();
  using crowd = datagram.connect(addressOf(server));
  client.sendBuffer = 20_000;
  fillWith(() => crowd.trySend(bytes('x')));
  await client.send(new Uint8Array(client.sendBuffer / 3), { to: addressOf(stuck) });
  const waiting = client.send(bytes('made it'), { to: addressOf(server) });
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  drain(server);
  await waiting;
  assert.deepEqual(drain(server), ['made it']);
});

test('a socket may send to itself until its buffer is full, and waits for itself', async () => {
  using socket = datagram.bind();
  const to = addressOf(socket);
  socket.sendBuffer = 10_000;
  const sent = fillWith(() => socket.trySend(bytes('x'), { to }));
  assert.ok(sent > 1);
  const waiting = socket.send(bytes('last'), { to });
  const seen: string[] = [];
  while (seen.at(-1) !== 'last') seen.push(text((await socket.receive()).data));
  await waiting;
  assert.equal(seen.length, sent + 1);
});

test('a receiver that is connected to its sender is limited by the sender’s buffer alone', async () => {
  using server = datagram.bind();
  using client = datagram.bind();
  server.connect(addressOf(client));
  const to = addressOf(server);
  const sent = fillWith(() => client.trySend(bytes('x'), { to }));
  assert.ok(sent > 100, String(sent));
  const waiting = client.send(bytes('last'), { to });
  const seen: string[] = [];
  while (seen.at(-1) !== 'last') seen.push(text((await server.receive()).data));
  await waiting;
  assert.equal(seen.length, sent + 1);
});

test('eight senders to one receiver lose nothing, send nothing twice, and keep their order', async () => {
  using server = datagram.bind();
  const to = addressOf(server);
  const each = 500;
  const senders = Array.from({ length: 8 }, (_, index) =>
    index % 2 === 0 ? datagram.bind() : datagram.connect(to, { from: true }),
  );
  const sending = senders.map(async (sender, index) => {
    const named = index % 2 === 0 ? { to } : {};
    for (let number = 0; number < each; number += 10) {
      const words = Array.from({ length: 10 }, (_, more) => bytes(`${index} ${number + more}`));
      if (index < 4) await sender.sendMany(words, named);
      else await Promise.all(words.map((word) => sender.send(word, named)));
    }
    sender.close();
  });
  const next = new Array(8).fill(0);
  for (let count = 0; count < 8 * each; count++) {
    const [sender, number] = text((await server.receive()).data)
      .split(' ')
      .map(Number) as [number, number];
    assert.equal(number, next[sender]);
    next[sender]++;
  }
  await Promise.all(sending);
  assert.equal(server.tryReceive(), undefined);
});

test('an abort that comes as a message arrives loses none, in 10,000 rounds', async (t) => {
  for (const kind of ['datagram', 'seqpacket'] as const) {
    const { first, second } = messagePair(t, kind);
    let received = 0;
    for (let round = 0; round < 10_000; round++) {
      const abort = new AbortController();
      const form = round % 3;
      const options = { signal: abort.signal };
      const waiting =
        form === 0
          ? second.receive(options)
          : form === 1
            ? second.receiveMany(options).then((many) => many?.[0])
            : second.receiveInto(new Uint8Array(4), options).then((length) => length ?? undefined);
      const order = round % 4;
      if (order === 0) abort.abort();
      first.trySend(bytes('x'));
      if (order === 1) abort.abort();
      if (order === 2) setImmediate(() => abort.abort());
      if (order === 3) queueMicrotask(() => abort.abort());
      await waiting.then(
        () => received++,
        (why) => assert.equal(why.code, 'ABORT_ERR'),
      );
      abort.abort();
      // What an aborted receive has left is the next one's.
      while (second.tryReceive() !== undefined) received++;
    }
    assert.equal(received, 10_000, kind);
  }
});

test('an abort that comes as room does has sent the message or has not, in 10,000 rounds', async () => {
  using server = datagram.bind(`@${randomName('rounds')}`);
  const to = addressOf(server);
  using named = datagram.bind();
  using connected = datagram.connect(to);
  let resolved = 0;
  let arrived = 0;
  const before = fillWith(() => named.trySend(bytes('filling'), { to }));
  for (let round = 0; round < 10_000; round++) {
    const abort = new AbortController();
    const options = { signal: abort.signal };
    const word = bytes('x');
    const waiting = round % 2 === 0 ? named.send(word, { to, ...options }) : connected.send(word, options);
    const order = round % 5;
    if (order === 0) abort.abort();
    if (text(server.tryReceive()?.data) === 'x') arrived++;
    if (order === 1) abort.abort();
    if (order === 2) setImmediate(() => abort.abort());
    if (order === 3) queueMicrotask(() => abort.abort());
    const sent = await waiting.then(
      () => true,
      (why) => assert.equal(why.code, 'ABORT_ERR') === null,
    );
    abort.abort();
    if (sent) resolved++;
    else connected.trySend(bytes('filling'));
  }
  arrived += drain(server).filter((word) => word === 'x').length;
  assert.ok(before > 0);
  assert.equal(arrived, resolved);
  assert.ok(resolved > 1000 && resolved < 9500, String(resolved));
});

test('an AbortSignal that was used for a thousand waits has no listener left', async (t) => {
  const { first, second } = messagePair(t, 'seqpacket');
  const abort = new AbortController();
  let listeners = 0;
  const { signal } = abort;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  for (let round = 0; round < 1000; round++) {
    const waiting = second.receive({ signal });
    assert.equal(listeners, 1);
    await first.send(bytes('x'), { signal });
    await waiting;
    assert.equal(listeners, 0);
  }
});

test('every wait for a message or for room sleeps', (t) => assertWaitsSleep(t, WAITS));

test('handled signals neither end nor stretch a wait for a message or for room', async (t) => {
  if (peer(t, 'perl')) await assertWaitsBearSignals(t, WAITS);
});

test('a hundred sockets that wait for messages take less than 1 % of a processor', (t) =>
  assertWaitsSleep(t, ['datagram.hundred', 'seqpacket.hundred']));

test('a listener of packets that waits is told of by the same readiness as a reader', async () => {
  using listener = seqpacket.listen(`@${randomName('ready')}`);
  const accepting = listener.accept();
  using client = await seqpacket.connect(listener.address);
  using server = await accepting;
  const waiting = server.receive();
  await client.send(bytes('x'));
  assert.equal(text((await waiting)?.data), 'x');
});
