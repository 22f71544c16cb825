import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { type Credentials, type Datagram, datagram, seqpacket, stream } from '../../src/unix/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { randomName, temporaryFolder } from '../support/folder.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, messagePair, socketPath, text } from './support.js';

test('a datagram tells who sent it, and an answer finds the way back', async (t) => {
  const path = socketPath(t);
  using server = datagram.bind(path);
  assert.equal(server.address, path);
  for (const address of [`${path}-client`, `@${randomName('client')}`, undefined]) {
    using client = datagram.bind(address);
    await client.send(bytes('question'), { to: path });
    const { data, from } = await server.receive();
    assert.equal(text(data), 'question');
    assert.equal(from, address ?? client.address);
    await server.send(bytes('answer'), { to: from ?? assert.fail() });
    const answer = await client.receive();
    assert.deepEqual([text(answer.data), answer.from], ['answer', path]);
  }
  using nobody = datagram.connect(path);
  assert.equal(nobody.address, null);
  await nobody.send(bytes('no answer, please'));
  assert.equal((await server.receive()).from, null);
});

test('a name that the kernel chooses is abstract, differs each time, and goes with the socket', async () => {
  const seen = new Set<string>();
  for (let round = 0; round < 100; round++) {
    using socket = datagram.bind();
    assert.match(String(socket.address), /^@[0-9a-f]{5}$/);
    seen.add(String(socket.address));
  }
  assert.ok(seen.size > 50);
});

test('abstract names are told byte by byte, be they text or not, and are free again after close()', async () => {
  const name = randomName('exact');
  const cases: [Uint8Array, string | undefined][] = [
    [bytes(name), `@${name}`],
    [bytes(`\ufeff${name} é`), `@\ufeff${name} é`],
    [bytes(`@/${name}`), `@@/${name}`],
    [Uint8Array.from([...bytes(name), 0, 1, 0]), undefined],
    [Uint8Array.from([0, 255, 10, ...bytes(name)]), undefined],
    [bytes(name.padEnd(107, 'x')), `@${name.padEnd(107, 'x')}`],
  ];
  using server = datagram.bind();
  const to = server.address ?? assert.fail();
  for (const [exact, written] of cases) {
    for (let round = 0; round < 2; round++) {
      using client = datagram.bind(exact);
      assert.throws(() => datagram.bind(exact), { code: 'EADDRINUSE' });
      assert.deepEqual(client.address, written ?? exact);
      await client.send(bytes('hello'), { to });
      const { from } = await server.receive();
      assert.deepEqual(from, written ?? exact);
      await server.send(bytes('back'), { to: from as Uint8Array });
      assert.equal(text((await client.receive()).data), 'back');
    }
  }
});

test('what is handed out as the sender is the receiver’s own to keep and to change', async () => {
  using server = datagram.bind();
  using client = datagram.bind(Uint8Array.from([0, 1, 2, ...bytes(randomName('own'))]));
  const to = server.address ?? assert.fail();
  await client.sendMany([bytes('one'), bytes('two')], { to });
  const first = (await server.receive()).from as Uint8Array;
  first.fill(7);
  assert.deepEqual((await server.receive()).from, client.address);
});

test('a path that begins with @ is told with a ./ in front', async (t) => {
  const folder = temporaryFolder(t);
  const program = [
    'import os, socket, sys',
    'os.chdir(sys.argv[1])',
    's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)',
    's.bind("@file")',
    's.sendto(b"hello", "r")',
  ].join('\n');
  if (!peer(t, 'python3')) return;
  using server = datagram.bind(join(folder, 'r'));
  const child = start(t, 'python3', ['-c', program, folder]);
  assert.equal((await server.receive()).from, './@file');
  assert.equal((await child.ended).code, 0, child.errors());
});

test('a connected socket needs no receiver named, can name another, and receives from its own only', async (t) => {
  const path = socketPath(t);
  using server = datagram.bind(path);
  using other = datagram.bind();
  using client = datagram.connect(path, { from: true });
  const address = client.address ?? assert.fail();
  await client.send(bytes('to mine'));
  await client.send(bytes('to another'), { to: other.address ?? assert.fail() });
  assert.equal(text((await server.receive()).data), 'to mine');
  assert.equal(text((await other.receive()).data), 'to another');
  const refused = { code: 'EPERM', object: address, hint: /connected to another/ };
  await assert.rejects(other.send(bytes('x'), { to: address }), refused);
  assert.throws(() => datagram.connect(address), { ...refused, syscall: 'connect' });
  await server.send(bytes('from mine'), { to: address });
  assert.equal(text((await client.receive()).data), 'from mine');
  client.connect(other.address ?? assert.fail());
  await client.send(bytes('now to you'));
  assert.equal(text((await other.receive()).data), 'now to you');
  using bound = datagram.connect(path, { from: `${path}-client` });
  await bound.send(bytes('x'));
  assert.equal((await server.receive()).from, `${path}-client`);
});

test('connecting waits, if it is told to, until a socket is bound, also where a dead one has left its file', async (t) => {
  const path = socketPath(t);
  await assert.rejects(datagram.connectWhenBound(path, { timeoutMs: 10 }), { code: 'ETIMEDOUT', path });
  const abort = new AbortController();
  const aborted = datagram.connectWhenBound(path, { signal: abort.signal });
  abort.abort();
  await assert.rejects(aborted, { code: 'ABORT_ERR' });
  for (const leftBehind of [false, true]) {
    if (leftBehind) {
      const server = startFixture(t, 'unix-messages', ['datagram', path]);
      assert.equal(await server.line(), 'ready');
      await killed(server);
    }
    const waiting = datagram.connectWhenBound(path, { from: true });
    using server = datagram.bind(path);
    using client = await waiting;
    await client.send(bytes('there you are'));
    assert.equal((await server.receive()).from, client.address);
  }
  await assert.rejects(datagram.connectWhenBound(path, { form: true } as never), /did you mean from\?/);
});

test('a socket at a path has a mode of 0600 and a lock file, and close() removes both', (t) => {
  openPoller();
  const path = socketPath(t);
  const before = countDescriptors();
  const socket = datagram.bind(path);
  assert.equal(lstatSync(path).mode, constants.S_IFSOCK | 0o600);
  assert.equal(lstatSync(`${path}.lock`).mode, constants.S_IFREG | 0o600);
  assert.deepEqual(readdirSync(dirname(path)), ['s', 's.lock']);
  assert.equal(flagsOf(socket.fd) & 0o2000000, 0o2000000);
  socket.close();
  socket.close();
  assert.deepEqual(readdirSync(dirname(path)), []);
  assert.equal(countDescriptors(), before);
});

test('the mode is exactly what was asked for, whatever the umask', (t) => {
  const folder = temporaryFolder(t);
  const before = process.umask();
  try {
    for (const umask of [0o077, 0]) {
      process.umask(umask);
      for (const mode of [0o600, 0o666]) {
        using _socket = datagram.bind(join(folder, 's'), { mode });
        assert.equal(lstatSync(join(folder, 's')).mode & 0o7777, mode);
      }
    }
  } finally {
    process.umask(before);
  }
});

test('a live socket keeps its path, of whatever type it is and whoever made it', async (t) => {
  const path = socketPath(t);
  const inUse = { code: 'EADDRINUSE', syscall: 'bind', path };
  for (const make of [datagram.bind, stream.listen, seqpacket.listen]) {
    using _live = make(path);
    assert.throws(() => datagram.bind(path), inUse);
    assert.throws(() => stream.listen(path), inUse);
  }
  if (!peer(t, 'python3')) return;
  const program = [
    'import socket, sys',
    's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)',
    's.bind(sys.argv[1])',
    'print("bound", flush=True)',
    'print(s.recv(100).decode(), flush=True)',
  ].join('\n');
  const foreign = start(t, 'python3', ['-c', program, path]);
  assert.equal(await foreign.line(), 'bound');
  assert.throws(() => datagram.bind(path), { ...inUse, message: /not of interproc/ });
  using sender = datagram.connect(path);
  await sender.send(bytes('undisturbed'));
  assert.equal(await foreign.line(), 'undisturbed');
  assert.equal((await foreign.ended).code, 0);
  using _next = datagram.bind(path);
});

test('the file of a socket that was killed is replaced', async (t) => {
  const path = socketPath(t);
  const server = startFixture(t, 'unix-messages', ['datagram', path]);
  assert.equal(await server.line(), 'ready');
  using client = datagram.connect(path, { from: true });
  await client.send(bytes('ping'));
  assert.equal(text((await client.receive()).data), 'ping');
  await killed(server);
  assert.ok(lstatSync(path).isSocket(), 'it left its socket behind');
  const gone = { code: 'ECONNREFUSED', syscall: 'sendmsg', path };
  await assert.rejects(client.send(bytes('x')), gone);
  await assert.rejects(client.send(bytes('x')), { ...gone, message: /the receiver is gone/ });
  assert.throws(() => client.connect(path), { code: 'ECONNREFUSED', syscall: 'connect', path });
  using next = datagram.bind(path);
  client.connect(path);
  await client.send(bytes('again'));
  assert.equal(text((await next.receive()).data), 'again');
});

test('what is no socket is never replaced, not even through a symbolic link', (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, 'precious');
  mkdirSync(join(folder, 'sub'));
  symlinkSync(join(folder, 'target'), join(folder, 'dangling'));
  symlinkSync(file, join(folder, 'link'));
  const cases = { file: 'a regular file', sub: 'a folder', dangling: 'a symbolic link', link: 'a symbolic link' };
  for (const [name, kind] of Object.entries(cases)) {
    const path = join(folder, name);
    assert.throws(() => datagram.bind(path), { code: 'EADDRINUSE', path, message: new RegExp(`${kind} is there`) });
  }
  assert.equal(readFileSync(file, 'utf8'), 'precious');
  assert.deepEqual(readdirSync(folder), ['dangling', 'file', 'link', 'sub']);
});

test('datagrams of those whom the policy refuses are gone unread, with their descriptors, and counted', async (t) => {
  openPoller();
  const path = socketPath(t);
  const told: unknown[] = [];
  const tell = (event: unknown): unknown => (event as { action: string }).action === 'refuse' && told.push(event);
  subscribe('interproc:unix', tell);
  t.after(() => unsubscribe('interproc:unix', tell));
  const seen: Credentials[] = [];
  let admitted = true;
  using server = datagram.bind(path, { allow: (sender) => seen.push(sender) > 0 && admitted });
  using client = datagram.connect(path);
  const before = countDescriptors();
  await client.send(bytes('welcome'));
  const { data, credentials } = await server.receive();
  assert.equal(text(data), 'welcome');
  assert.deepEqual(credentials, { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
  admitted = false;
  await client.send(bytes('no'), { fds: [0, 1] });
  await client.sendMany([bytes('no'), bytes('no')]);
  assert.equal(server.tryReceive(), undefined);
  assert.equal(server.refused, 3);
  await client.sendMany([bytes('no'), bytes('no')]);
  assert.equal(server.tryReceiveMany(), undefined);
  await client.send(bytes('no'));
  assert.equal(server.tryReceiveInto(new Uint8Array(5)), undefined);
  assert.equal(server.refused, 6);
  assert.equal(told.length, 6);
  assert.equal(seen.length, 7);
  assert.equal(countDescriptors(), before);
});

test('a policy that throws, or does not answer at once, refuses the datagram, and receiving rejects with its mistake', async () => {
  let answer: unknown;
  using server = datagram.bind(undefined, {
    allow: () => {
      if (answer instanceof Error) throw answer;
      return answer as boolean;
    },
  });
  using client = datagram.connect(server.address ?? assert.fail());
  answer = new Error('a mistake of the policy');
  await client.send(bytes('one'));
  await assert.rejects(server.receive(), answer as Error);
  answer = Promise.resolve(true);
  await client.send(bytes('two'));
  await assert.rejects(server.receive(), /allow must return true or false at once, got a promise/);
  assert.equal(server.refused, 2);
  await client.sendMany([bytes('three'), bytes('four')]);
  await assert.rejects(server.receiveMany(), (why: { messages: Datagram[] }) => why.messages.length === 0);
  answer = true;
  await client.send(bytes('five'));
  assert.equal(text((await server.receive()).data), 'five');
});

test('a pair is connected to each other and has no address', async (t) => {
  const { first, second } = messagePair(t, 'datagram');
  await first.send(bytes('x'));
  const received = (await second.receive()) as Datagram;
  assert.equal(received.from, null);
  second.close();
  await assert.rejects(first.send(bytes('x')), { code: 'ECONNREFUSED', syscall: 'sendmsg' });
  assert.throws(() => first.trySend(bytes('x')), { code: 'ECONNREFUSED', message: /the receiver is gone/ });
});

test('what was on its way is lost when one of a connected pair turns to another, and the other one is told once', async (t) => {
  using server = datagram.bind();
  const { first, second } = datagram.pair();
  t.after(() => second.close());
  await second.send(bytes('never received'));
  first.connect(server.address ?? assert.fail());
  assert.throws(() => second.tryReceive(), { code: 'ECONNRESET', syscall: 'recvmsg' });
  assert.equal(second.tryReceive(), undefined);
  first.close();
});

test('a datagram socket is taken over by its descriptor, and nothing else is', async (t) => {
  const path = socketPath(t);
  const original = datagram.bind(path);
  using carrier = stream.pair();
  await carrier.first.send(bytes('one'), { fds: [original] });
  const [fd] = ((await carrier.second.receive()) ?? assert.fail()).fds as [number];
  assert.throws(() => stream.fromFd(fd), { name: 'TypeError' });
  assert.throws(() => seqpacket.fromFd(fd), { name: 'TypeError' });
  assert.throws(() => datagram.fromFd(carrier.first.fd), /not a Unix datagram socket/);
  using socket = datagram.fromFd(fd);
  assert.equal(socket.address, path);
  using client = datagram.connect(path, { from: true });
  await client.send(bytes('hello'));
  const { from } = await socket.receive();
  await socket.send(bytes('back'), { to: from ?? assert.fail() });
  assert.equal((await client.receive()).from, path);
  await assert.rejects(socket.send(bytes('x')), { code: 'ENOTCONN', hint: /`to`/ });
  socket.close();
  assert.ok(lstatSync(path).isSocket());
  original.close();
  assert.throws(() => datagram.fromFd(1 << 20), { code: 'EBADF' });
  assert.throws(() => datagram.fromFd(-1), { code: 'ERR_INTERPROC_RANGE' });
});

test('mistakes of the caller are named before anything is made or sent', (t) => {
  const path = socketPath(t);
  const range = { code: 'ERR_INTERPROC_RANGE' };
  assert.throws(() => datagram.bind(path, { mode: 0o20000 }), range);
  assert.throws(() => datagram.bind(path, { backlog: 1 } as never), /unknown option 'backlog'/);
  assert.throws(() => datagram.bind('@x', { mode: 0o600 }), /has no mode/);
  assert.throws(() => datagram.bind(undefined, { mode: 0o600 }), /has no mode/);
  assert.throws(() => datagram.bind(path, { allow: true as never }), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.throws(() => datagram.bind('x'.repeat(108)), { code: 'ERR_INTERPROC_NAME', message: /at most 107/ });
  assert.throws(() => datagram.bind(''), { code: 'ERR_INTERPROC_NAME' });
  assert.throws(() => datagram.connect(path, { form: true } as never), /did you mean from\?/);
  using socket = datagram.bind();
  assert.throws(() => socket.trySend(bytes('x')), { name: 'TypeError', message: /to must be the address/ });
  assert.throws(() => socket.trySend(bytes('x'), { to: 5 as never }), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.throws(() => socket.trySendMany([], { too: 'x' } as never), /did you mean to\?/);
  assert.throws(() => socket.connect(''), { code: 'ERR_INTERPROC_NAME' });
  assert.deepEqual(readdirSync(dirname(path)), []);
});

test('util.inspect shows the address', (t) => {
  const path = socketPath(t);
  const socket = datagram.bind(path);
  const shown = inspect(socket, { breakLength: Infinity });
  assert.equal(shown, `DatagramSocket { address: '${path}', fd: ${socket.fd}, closed: false }`);
  socket.close();
  assert.match(inspect(socket), /^DatagramSocket { fd: -1, closed: true }/);
});
