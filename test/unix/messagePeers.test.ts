/** Programs that know nothing of us, at the other end of datagram and seqpacket sockets. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { datagram, seqpacket } from '../../src/unix/index.js';
import * as pipe from '../../src/pipe/index.js';
import { randomName, temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';
import { type Program, start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, socketPath, text } from './support.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/unix-messages-peer.c', import.meta.url));

/**
 * A datagram peer binds its own path, says `ready`, and sends each message back, turned around, to whom it came from; an empty one ends it. A
 * seqpacket server says `ready`, takes one connection and does the same; a client connects. Each tells of every message how
 * long it was.
 */
const PYTHON = `
import socket, sys
role, path = sys.argv[1:]
kind = socket.SOCK_DGRAM if role == 'datagram' else socket.SOCK_SEQPACKET
s = socket.socket(socket.AF_UNIX, kind)
if role != 'client': s.bind(path)
if role == 'server': s.listen()
print('ready', flush=True)
if role == 'server': s, _ = s.accept()
if role == 'client': s.connect(path)
while True:
    data, _, _, sender = s.recvmsg(300000)
    print(len(data), flush=True)
    if not data: break
    s.sendmsg([data[::-1]], [], 0, *([sender] if role == 'datagram' else []))
`;

const PERL = `
use Socket; $| = 1;
my ($role, $path) = @ARGV;
socket(my $s, AF_UNIX, $role eq 'datagram' ? SOCK_DGRAM : SOCK_SEQPACKET, 0) or die "socket: $!";
if ($role ne 'client') { bind($s, pack_sockaddr_un($path)) or die "bind: $!" }
if ($role eq 'server') { listen($s, 5) or die "listen: $!" }
print "ready\\n";
if ($role eq 'server') { accept(my $c, $s) or die "accept: $!"; $s = $c }
if ($role eq 'client') { connect($s, pack_sockaddr_un($path)) or die "connect: $!" }
while (1) {
  my $data = '';
  my $sender = recv($s, $data, 300000, 0);
  die "recv: $!" unless defined $sender;
  print length($data), "\\n";
  last if length($data) == 0;
  my $sent = $role eq 'datagram' ? send($s, reverse($data) . '', 0, $sender) : send($s, reverse($data) . '', 0);
  die "send: $!" unless defined $sent;
}
`;

function compiled(t: TestContext): string {
  const program = join(temporaryFolder(t), 'peer');
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', program, SOURCE]);
  return program;
}

const PEERS: Record<string, [name: string, command: (t: TestContext) => [program: string, words: string[]]]> = {
  python3: ['Python', () => ['python3', ['-c', PYTHON]]],
  perl: ['Perl', () => ['perl', ['-e', PERL]]],
  cc: ['C', (t) => [compiled(t), []]],
};

const LENGTHS = [1, 2, 100, 5000, 65_536, 200_000];

function message(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * 7);
}

/** Sends messages that the peer turns around, and sees that they come back so, and that it saw their boundaries. */
async function exchange(
  program: Program,
  send: (message: Uint8Array) => Promise<void>,
  receive: () => Promise<{ data: Uint8Array } | null>,
): Promise<void> {
  for (const length of LENGTHS) {
    await send(message(length));
    assert.equal(await program.line(), String(length), program.errors());
    assert.deepEqual((await receive())?.data, message(length).reverse());
  }
  await send(new Uint8Array(0));
  assert.equal(await program.line(), '0');
  assert.equal((await program.ended).code, 0, program.errors());
}

for (const [program, [language, command]] of Object.entries(PEERS)) {
  test(`a datagram peer in ${language} answers us at the address that it sees, by path and by name`, async (t) => {
    if (!peer(t, program)) return;
    const [file, words] = command(t);
    const theirs = socketPath(t);
    for (const ours of [`${theirs}-ours`, `@${randomName('peer')}`]) {
      const to = `${theirs}${ours.length}`;
      const child = start(t, file, [...words, 'datagram', to]);
      assert.equal(await child.line(), 'ready', child.errors());
      using socket = datagram.bind(ours);
      await exchange(
        child,
        (one) => socket.send(one, { to }),
        async () => {
          const received = await socket.receive();
          assert.equal(received.from, to);
          return received;
        },
      );
    }
  });

  test(`a seqpacket client and a server in ${language} exchange messages with us`, async (t) => {
    if (!peer(t, program)) return;
    const [file, words] = command(t);
    const ours = socketPath(t);
    using listener = seqpacket.listen(ours);
    const client = start(t, file, [...words, 'client', ours]);
    assert.equal(await client.line(), 'ready', client.errors());
    using accepted = await listener.accept();
    await exchange(
      client,
      (one) => accepted.send(one),
      () => accepted.receive(),
    );
    assert.equal(await accepted.receive(), null);

    const theirs = socketPath(t);
    const server = start(t, file, [...words, 'server', theirs]);
    assert.equal(await server.line(), 'ready', server.errors());
    using connected = await seqpacket.connect(theirs);
    await exchange(
      server,
      (one) => connected.send(one),
      () => connected.receive(),
    );
    assert.equal(await connected.receive(), null);
  });
}

test('socat sends datagrams to us and receives ours, by path and by name', async (t) => {
  if (!peer(t, 'socat')) return;
  const path = socketPath(t);
  const name = randomName('socat');
  for (const [address, to, at] of [
    [path, 'UNIX-SENDTO', 'UNIX-RECV'],
    [`@${name}`, 'ABSTRACT-SENDTO', 'ABSTRACT-RECV'],
  ] as const) {
    using socket = datagram.bind(address);
    const sender = start(t, 'socat', ['-u', '-', `${to}:${address.replace('@', '')}`]);
    sender.say('from socat');
    assert.equal(text((await socket.receive()).data), 'from socat\n');
    sender.process.stdin?.end();
    assert.equal((await sender.ended).code, 0, sender.errors());

    const receiver = start(t, 'socat', ['-u', `${at}:${address.replace('@', '')}-r`, '-']);
    const there = `${address}-r`;
    await sentTo(async () => socket.send(bytes('to socat\n'), { to: there }));
    assert.equal(await receiver.line(), 'to socat');
  }
});

/** Tries until the receiver is bound: socat does not say when. */
async function sentTo(send: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await send();
    } catch (why) {
      if (!['ENOENT', 'ECONNREFUSED'].includes((why as NodeJS.ErrnoException).code ?? '')) throw why;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

test('socat connects to our seqpacket socket, and we to its', async (t) => {
  if (!peer(t, 'socat')) return;
  const path = socketPath(t);
  const name = randomName('socat');
  for (const [address, to, at] of [
    [path, 'UNIX-CONNECT', 'UNIX-LISTEN'],
    [`@${name}`, 'ABSTRACT-CONNECT', 'ABSTRACT-LISTEN'],
  ] as const) {
    const bare = address.replace('@', '');
    using listener = seqpacket.listen(address);
    const client = start(t, 'socat', ['-', `${to}:${bare},type=5`]);
    using accepted = await listener.accept();
    client.say('from socat');
    assert.equal(text((await accepted.receive())?.data), 'from socat\n');
    await accepted.send(bytes('to socat\n'));
    assert.equal(await client.line(), 'to socat');
    client.process.stdin?.end();
    // The end of a seqpacket socket is an empty read; socat sends one, too, when its input ends.
    const last = await accepted.receive();
    assert.ok(last === null || last.length === 0);
    accepted.close();
    assert.equal((await client.ended).code, 0, client.errors());

    const server = start(t, 'socat', ['-', `${at}:${bare}-2,type=5`]);
    using connected = await seqpacket.connectWhenListening(`${address}-2`);
    await connected.send(bytes('to socat\n'));
    assert.equal(await server.line(), 'to socat');
    server.say('from socat');
    assert.equal(text((await connected.receive())?.data), 'from socat\n');
    connected.close();
    assert.equal((await server.ended).code, 0, server.errors());
  }
});

test('python sends us descriptors with datagrams and packets, and takes ours', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  const program = [
    'import os, socket, sys',
    'kind, path = getattr(socket, sys.argv[1]), sys.argv[2]',
    's = socket.socket(socket.AF_UNIX, kind)',
    'if kind == socket.SOCK_DGRAM: s.bind(path + "-python")',
    's.connect(path)',
    'r, w = os.pipe()',
    'socket.send_fds(s, [b"a pipe"], [r])',
    'os.write(w, b"from python")',
    'data, fds, flags, _ = socket.recv_fds(s, 100, 4)',
    'print(data.decode(), len(fds), flags & socket.MSG_CTRUNC, os.read(fds[0], 100).decode(), flush=True)',
  ].join('\n');
  for (const kind of ['SOCK_DGRAM', 'SOCK_SEQPACKET'] as const) {
    const bound = kind === 'SOCK_DGRAM' ? datagram.bind(`${path}${kind}`) : undefined;
    const listener = kind === 'SOCK_SEQPACKET' ? seqpacket.listen(`${path}${kind}`) : undefined;
    const child = start(t, 'python3', ['-c', program, kind, `${path}${kind}`]);
    const socket = bound ?? (await listener?.accept()) ?? assert.fail();
    const received = (await socket.receive()) ?? assert.fail();
    assert.equal(text(received.data), 'a pipe');
    using reader = pipe.readerFromFd(received.fds[0] as number);
    assert.equal(text(await reader.read()), 'from python');
    using ends = pipe.create();
    ends.writer.writeSync(bytes('to python'));
    const fds = [ends.reader.handOver()];
    if (bound !== undefined) await bound.send(bytes('yours'), { fds, to: `${path}${kind}-python` });
    else await socket.send(bytes('yours'), { fds });
    assert.equal(await child.line(), 'yours 1 0 to python', child.errors());
    socket.close();
    listener?.close();
  }
});

test('a receiver that shut down its reading is EPIPE', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  const program = [
    'import socket, sys',
    's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)',
    's.bind(sys.argv[1])',
    's.shutdown(socket.SHUT_RD)',
    'print("shut", flush=True)',
    'sys.stdin.readline()',
  ].join('\n');
  const child = start(t, 'python3', ['-c', program, path]);
  assert.equal(await child.line(), 'shut');
  using socket = datagram.bind();
  await assert.rejects(socket.send(bytes('x'), { to: path }), { code: 'EPIPE', syscall: 'sendmsg', path });
});

test('a datagram socket is handed to a child that knows nothing of us, and blocks there', async (t) => {
  if (!peer(t, 'python3')) return;
  using ends = datagram.pair();
  using packets = seqpacket.pair();
  const program = [
    'import socket, sys',
    'for fd in (3, 4):',
    '    s = socket.socket(fileno=fd)',
    '    data, ancillary, _, _ = s.recvmsg(100, 200)',
    '    s.send(data.upper() + str(len(ancillary)).encode())',
  ].join('\n');
  assert.equal(packets.first.tryReceive(), undefined, 'what this one uses itself goes with it');
  const stdio = ['ignore', 'inherit', 'pipe', ends.first.handOver(), packets.first.handOver()] as const;
  const child = start(t, 'python3', ['-c', program], { stdio: [...stdio] });
  ends.first.close();
  packets.first.close();
  await ends.second.send(bytes('hello'));
  assert.equal(text((await ends.second.receive()).data), 'HELLO0');
  await packets.second.send(bytes('world'));
  assert.equal(text((await packets.second.receive())?.data), 'WORLD0');
  assert.equal((await child.ended).code, 0, child.errors());
});

test('the kernel’s list of sockets shows ours with its type and its name', async (t) => {
  const path = socketPath(t);
  using _bound = datagram.bind(path);
  // It is read in pieces: one that is closed meanwhile lets another be missed.
  const ours = await until('it is shown', () =>
    readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .find((line) => line.endsWith(` ${path}`)),
  );
  assert.equal(ours.split(/\s+/)[4], '0002', 'SOCK_DGRAM');
});
