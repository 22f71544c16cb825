import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { test } from 'node:test';
import { stream } from '../../src/unix/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, pairFor, socketPath, text } from './support.js';

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

test('bytes travel in both directions, in every form', async (t) => {
  const { first, second } = pairFor(t);
  const buffer = new Uint8Array(10);
  await first.write(bytes('one'));
  assert.equal(second.bytesAvailable, 3);
  assert.equal(text(await second.read()), 'one');
  second.writeSync(bytes('two'));
  assert.equal(first.readIntoSync(buffer), 3);
  assert.equal(first.tryWrite(bytes('three')), 5);
  assert.equal(text(second.readSync({ maxBytes: 2 })), 'th');
  assert.equal(text(second.tryRead()), 'ree');
  assert.equal(second.tryRead(), undefined);
  assert.equal(second.tryReadInto(buffer), undefined);
  const waiting = second.readInto(buffer);
  await first.send(bytes('four'));
  assert.equal(await waiting, 4);
});

test('sockets of a pair stay blocking until they are used, and again when handed over', (t) => {
  const { first } = pairFor(t);
  assert.equal(flagsOf(first.fd) & constants.O_NONBLOCK, 0);
  assert.equal(first.tryRead(), undefined);
  assert.equal(flagsOf(first.fd) & constants.O_NONBLOCK, constants.O_NONBLOCK);
  first.handOver();
  assert.equal(flagsOf(first.fd) & constants.O_NONBLOCK, 0);
});

test('10 MB written at once arrive whole and in order, and nothing overtakes them', async (t) => {
  const { first, second } = pairFor(t);
  const large = randomBytes(10_000_000);
  const writes = [first.write(large), first.send(bytes('then')), first.write(bytes(' this'))];
  const chunks: Uint8Array[] = [];
  first.shutdown();
  for await (const chunk of second) chunks.push(chunk);
  await Promise.all(writes);
  const all = Buffer.concat(chunks);
  assert.equal(sha256(all.subarray(0, large.length)), sha256(large));
  assert.equal(text(all.subarray(large.length)), 'then this');
});

test('shutdown is the end for the peer, who can still answer', async (t) => {
  const { first, second } = pairFor(t);
  await first.write(bytes('question'));
  first.shutdown();
  assert.throws(() => first.tryWrite(bytes('more')), { code: 'EPIPE' });
  assert.equal(text(await second.read()), 'question');
  assert.equal(await second.read(), null);
  assert.equal(await second.receive(), null);
  await second.write(bytes('answer'));
  assert.equal(text(await first.read()), 'answer');
});

test('a peer that closes is the end, and EPIPE for writing', async (t) => {
  const { first, second } = pairFor(t);
  const end = first.receive();
  second.close();
  assert.equal(await end, null);
  assert.equal(first.tryReceive(), null);
  assert.equal(first.receiveSync(), null);
  assert.equal(first.readSync(), null);
  await assert.rejects(first.write(bytes('x')), { name: 'IpcError', code: 'EPIPE' });
});

test('a peer that closes with bytes unread is ECONNRESET, once', async (t) => {
  const { first, second } = pairFor(t);
  first.writeSync(bytes('never read'));
  second.close();
  assert.throws(() => first.tryRead(), { code: 'ECONNRESET', syscall: 'read' });
  assert.equal(first.tryRead(), null);
});

test('kill -9 of the peer ends the reading and breaks the writing', async (t) => {
  const path = socketPath(t);
  const server = startFixture(t, 'unix-server', [path]);
  await server.line();
  using client = await stream.connect(path);
  await client.write(bytes('ping'));
  assert.equal(text(await client.read()), 'ping');
  const end = client.read();
  await killed(server);
  assert.equal(await end, null);
  await assert.rejects(client.write(bytes('x')), { code: 'EPIPE', path });
});

test('waits are aborted, timed out and closed like any other', async (t) => {
  const { first } = pairFor(t);
  const abort = new AbortController();
  const waits = [first.receive({ signal: abort.signal }), first.read({ signal: abort.signal })];
  abort.abort();
  for (const wait of waits) await assert.rejects(wait, { code: 'ABORT_ERR' });
  await assert.rejects(first.receive({ timeoutMs: 5 }), { code: 'ETIMEDOUT', syscall: 'recvmsg' });
  assert.throws(() => first.receiveSync({ timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  const write = first.write(new Uint8Array(10_000_000));
  const pending = [first.receive(), write, first.send(bytes('x'))].map((wait) =>
    assert.rejects(wait, { code: 'ERR_INTERPROC_CLOSED' }),
  );
  first.close();
  await Promise.all(pending);
  assert.throws(() => first.peerCredentials, { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => first.shutdown(), { code: 'ERR_INTERPROC_CLOSED' });
});

test('the peer’s credentials are those of its process', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  using listener = stream.listen(path);
  const program = 'import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ns.recv(1)';
  const client = start(t, 'python3', ['-c', program, path]);
  using server = await listener.accept();
  assert.deepEqual(server.peerCredentials, {
    pid: client.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
  });
});

test('with passCredentials on, what is received tells who sent it', async (t) => {
  const { first, second } = pairFor(t);
  first.writeSync(bytes('before'));
  assert.equal((await second.receive())?.credentials, null);
  assert.equal(second.passCredentials, false);
  second.passCredentials = true;
  assert.equal(second.passCredentials, true);
  first.writeSync(bytes('after'));
  const received = await second.receive();
  assert.equal(text(received?.data), 'after');
  assert.deepEqual(received?.credentials, { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
});

test('a Duplex carries both directions and closes the socket', async (t) => {
  openPoller();
  const path = socketPath(t);
  const before = countDescriptors();
  using listener = stream.listen(path);
  const client = (await stream.connect(path)).toDuplex();
  const server = (await listener.accept()).toDuplex();
  server.pipe(server);
  const data = randomBytes(500_000);
  client.end(data);
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  assert.deepEqual(Buffer.concat(chunks), data);
  if (!client.closed) await once(client, 'close');
  if (!server.closed) await once(server, 'close');
  listener.close();
  assert.equal(countDescriptors(), before);
});

test('an inherited socket becomes ours, and nothing else does', async (t) => {
  const { first, second } = pairFor(t);
  const child = startFixture(t, 'unix-inherited', ['3'], { stdio: ['ignore', 'pipe', 'inherit', first.handOver()] });
  first.close();
  assert.equal(await child.line(), 'not a listener, a datagram socket or a file');
  await second.write(bytes('hello child'));
  assert.equal(text(await second.read()), 'HELLO CHILD');
  second.close();
  assert.equal((await child.ended).code, 0);
});

test('mistakes of the caller are named before anything is sent', async (t) => {
  const { first, second } = pairFor(t);
  const argument = { code: 'ERR_INTERPROC_ARGUMENT' };
  await assert.rejects(first.send('text' as never), argument);
  await assert.rejects(first.send(bytes('x'), { fd: 1 } as never), /unknown option 'fd'/);
  await assert.rejects(first.send(bytes('x'), { fds: 1 as never }), argument);
  assert.throws(() => first.trySend(bytes('x'), { fds: [1.5] }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => first.trySend(bytes('x'), { fds: ['1' as never] }), /fds\[0\] must be a number/);
  assert.throws(() => first.sendSync(new Uint8Array(0), { fds: [1] }), /at least 1 byte/);
  await assert.rejects(first.receive({ maxBytes: 0 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => first.receiveSync({ max: 1 } as never), /unknown option 'max'/);
  assert.equal(second.tryReceive(), undefined);
});
