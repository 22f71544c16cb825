import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { closeSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Credentials, type StreamListener, type StreamSocket, stream } from '../../src/unix/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { randomName } from '../support/folder.js';
import { killed, type Program, start } from '../support/program.js';
import { peer, skip } from '../support/skips.js';
import { bytes, pairFor, socketPath, text } from './support.js';

const CLIENT = [
  'import os, socket, sys',
  's = socket.socket(socket.AF_UNIX)',
  's.connect(sys.argv[1])',
  's.sendall(b"hello")',
  'print("connected", flush=True)',
  'sys.stdin.readline()',
].join('\n');

const NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups'];

/** A client in Python that has connected, sent 'hello', and ends with its standard input. */
async function client(t: Parameters<typeof start>[0], address: string): Promise<Program> {
  const program = start(t, 'python3', ['-c', CLIENT, address]);
  assert.equal(await program.line(), 'connected');
  return program;
}

/** Waits for the end of a peer whose process the kernel names itself, or not (`known`). */
async function endOfPeer(t: TestContext, known: boolean): Promise<void> {
  if (!peer(t, 'python3')) return;
  if (!known) process.env['INTERPROC_PEERPIDFD'] = 'no';
  t.after(() => delete process.env['INTERPROC_PEERPIDFD']);
  openPoller();
  const path = socketPath(t);
  using listener = stream.listen(path);
  const program = await client(t, path);
  using socket = await listener.accept();
  const handle = socket.peerProcess();
  assert.ok(handle);
  assert.equal(handle.pid, program.pid);
  assert.equal(handle.ended, false);
  const end = handle.wait();
  await killed(program);
  await end;
  assert.equal(handle.ended, true);
  assert.equal(handle.kill(), false);
  const before = countDescriptors();
  handle.close();
  assert.equal(countDescriptors(), before - 1);
  // Asked for only now, when it is reaped: nobody, or still the one that has ended, never a live one.
  using late = socket.peerProcess();
  assert.ok(late === undefined || late.ended);
  if (!known) assert.equal(late, undefined);
  assert.equal(socket.peerCredentials.pid, program.pid);
}

test('the peer’s process is a handle whose end can be waited for, by SO_PEERPIDFD', (t) => endOfPeer(t, true));

test('the peer’s process is a handle whose end can be waited for, by pidfd_open(2)', (t) => endOfPeer(t, false));

test('the peer of a pair is this process', (t) => {
  const { first } = pairFor(t);
  using handle = first.peerProcess();
  assert.equal(handle?.pid, process.pid);
  assert.equal(handle?.ended, false);
});

test('credentials of a peer that runs as another user are that user’s, also after it has exited', async (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  if (!peer(t, 'python3') || !peer(t, 'setpriv')) return;
  const address = `@interproc-test-other-${process.pid}`;
  using listener = stream.listen(address);
  const program = [
    'import socket, sys',
    's = socket.socket(socket.AF_UNIX)',
    's.connect(bytes([0]) + sys.argv[1][1:].encode())',
    's.sendall(b"hello")',
  ].join('\n');
  const other = start(t, 'setpriv', [...NOBODY, '/usr/bin/env', 'python3', '-c', program, address]);
  using socket = await listener.accept();
  const expected = { pid: other.pid, uid: 65534, gid: 65534 };
  assert.equal((await other.ended).code, 0, other.errors());
  assert.deepEqual(socket.peerCredentials, expected);
  assert.equal(text(await socket.read()), 'hello');
  assert.deepEqual(socket.peerCredentials, expected);
});

test('a peer that the policy refuses is closed before a byte is exchanged, counted and told of, and the next is served', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  const seen: Credentials[] = [];
  const told: unknown[] = [];
  const tell = (event: unknown): unknown => (event as { action: string }).action === 'refuse' && told.push(event);
  subscribe('interproc:unix', tell);
  t.after(() => unsubscribe('interproc:unix', tell));
  using listener = stream.listen(path, { allow: (one) => seen.push(one) > 0 && one.pid !== process.pid });
  using refused = await stream.connect(path);
  const accepted = listener.accept();
  assert.equal(await refused.read(), null);
  const program = await client(t, path);
  using served = await accepted;
  assert.equal(served.peerCredentials.pid, program.pid);
  assert.equal(text(await served.read()), 'hello');
  assert.deepEqual(
    seen.map((one) => one.pid),
    [process.pid, program.pid],
  );
  assert.equal(listener.refused, 1);
  assert.equal(told.length, 1);
});

test('tryAccept and acceptLast pass over those whom the policy refuses', async (t) => {
  const path = socketPath(t);
  let admitted = false;
  using listener = stream.listen(path, { allow: () => admitted });
  const clients = [1, 2, 3].map(() => stream.tryConnect(path) as StreamSocket);
  assert.equal(listener.tryAccept(), undefined);
  assert.equal(listener.refused, 3);
  for (const one of clients) {
    assert.equal(one.tryRead(), null);
    one.close();
  }
  admitted = true;
  using last = await stream.connect(path);
  using server = await listener.acceptLast();
  await server.write(bytes('welcome'));
  assert.equal(text(await last.read()), 'welcome');
  assert.ok(listener.closed);
});

test('a policy that throws, or gives a promise, refuses the peer, says so, and the listener goes on', async (t) => {
  openPoller();
  const path = socketPath(t);
  const unheard: unknown[] = [];
  const hear = (why: unknown): unknown => unheard.push(why);
  process.on('unhandledRejection', hear);
  t.after(() => process.off('unhandledRejection', hear));
  const answers: (() => unknown)[] = [
    () => {
      throw new Error('my mistake');
    },
    async () => {
      throw new Error('nobody hears this, and the process goes on');
    },
    () => 1,
    () => true,
  ];
  const before = countDescriptors();
  using listener = stream.listen(path, { allow: () => answers.shift()?.() as boolean });
  for (const expected of [/my mistake/, /at once, got a promise/, /at once, got 1/]) {
    using one = await stream.connect(path);
    await assert.rejects(listener.accept(), expected);
    assert.equal(await one.read(), null);
  }
  await nextTurn();
  assert.deepEqual(unheard, []);
  assert.equal(listener.refused, 3);
  using good = await stream.connect(path);
  (await listener.accept()).close();
  good.close();
  listener.close();
  assert.equal(countDescriptors(), before);
});

test('a policy that closes the listener admits nobody, and no descriptor is left, in every form of accept', async () => {
  openPoller();
  const before = countDescriptors();
  const closing = (): { listener: StreamListener; client: StreamSocket } => {
    const listener = stream.listen(`@${randomName('closing')}`, {
      allow() {
        listener.close();
        return true;
      },
    });
    return { listener, client: stream.connectSync(listener.address) };
  };
  const closed = { code: 'ERR_INTERPROC_CLOSED' };
  const forms: ((listener: StreamListener) => unknown)[] = [
    (listener) => listener.accept(),
    async (listener) => listener.acceptSync(),
    async (listener) => listener.tryAccept(),
    (listener) => listener.acceptLast(),
  ];
  for (const accept of forms) {
    const { listener, client } = closing();
    await assert.rejects(accept(listener) as Promise<unknown>, closed);
    assert.equal(client.readSync(), null);
    client.close();
    assert.equal(countDescriptors(), before);
  }
  const listener: StreamListener = stream.listen(`@${randomName('closing')}`, {
    allow() {
      listener.close();
      return true;
    },
  });
  const pending = listener.accept();
  using client = stream.connectSync(listener.address);
  await assert.rejects(pending, closed);
  assert.equal(await client.read(), null);
  assert.equal(countDescriptors(), before + 1);
});

test('an accept without time passes over those whom the policy refuses, and takes who is behind them', async (t) => {
  const path = socketPath(t);
  for (const accept of [
    (listener: StreamListener) => listener.accept({ timeoutMs: 0 }),
    async (listener: StreamListener) => listener.acceptSync({ timeoutMs: 0 }),
  ]) {
    let asked = 0;
    using listener = stream.listen(path, { allow: () => ++asked > 3 });
    const clients = [1, 2, 3, 4].map(() => stream.connectSync(path));
    (await accept(listener)).close();
    assert.deepEqual([asked, listener.refused], [4, 3]);
    await assert.rejects(accept(listener), { code: 'ETIMEDOUT' });
    for (const one of clients) one.close();
  }
});

test('a client refuses a server by its credentials, in every form, and sends it nothing', async (t) => {
  openPoller();
  const path = socketPath(t);
  using listener = stream.listen(path);
  const before = countDescriptors();
  const options = { allow: (one: Credentials) => one.pid !== process.pid };
  const refused = { code: 'EACCES', syscall: 'connect', path, message: /which `allow` refuses/, hint: /taken/ };
  await assert.rejects(stream.connect(path, options), refused);
  await assert.rejects(stream.connectWhenListening(path, options), refused);
  assert.throws(() => stream.connectSync(path, options), refused);
  assert.throws(() => stream.tryConnect(path, options), refused);
  assert.equal(countDescriptors(), before);
  for (let round = 0; round < 4; round++) {
    using socket = listener.acceptSync();
    assert.equal(socket.readSync(), null);
  }
  using welcome = await stream.connect(path, { allow: (one) => one.pid === process.pid });
  assert.equal(welcome.peerCredentials.pid, process.pid);
  await assert.rejects(stream.connect(path, { allow: true as never }), /allow must be a function/);
  assert.throws(() => stream.listen(`${path}2`, { allow: 1 as never }), /allow must be a function/);
});

test('credentials can be sent with the bytes, alone or beside descriptors, in every form', async (t) => {
  const { first, second } = pairFor(t);
  second.passCredentials = true;
  const parent = { pid: process.pid, uid: process.getuid?.() as number, gid: process.getgid?.() as number };
  await first.send(bytes('a'), { credentials: parent });
  assert.deepEqual((await second.receive())?.credentials, parent);
  first.sendSync(bytes('b'), { credentials: parent, fds: [] });
  assert.deepEqual(second.receiveSync()?.credentials, parent);
  using other = first.peerProcess();
  assert.equal(first.trySend(bytes('c'), { credentials: parent, fds: [other as { fd: number }] }), 1);
  const received = second.tryReceive();
  assert.deepEqual(received?.credentials, parent);
  assert.equal(received?.fds.length, 1);
  for (const fd of received?.fds ?? []) closeSync(fd);
});

test('credentials in messages are understood by Python, and those of Python by us', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  using listener = stream.listen(path);
  const program = [
    'import os, socket, struct, sys',
    's = socket.socket(socket.AF_UNIX)',
    's.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)',
    's.connect(sys.argv[1])',
    'data, found, flags, _ = s.recvmsg(10, socket.CMSG_SPACE(12))',
    'level, kind, given = found[0]',
    'print(data.decode(), level == socket.SOL_SOCKET, kind == socket.SCM_CREDENTIALS, *struct.unpack("iII", given), flush=True)',
    'mine = struct.pack("iII", os.getpid(), os.getuid(), os.getgid())',
    's.sendmsg([b"back"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, mine)])',
  ].join('\n');
  const child = start(t, 'python3', ['-c', program, path]);
  using socket = await listener.accept();
  socket.passCredentials = true;
  const [uid, gid] = [process.getuid?.() as number, process.getgid?.() as number];
  await socket.send(bytes('there'), { credentials: { pid: process.pid, uid, gid } });
  assert.equal(await child.line(), `there True True ${process.pid} ${uid} ${gid}`);
  const received = await socket.receive();
  assert.equal(text(received?.data), 'back');
  assert.deepEqual(received?.credentials, { pid: child.pid, uid, gid });
});

test('root may name another process and user, and a process that does not exist is ESRCH', async (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const { first, second } = pairFor(t);
  second.passCredentials = true;
  const other = { pid: process.ppid, uid: 65534, gid: 65533 };
  await first.send(bytes('x'), { credentials: other });
  assert.deepEqual((await second.receive())?.credentials, other);
  const none = { ...other, pid: 0x7fffffff };
  await assert.rejects(first.send(bytes('x'), { credentials: none }), { code: 'ESRCH', hint: /no process/ });
});

test('credentials that cannot be meant are named before anything is sent', async (t) => {
  const { first, second } = pairFor(t);
  const one = { pid: 1, uid: 0, gid: 0 };
  await assert.rejects(first.send(bytes('x'), { credentials: { ...one, pid: 0 } }), /credentials\.pid/);
  assert.throws(() => first.trySend(bytes('x'), { credentials: { ...one, uid: -1 } }), /credentials\.uid/);
  assert.throws(() => first.trySend(bytes('x'), { credentials: { ...one, gid: 2 ** 32 - 1 } }), /credentials\.gid/);
  assert.throws(() => first.trySend(bytes('x'), { credentials: 1 as never }), /must be an object/);
  assert.throws(() => first.trySend(new Uint8Array(0), { credentials: one }), /at least 1 byte/);
  assert.equal(second.tryReceive(), undefined);
});
