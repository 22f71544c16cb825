import assert from 'node:assert/strict';
import { constants, lstatSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { type SeqpacketSocket, seqpacket, stream } from '../../src/unix/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { randomName } from '../support/folder.js';
import { killed, startFixture } from '../support/program.js';
import { bytes, fillWith, messagePair, socketPath, text } from './support.js';

test('a listener at a path makes a socket of mode 0600 and a lock file, and close() removes both', (t) => {
  openPoller();
  const path = socketPath(t);
  const before = countDescriptors();
  const listener = seqpacket.listen(path);
  assert.equal(listener.address, path);
  assert.equal(lstatSync(path).mode, constants.S_IFSOCK | 0o600);
  assert.deepEqual(readdirSync(dirname(path)), ['s', 's.lock']);
  assert.throws(() => seqpacket.listen(path), { code: 'EADDRINUSE', path });
  assert.throws(() => stream.listen(path), { code: 'EADDRINUSE', path });
  assert.throws(() => stream.tryConnect(path), { code: 'EPROTOTYPE', syscall: 'connect', path });
  listener.close();
  assert.deepEqual(readdirSync(dirname(path)), []);
  assert.equal(countDescriptors(), before);
});

test('connecting and accepting work in every form, by path and by abstract name', async (t) => {
  for (const address of [socketPath(t), `@${randomName('seqpacket')}`]) {
    const early = seqpacket.connectWhenListening(address);
    using listener = seqpacket.listen(address);
    using first = await early;
    (await listener.accept()).close();
    assert.equal(await first.receive(), null);
    const clients = [
      await seqpacket.connect(address),
      seqpacket.connectSync(address),
      seqpacket.tryConnect(address) as SeqpacketSocket,
    ];
    const servers = [await listener.accept(), listener.acceptSync(), listener.tryAccept() as SeqpacketSocket];
    for (const [index, client] of clients.entries()) {
      await client.sendMany([bytes(`client ${index}`), bytes('more')]);
      const server = servers[index] as SeqpacketSocket;
      assert.equal(text((await server.receive())?.data), `client ${index}`);
      assert.equal(text((await server.receive())?.data), 'more');
      assert.equal(server.peerCredentials.pid, process.pid);
      using peer = client.peerProcess();
      assert.equal(peer?.pid, process.pid);
      client.close();
      assert.equal(await server.receive(), null);
      server.close();
    }
  }
});

test('a full backlog makes connecting wait, and a policy decides who is served', async (t) => {
  const path = socketPath(t);
  using listener = seqpacket.listen(path, { backlog: 0, allow: (peer) => peer.pid !== process.pid });
  const waiting: SeqpacketSocket[] = [];
  for (let one = seqpacket.tryConnect(path); one !== undefined; one = seqpacket.tryConnect(path)) waiting.push(one);
  assert.ok(waiting.length > 0);
  await assert.rejects(seqpacket.connect(path, { timeoutMs: 20 }), { code: 'ETIMEDOUT', path });
  const connecting = seqpacket.connect(path);
  assert.equal(listener.tryAccept(), undefined);
  for (const one of waiting) {
    assert.equal(await one.receive(), null);
    one.close();
  }
  using late = await connecting;
  assert.equal(listener.tryAccept(), undefined);
  assert.equal(listener.refused, waiting.length + 1);
  assert.equal(await late.receive(), null);
  await assert.rejects(seqpacket.connect(path, { allow: () => false }), { code: 'EACCES', message: /`allow` refuses/ });
});

test('the end is null in every form, after all messages, of which the last may be empty', async (t) => {
  const { first, second } = messagePair(t, 'seqpacket');
  await first.sendMany([bytes('last'), new Uint8Array(0), new Uint8Array(0)]);
  first.close();
  assert.equal(text((await second.receive())?.data), 'last');
  assert.equal((await second.receive())?.length, 0);
  assert.equal(second.tryReceiveInto(new Uint8Array(1)), 0);
  assert.equal(await second.receive(), null);
  assert.equal(second.receiveSync(), null);
  assert.equal(second.tryReceive(), null);
  assert.equal(await second.receiveInto(new Uint8Array(1)), null);
  assert.equal(second.receiveIntoSync(new Uint8Array(1)), null);
  assert.equal(second.tryReceiveInto(new Uint8Array(1)), null);
  assert.equal(await second.receiveMany(), null);
  assert.equal(second.receiveManySync(), null);
  assert.equal(second.tryReceiveMany(), null);
});

test('a batch has the messages before the end, the empty ones among them, and the next one is the end', (t) => {
  const { first, second } = messagePair(t, 'seqpacket');
  first.sendManySync([new Uint8Array(0), bytes('x'), new Uint8Array(0)]);
  first.close();
  assert.deepEqual(
    second.tryReceiveMany()?.map((one) => one.length),
    [0, 1, 0],
  );
  assert.equal(second.tryReceiveMany(), null);
});

test('empty messages that were sent before anybody received are messages', async () => {
  const { first, second } = seqpacket.pair();
  first.sendManySync(new Array(10).fill(new Uint8Array(0)));
  first.close();
  let count = 0;
  for await (const message of second) {
    assert.equal(message.data.length, 0);
    count++;
  }
  assert.equal(count, 10);
  second.close();
});

test('a waiting receive learns of the end', async (t) => {
  const { first, second } = messagePair(t, 'seqpacket');
  const waits = [second.receive(), second.receiveInto(new Uint8Array(1)), second.receiveMany()];
  first.close();
  assert.deepEqual(await Promise.all(waits), [null, null, null]);
});

test('shutdown is the end for the peer after what waits for room, and the peer can still answer', async (t) => {
  const { first, second } = messagePair(t, 'seqpacket');
  const sent = fillWith(() => first.trySend(bytes('x')));
  const late = [first.send(bytes('late')), first.sendMany([bytes('later'), bytes('latest')])];
  first.shutdown();
  const seen: string[] = [];
  for await (const { data } of second) seen.push(text(data));
  await Promise.all(late);
  assert.equal(seen.length, sent + 3);
  assert.deepEqual(seen.slice(-3), ['late', 'later', 'latest']);
  await assert.rejects(first.send(bytes('more')), { name: 'IpcError', code: 'EPIPE', syscall: 'sendmsg' });
  await second.send(bytes('answer'));
  assert.equal(text((await first.receive())?.data), 'answer');
});

test('a peer that closes is EPIPE for sending, in every form', async (t) => {
  const { first, second } = messagePair(t, 'seqpacket');
  second.close();
  const gone = { name: 'IpcError', code: 'EPIPE' };
  await assert.rejects(first.send(bytes('x')), gone);
  await assert.rejects(first.send(bytes('x'), { fds: [0] }), gone);
  assert.throws(() => first.sendSync(bytes('x')), gone);
  assert.throws(() => first.trySend(bytes('x')), gone);
  await assert.rejects(first.sendMany([bytes('x')]), { ...gone, sent: 0 });
  assert.throws(() => first.trySendMany([bytes('x')]), gone);
});

test('a peer that closes with messages unread is ECONNRESET, once', async (t) => {
  for (const form of ['receive', 'many'] as const) {
    const { first, second } = messagePair(t, 'seqpacket');
    first.trySend(bytes('never received'));
    second.close();
    if (form === 'receive') assert.throws(() => first.tryReceive(), { code: 'ECONNRESET', syscall: 'recvmsg' });
    else await assert.rejects(first.receiveMany(), { code: 'ECONNRESET', syscall: 'recvmmsg' });
    assert.equal(first.tryReceive(), null);
  }
});

test('sends that wait for room learn that the peer is gone, with messages unread or not', async (t) => {
  for (const unread of [true, false]) {
    const { first, second } = messagePair(t, 'seqpacket');
    first.sendBuffer = 5000;
    const sent = fillWith(() => first.trySend(bytes('x')));
    const waits = [first.send(bytes('x')), first.sendMany(new Array(1000).fill(bytes('y')))];
    // What is read at once makes room for the sends only in the next turn.
    if (!unread) for (let taken = 0; taken < sent; taken++) second.receiveSync();
    second.close();
    const [one, many] = await Promise.allSettled(waits);
    assert.deepEqual(one?.status === 'rejected' && one.reason.code, unread ? 'ECONNRESET' : 'EPIPE');
    assert.ok(many?.status === 'rejected');
    assert.deepEqual([many.reason.code, many.reason.sent], ['EPIPE', 0]);
  }
});

test('kill -9 of the peer is the end for receiving and EPIPE for sending', async (t) => {
  const path = socketPath(t);
  const server = startFixture(t, 'unix-messages', ['seqpacket', path]);
  assert.equal(await server.line(), 'ready');
  using client = await seqpacket.connect(path);
  await client.send(bytes('ping'));
  assert.equal(text((await client.receive())?.data), 'ping');
  const end = client.receive();
  await killed(server);
  assert.equal(await end, null);
  await assert.rejects(client.send(bytes('x')), { code: 'EPIPE', path });
  assert.ok(lstatSync(path).isSocket(), 'it left its socket behind');
  await assert.rejects(seqpacket.connect(path), { code: 'ECONNREFUSED' });
  using listener = seqpacket.listen(path);
  using again = await seqpacket.connect(path);
  (await listener.accept()).close();
  assert.equal(await again.receive(), null);
});

test('connected and listening sockets are taken over by descriptor, and nothing else is', async (t) => {
  const path = socketPath(t);
  const listener = seqpacket.listen(path);
  const { first, second } = messagePair(t, 'seqpacket');
  const carrier = stream.pair();
  await carrier.first.send(bytes('two'), { fds: [listener, first] });
  const [listening, connected] = ((await carrier.second.receive()) ?? assert.fail()).fds as [number, number];
  assert.throws(() => seqpacket.fromFd(listening), /not a connected Unix seqpacket socket/);
  assert.throws(() => seqpacket.listenerFromFd(connected), /not a listening Unix seqpacket socket/);
  assert.throws(() => seqpacket.fromFd(carrier.first.fd), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
  assert.throws(() => stream.fromFd(connected), { name: 'TypeError' });
  using ours = seqpacket.listenerFromFd(listening);
  using end = seqpacket.fromFd(connected);
  assert.equal(flagsOf(end.fd) & 0o2000000, 0o2000000);
  await end.send(bytes('hello'));
  assert.equal(text((await second.receive())?.data), 'hello');
  using client = await seqpacket.connect(path);
  using accepted = await ours.accept();
  await client.send(bytes('by the other handle'));
  assert.equal(text((await accepted.receive())?.data), 'by the other handle');
  ours.close();
  assert.ok(lstatSync(path).isSocket());
  listener.close();
  carrier.close();
});

test('an address of which the folder is missing, or at which nobody listens, is an error that says why', async (t) => {
  const path = socketPath(t);
  assert.throws(() => seqpacket.listen(join(dirname(path), 'none', 's')), { code: 'ENOENT' });
  assert.throws(() => seqpacket.tryConnect(path), { code: 'ENOENT', path, hint: /not running/ });
  assert.throws(() => seqpacket.connectSync(`@${randomName('nobody')}`), { code: 'ECONNREFUSED' });
  await assert.rejects(seqpacket.connectWhenListening(path, { timeoutMs: 10 }), { code: 'ETIMEDOUT', path });
  assert.throws(() => seqpacket.listen('@x', { mode: 0o600 }), /has no mode/);
  assert.throws(() => seqpacket.listen(path, { backlog: -1 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => seqpacket.tryConnect(path, { allow: 1 as never }), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.deepEqual(readdirSync(dirname(path)), []);
});
