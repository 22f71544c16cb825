import assert from 'node:assert/strict';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { native, SOCK_DGRAM } from '../../src/sys/index.js';
import { MOST_ADDRESS_BYTES, type StreamSocket, stream } from '../../src/unix/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { randomName } from '../support/folder.js';
import { leastProcessorTimeMs, stateOf, syscallOf, threadsOf, until } from '../support/proc.js';
import { start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, fill, socketPath, text } from './support.js';

const SYS_CONNECT = process.arch === 'x64' ? 42 : 203;

/** How many threads of a process sleep in connect(2). */
function connecting(pid: number): number {
  return threadsOf(pid).filter((thread) => stateOf(pid, thread) === 'S' && syscallOf(pid, thread) === SYS_CONNECT)
    .length;
}

test('connecting works in every form', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path);
  for (const client of [await stream.connect(path), stream.connectSync(path), stream.tryConnect(path)]) {
    using server = await listener.accept();
    await server.write(bytes('welcome'));
    assert.equal(text(await client?.read()), 'welcome');
    client?.close();
  }
});

test('where nobody listens connecting is an error that says why', async (t) => {
  openPoller();
  const path = socketPath(t);
  const before = countDescriptors();
  const file = join(dirname(path), 'file');
  writeFileSync(file, '');
  const datagram = native().socket(SOCK_DGRAM);
  native().bind(datagram, bytes(path));
  const cases: [string, string][] = [
    [join(dirname(path), 'none'), 'ENOENT'],
    [join(file, 's'), 'ENOTDIR'],
    [file, 'ECONNREFUSED'],
    [path, 'EPROTOTYPE'],
  ];
  for (const [address, code] of cases) {
    const refused = { name: 'IpcError', code, syscall: 'connect', path: address };
    await assert.rejects(stream.connect(address), refused);
    assert.throws(() => stream.connectSync(address), refused);
    assert.throws(() => stream.tryConnect(address), refused);
  }
  native().close(datagram);
  const loop = join(dirname(path), 'loop');
  symlinkSync(loop, loop);
  for (const address of [loop, join(loop, 's')]) {
    await assert.rejects(stream.connect(address), { code: 'ELOOP', syscall: 'connect', path: address, hint: /links/ });
  }
  assert.equal(countDescriptors(), before);
});

test('a symbolic link to a socket is followed, as connect(2) does; who is there, its credentials tell', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path);
  const link = join(dirname(path), 'link');
  symlinkSync(path, link);
  using client = await stream.connect(link, { allow: (server) => server.pid === process.pid });
  (await listener.accept()).close();
  assert.equal(await client.read(), null);
});

test('ten thousand connects and a thousand listens that fail leave no descriptor, and no file', (t) => {
  openPoller();
  const path = socketPath(t);
  using listener = stream.listen(path);
  const before = countDescriptors();
  const there = readdirSync(dirname(path));
  for (let round = 0; round < 10_000; round++) {
    assert.throws(() => stream.tryConnect(`${path}-none`), { code: 'ENOENT' });
    if (round % 10 === 0) assert.throws(() => stream.listen(path), { code: 'EADDRINUSE' });
  }
  assert.equal(countDescriptors(), before);
  assert.deepEqual(readdirSync(dirname(path)), there);
  assert.equal(listener.tryAccept(), undefined);
});

test('aborts aimed at the room that a full backlog gets leave no descriptor and no connection in 500 rounds', async (t) => {
  openPoller();
  const path = socketPath(t);
  using listener = stream.listen(path, { backlog: 0 });
  const [filling] = fill(listener) as [StreamSocket];
  const before = countDescriptors();
  let [connected, aborted] = [0, 0];
  for (let round = 0; round < 500; round++) {
    const abort = new AbortController();
    const connect = stream.connect(path, { signal: abort.signal });
    if (round % 5 === 0) await until('a thread waits in connect(2)', () => connecting(process.pid) === 1);
    listener.acceptSync().close();
    if (round % 2 === 0) abort.abort();
    else setImmediate(() => abort.abort());
    const client = await connect.catch((why) => (why.code === 'ABORT_ERR' ? undefined : assert.fail(why)));
    if (client === undefined) aborted++;
    else connected++;
    client?.close();
    for (let left = listener.tryAccept(); left; left = listener.tryAccept()) left.close();
    stream.tryConnect(path)?.close();
  }
  assert.equal(connected + aborted, 500);
  listener.tryAccept()?.close();
  assert.equal(countDescriptors(), before);
  filling.close();
});

test('an address of 107 bytes works, of 108 it is refused before any system call, with the limit', async (t) => {
  const folder = dirname(socketPath(t));
  const longest = join(folder, 'x'.repeat(MOST_ADDRESS_BYTES - folder.length - 1));
  assert.equal(longest.length, 107);
  using listener = stream.listen(longest);
  using client = await stream.connect(longest);
  (await listener.accept()).close();
  assert.equal(await client.read(), null);
  const abstract = `@${randomName('long').padEnd(107, 'x')}`;
  using other = stream.listen(abstract);
  (await stream.connect(other.address)).close();
  const refused = { name: 'TypeError', code: 'ERR_INTERPROC_NAME', message: /at most 107 bytes, got 108/ };
  assert.throws(() => stream.listen(`${longest}x`), refused);
  assert.throws(() => stream.tryConnect(`${abstract}x`), refused);
  await assert.rejects(stream.connect(new Uint8Array(108)), refused);
  assert.throws(() => stream.tryConnect('é'.repeat(54)), refused, 'bytes count, not characters');
  for (const wrong of ['', '@', 'a\0b', new Uint8Array(0)]) {
    assert.throws(() => stream.tryConnect(wrong), { code: 'ERR_INTERPROC_NAME' });
  }
  assert.throws(() => stream.tryConnect(5 as never), { code: 'ERR_INTERPROC_ARGUMENT' });
});

test('a full backlog makes connecting wait in the kernel, in turn', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path, { backlog: 0 });
  const waiting = fill(listener);
  assert.ok(waiting.length > 0);
  const connect = stream.connect(path);
  await until('a thread waits in connect(2)', () => connecting(process.pid) === 1);
  listener.tryAccept()?.close();
  const client = await connect;
  listener.tryAccept()?.close();
  assert.equal(await client.read(), null);
  for (const one of [client, ...waiting]) one.close();
});

test('a wait for a full backlog is aborted and timed out, and leaves no descriptor', async (t) => {
  openPoller();
  const path = socketPath(t);
  using listener = stream.listen(path, { backlog: 0 });
  const waiting = fill(listener);
  const before = countDescriptors();
  const abort = new AbortController();
  const connect = stream.connect(path, { signal: abort.signal });
  await until('a thread waits in connect(2)', () => connecting(process.pid) === 1);
  abort.abort();
  await assert.rejects(connect, { code: 'ABORT_ERR' });
  await assert.rejects(stream.connect(path, { timeoutMs: 30 }), { code: 'ETIMEDOUT', syscall: 'connect', path });
  await assert.rejects(stream.connect(path, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  assert.throws(() => stream.connectSync(path, { timeoutMs: 30 }), { code: 'ETIMEDOUT' });
  assert.throws(() => stream.connectSync(path, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  await assert.rejects(stream.connect(path, { timeoutMs: -1 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.equal(connecting(process.pid), 0);
  assert.equal(countDescriptors(), before);
  for (const one of waiting) one.close();
});

test('while a connect waits for five seconds, less than 1 % of a processor is used', async (t) => {
  const path = socketPath(t);
  using listener = stream.listen(path, { backlog: 0 });
  const waiting = fill(listener);
  const child = startFixture(t, 'unix-connect', [path]);
  assert.equal(await child.line(), 'connecting');
  await until('it waits in connect(2)', () => connecting(child.pid) === 1);
  const used = await leastProcessorTimeMs(child.pid, 50, () => start(t, 'sleep', ['5']).ended);
  assert.ok(used < 50, `${used} ms of 5000`);
  for (const one of waiting) {
    listener.tryAccept()?.close();
    one.close();
  }
  assert.equal(await child.line(), 'connected');
});

test('socat connects to us, by path and by abstract name, and we to it', async (t) => {
  if (!peer(t, 'socat')) return;
  const path = socketPath(t);
  const name = randomName('socat');
  for (const [address, theirs] of [
    [path, `UNIX-CONNECT:${path}`],
    [`@${name}`, `ABSTRACT-CONNECT:${name}`],
  ] as const) {
    using listener = stream.listen(address);
    const child = start(t, 'socat', ['-', theirs]);
    using server = await listener.accept();
    child.say('from socat');
    assert.equal(text(await server.read()), 'from socat\n');
    await server.write(bytes('to socat\n'));
    assert.equal(await child.line(), 'to socat');
  }
  for (const [address, theirs] of [
    [`${path}-2`, `UNIX-LISTEN:${path}-2`],
    [`@${name}-2`, `ABSTRACT-LISTEN:${name}-2`],
  ] as const) {
    const child = start(t, 'socat', ['-', theirs]);
    using client = await stream.connectWhenListening(address);
    await client.write(bytes('to socat\n'));
    assert.equal(await child.line(), 'to socat');
    child.say('from socat');
    assert.equal(text(await client.read()), 'from socat\n');
    client.close();
    assert.equal((await child.ended).code, 0, child.errors());
  }
});

test('perl listens, and we connect to it', async (t) => {
  if (!peer(t, 'perl')) return;
  const path = socketPath(t);
  const program = `use IO::Socket::UNIX; $| = 1;
    my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die;
    my $s = $l->accept; my $line = <$s>; print $line; print $s uc $line;`;
  const child = start(t, 'perl', ['-e', program, path]);
  using client = await stream.connectWhenListening(path);
  await client.write(bytes('hello perl\n'));
  assert.equal(await child.line(), 'hello perl');
  assert.equal(text(await client.read()), 'HELLO PERL\n');
});
