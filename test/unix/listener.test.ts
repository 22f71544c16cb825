import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type StreamSocket, stream } from '../../src/unix/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { randomName, temporaryFolder } from '../support/folder.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, fill, socketPath, text } from './support.js';

const O_CLOEXEC = 0o2000000;

test('a listener at a path makes a socket of mode 0600 and a lock file, and close() removes both', async (t) => {
  openPoller();
  const path = socketPath(t);
  const before = countDescriptors();
  const listener = stream.listen(path);
  assert.equal(listener.address, path);
  assert.equal(lstatSync(path).mode, constants.S_IFSOCK | 0o600);
  assert.equal(lstatSync(`${path}.lock`).mode, constants.S_IFREG | 0o600);
  assert.deepEqual(readdirSync(dirname(path)), ['s', 's.lock']);
  assert.equal(flagsOf(listener.fd) & O_CLOEXEC, O_CLOEXEC);
  listener.close();
  listener.close();
  assert.deepEqual(readdirSync(dirname(path)), []);
  assert.equal(countDescriptors(), before);
  assert.throws(() => listener.tryAccept(), { code: 'ERR_INTERPROC_CLOSED' });
});

test('the mode is exactly what was asked for, whatever the umask', (t) => {
  const folder = temporaryFolder(t);
  const before = process.umask();
  try {
    for (const umask of [0o077, 0]) {
      process.umask(umask);
      for (const mode of [0o600, 0o666]) {
        using listener = stream.listen(join(folder, 's'), { mode });
        assert.equal(lstatSync(listener.address as string).mode & 0o7777, mode);
      }
    }
  } finally {
    process.umask(before);
  }
});

test('acceptLast takes one connection: those that wait and those that come later are refused', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path, { backlog: 0 });
  using first = await stream.connect(path);
  const waiting = Promise.allSettled([stream.connect(path), stream.connect(path)]);
  using accepted = await listener.acceptLast();
  // One that had not reached the kernel yet finds the name gone.
  for (const one of await waiting) {
    assert.ok(one.status === 'rejected' && ['ECONNREFUSED', 'ENOENT'].includes(one.reason.code), one.status);
  }
  await assert.rejects(stream.connect(path), { code: 'ENOENT' });
  await first.write(bytes('hello'));
  assert.equal(text(await accepted.read()), 'hello');
});

test('an acceptLast that is late takes who has connected meanwhile, and else nobody can connect any more', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path, { backlog: 0 });
  using client = await stream.connect(path);
  using accepted = await listener.acceptLast({ timeoutMs: 0 });
  assert.equal(accepted.peerCredentials.pid, process.pid);
  client.close();
  assert.ok(listener.closed);
  using another = stream.listen(path, { backlog: 0 });
  await assert.rejects(another.acceptLast({ timeoutMs: 1 }), { code: 'ETIMEDOUT' });
  await assert.rejects(stream.connect(path), { code: 'ENOENT' });
});

test('connections are accepted in every form, and in their order', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path);
  assert.equal(listener.tryAccept(), undefined);
  assert.throws(() => listener.acceptSync({ timeoutMs: 5 }), { code: 'ETIMEDOUT', syscall: 'accept', path });
  const clients = [1, 2, 3].map(() => stream.tryConnect(path) as StreamSocket);
  const servers = [listener.tryAccept() as StreamSocket, listener.acceptSync(), await listener.accept()];
  for (const [index, client] of clients.entries()) {
    client.writeSync(bytes(`client ${index}`));
    assert.equal(text(servers[index]?.readSync()), `client ${index}`);
    assert.equal(flagsOf(servers[index]?.fd as number) & O_CLOEXEC, O_CLOEXEC);
  }
  for (const one of [...clients, ...servers]) one.close();
});

test('an aborted accept loses no connection', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path);
  const abort = new AbortController();
  const accept = listener.accept({ signal: abort.signal });
  abort.abort();
  await assert.rejects(accept, { code: 'ABORT_ERR' });
  using client = await stream.connect(path);
  using server = await listener.accept();
  assert.equal(server.peerCredentials.pid, process.pid);
  assert.equal(client.peerCredentials.pid, process.pid);
});

test('aborts aimed at a connection that arrives lose none in 10,000 rounds, and no descriptor', async (t) => {
  openPoller();
  const path = socketPath(t);
  using listener = stream.listen(path);
  const before = countDescriptors();
  let [accepted, aborted] = [0, 0];
  const rounds = 10_000;
  for (let round = 0; round < rounds; round++) {
    const abort = new AbortController();
    const accept = listener.accept({ signal: abort.signal });
    const turn = round % 3;
    if (turn === 0) abort.abort();
    const client = stream.connectSync(path);
    if (turn === 1) abort.abort();
    if (turn === 2) setImmediate(() => abort.abort());
    let socket = await accept.catch(() => undefined);
    if (socket === undefined) {
      aborted++;
      socket = listener.tryAccept();
    }
    if (socket !== undefined) accepted++;
    socket?.close();
    client.close();
  }
  assert.ok(aborted > 0 && aborted < rounds);
  assert.equal(accepted, rounds);
  assert.equal(countDescriptors(), before);
});

test('a backlog of two holds three that nobody has accepted, and the fourth finds it full', (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path, { backlog: 2 });
  const waiting = fill(listener);
  assert.equal(waiting.length, 3);
  listener.tryAccept()?.close();
  const next = stream.tryConnect(path);
  assert.ok(next !== undefined);
  for (const one of [...waiting, next]) one.close();
});

test('a listening socket that another who shares it has shut down is EINVAL of every accept, and no wait spins', async () => {
  const listener = stream.listen(`@${randomName('shared')}`);
  const { first, second } = stream.pair();
  first.sendSync(bytes('x'), { fds: [listener] });
  using shared = stream.listenerFromFd(second.receiveSync()?.fds[0] as number);
  first.close();
  second.close();
  const pending = shared.accept();
  await assert.rejects(listener.acceptLast({ timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  const shut = { name: 'IpcError', code: 'EINVAL', syscall: 'accept', message: /shut down/, hint: /acceptLast/ };
  await assert.rejects(pending, shut);
  await assert.rejects(shared.accept(), shut);
  await assert.rejects(shared.accept({ timeoutMs: 0 }), shut);
  assert.throws(() => shared.acceptSync(), shut);
  assert.throws(() => shared.tryAccept(), shut);
  await assert.rejects(shared.acceptLast(), shut);
  assert.ok(shared.closed);
});

test('the loop over connections ends when the listener is closed', async (t) => {
  const path = socketPath(t);
  const listener = stream.listen(path);
  let served = 0;
  const serving = (async () => {
    for await (const socket of listener) {
      served++;
      socket.close();
    }
  })();
  for (let index = 0; index < 3; index++) {
    using client = await stream.connect(path);
    assert.equal(await client.read(), null);
  }
  listener.close();
  await serving;
  assert.equal(served, 3);
});

test('a live server keeps its path', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path);
  const { ino } = lstatSync(path);
  assert.throws(() => stream.listen(path), { code: 'EADDRINUSE', syscall: 'bind', path, hint: /s\.lock/ });
  assert.equal(lstatSync(path).ino, ino);
  using client = await stream.connect(path);
  (await listener.accept()).close();
  assert.equal(await client.read(), null);
});

test('a live server of another program keeps its path, too, and nothing is left beside it', async (t) => {
  const path = socketPath(t);
  const foreign = createServer().listen(path);
  await once(foreign, 'listening');
  assert.throws(() => stream.listen(path), { code: 'EADDRINUSE', path, message: /not of interproc/ });
  assert.deepEqual(readdirSync(dirname(path)), ['s']);
  foreign.close();
  await once(foreign, 'close');
});

test('the socket of a server that was killed is replaced', async (t) => {
  const path = socketPath(t);
  for (const who of ['ours', 'python']) {
    if (who === 'python' && !peer(t, 'python3')) return;
    const program =
      'import socket, sys, time\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\nprint("listening", flush=True)\ntime.sleep(1000)';
    const server = who === 'ours' ? startFixture(t, 'unix-server', [path]) : start(t, 'python3', ['-c', program, path]);
    assert.equal(await server.line(), 'listening');
    assert.throws(() => stream.listen(path), { code: 'EADDRINUSE' });
    await killed(server);
    assert.ok(lstatSync(path).isSocket(), 'it left its socket behind');
    await assert.rejects(stream.connect(path), { code: 'ECONNREFUSED', hint: /left its socket file behind/ });
    using listener = stream.listen(path);
    using client = await stream.connect(path);
    (await listener.accept()).close();
    assert.equal(await client.read(), null);
  }
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
    assert.throws(() => stream.listen(path), { code: 'EADDRINUSE', path, message: new RegExp(`${kind} is there`) });
  }
  assert.equal(readFileSync(file, 'utf8'), 'precious');
  assert.deepEqual(readdirSync(folder), ['dangling', 'file', 'link', 'sub']);
});

test('a lock file that somebody has planted is not followed, opened or trusted', (t) => {
  const path = socketPath(t);
  const victim = join(dirname(path), 'victim');
  symlinkSync(victim, `${path}.lock`);
  assert.throws(() => stream.listen(path), { code: 'ELOOP', syscall: 'open', path: `${path}.lock` });
  assert.deepEqual(readdirSync(dirname(path)), ['s.lock'], 'the link made nothing');
  const other = socketPath(t);
  mkdirSync(`${other}.lock`);
  assert.throws(() => stream.listen(other), { code: 'EISDIR', path: `${other}.lock` });
  const third = socketPath(t);
  execFileSync('mkfifo', [`${third}.lock`]);
  const fifo = { code: 'EADDRINUSE', path: `${third}.lock`, message: /a FIFO stands where the lock file belongs/ };
  assert.throws(() => stream.listen(third), fifo);
  assert.deepEqual(readdirSync(dirname(third)), ['s.lock']);
});

test('what a server left that died while starting does not stop the next', async (t) => {
  const path = socketPath(t);
  const half = createServer().listen(`${path}.new`);
  await once(half, 'listening');
  writeFileSync(`${path}.lock`, '');
  using listener = stream.listen(path);
  assert.deepEqual(readdirSync(dirname(path)), ['s', 's.lock']);
  assert.equal(listener.tryAccept(), undefined);
  half.close();
});

test('close() leaves alone what has taken its place', (t) => {
  const path = socketPath(t);
  const listener = stream.listen(path);
  const stranger = join(dirname(path), 'stranger');
  writeFileSync(stranger, 'mine');
  renameSync(stranger, path);
  listener.close();
  assert.equal(readFileSync(path, 'utf8'), 'mine');
});

test('of two servers started at once exactly one gets the path, two hundred times', async (t) => {
  const path = socketPath(t);
  const racers = [startFixture(t, 'unix-racer', [path]), startFixture(t, 'unix-racer', [path])];
  for (const racer of racers) assert.equal(await racer.line(), 'ready');
  for (let round = 0; round < 200; round++) {
    for (const racer of racers) racer.say('go');
    const said = await Promise.all(racers.map((racer) => racer.line()));
    assert.deepEqual([...said].sort(), ['EADDRINUSE', 'listening'], `round ${round}`);
    const winner = racers[said.indexOf('listening')];
    using client = await stream.connect(path);
    assert.equal(client.peerCredentials.pid, winner?.pid);
    // Every other round the socket stays behind as that of a crashed server does.
    winner?.say(round % 2 === 0 ? 'close' : 'drop');
    assert.equal(await winner?.line(), 'over');
  }
});

test('while servers come and go nobody ever connects to one that refuses', async (t) => {
  const path = socketPath(t);
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const connecting = stream.connectWhenListening(path);
    const listener = stream.listen(path);
    await stream.connect(path).then(
      (socket) => socket.close(),
      () => refused++,
    );
    (await connecting).close();
    listener.close();
  }
  assert.equal(refused, 0);
});

test('an abstract name is no file, may hold any byte, and is free again after close()', async () => {
  const name = randomName('abstract');
  const before = readdirSync('.');
  for (const address of [`@${name}`, Uint8Array.from([0, 255, 10, ...bytes(name)])]) {
    for (let round = 0; round < 2; round++) {
      using listener = stream.listen(address);
      const longer = Uint8Array.from([...(typeof address === 'string' ? bytes(name) : address), 0]);
      assert.throws(() => stream.tryConnect(longer), { code: 'ECONNREFUSED' }, 'a NUL more is another name');
      assert.throws(() => stream.listen(address), { code: 'EADDRINUSE' });
      using client = await stream.connect(address);
      using server = await listener.accept();
      await client.write(bytes('hello'));
      assert.equal(text(await server.read()), 'hello');
    }
  }
  assert.deepEqual(readdirSync('.'), before);
  await assert.rejects(stream.connect(`@${name}`), { code: 'ECONNREFUSED', object: `@${name}` });
});

test('the socket file is never wider than it was asked for, not even for a moment', async (t) => {
  if (!peer(t, 'strace')) return;
  const program = fileURLToPath(new URL('../fixtures/unix-server.js', import.meta.url));
  const path = socketPath(t);
  const trace = ['-f', '-qq', '-e', 'trace=bind,listen,rename,link,linkat,renameat,renameat2,/^f?chmod'];
  const script = ['-c', 'umask 0; exec "$@"', 'sh', 'strace', ...trace];
  const traced = start(t, 'sh', [...script, process.execPath, program, path]);
  assert.equal(await traced.line(), 'listening');
  using client = await stream.connect(path);
  assert.equal(lstatSync(path).mode & 0o7777, 0o600);
  const { pid } = client.peerCredentials;
  process.kill(pid, 'SIGKILL');
  await traced.ended;
  const calls = [...traced.errors().matchAll(/^(?:\[pid +\d+\] )?(\w+)\((.*)$/gm)]
    .map(([, call = '', given = '']) => [call, /, (0\d{3})\b/.exec(given)?.[1]])
    .filter(([call]) => call !== undefined);
  const order = calls.map(([call]) => call);
  assert.ok(order.indexOf('fchmod') >= 0 && order.indexOf('fchmod') < order.indexOf('bind'), String(order));
  assert.ok(order.indexOf('bind') < order.indexOf('listen'), String(order));
  for (const [call = '', mode] of calls) if (call.includes('chmod')) assert.equal(mode, '0600');
});

test('a client of Node’s net and a listener of ours understand each other', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path);
  const client = createConnection(path);
  using server = await listener.accept();
  client.end('from net');
  assert.equal(text(await server.read()), 'from net');
  assert.equal(await server.read(), null);
  await server.write(bytes('to net'));
  server.shutdown();
  assert.equal(String((await once(client, 'data'))[0]), 'to net');
});

test('options that cannot be meant are named, and make nothing', (t) => {
  const path = socketPath(t);
  assert.throws(() => stream.listen(path, { backlog: -1 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => stream.listen(path, { mode: 0o20000 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => stream.listen(path, { host: 'x' } as never), /unknown option 'host'/);
  assert.throws(() => stream.listen('@x', { mode: 0o600 }), /has no mode/);
  assert.throws(() => stream.listen(join(dirname(path), 'none', 's')), { code: 'ENOENT' });
  assert.deepEqual(readdirSync(dirname(path)), []);
});

test('tryAcceptLast() takes whoever waits to be let in and closes the listener; while nobody does it stays', async (t) => {
  const path = join(temporaryFolder(t), 's');
  using listener = stream.listen(path, { backlog: 0 });
  assert.equal(listener.tryAcceptLast(), undefined);
  assert.equal(listener.closed, false);
  using client = await stream.connect(path);
  using served = listener.tryAcceptLast();
  assert.ok(served !== undefined);
  assert.equal(listener.closed, true);
  assert.throws(() => listener.tryAcceptLast(), { code: 'ERR_INTERPROC_CLOSED' });
  await client.write(Buffer.from('hello'));
  assert.equal(Buffer.from((await served.read())!).toString(), 'hello');
  await assert.rejects(stream.connect(path), { code: 'ENOENT' });
});
