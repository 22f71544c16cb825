import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type StreamSocket, stream } from '../../src/unix/index.js';
import { temporaryFolder } from '../support/folder.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { socketPath } from './support.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/unix-peer.c', import.meta.url));

const PYTHON = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
if sys.argv[1] == 'server':
    s.bind(sys.argv[2]); s.listen(); s, _ = s.accept()
else: s.connect(sys.argv[2])
turned = bytes(255 - b for b in range(256))
while chunk := s.recv(5000): s.sendall(chunk.translate(turned))
`;

const PERL = `
use IO::Socket::UNIX;
my ($role, $path) = @ARGV;
my $s = $role eq 'server' ? IO::Socket::UNIX->new(Local => $path, Listen => 1)->accept : IO::Socket::UNIX->new(Peer => $path);
while (sysread $s, my $bytes, 5000) {
  $bytes = pack 'C*', map { 255 - $_ } unpack 'C*', $bytes;
  for (my $done = 0; $done < length $bytes;) { $done += syswrite($s, $bytes, 5000, $done) // die "write: $!" }
}
`;

function compiled(t: TestContext): string {
  const program = join(temporaryFolder(t), 'unix-peer');
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', program, SOURCE]);
  return program;
}

const PEERS: Record<string, [name: string, command: (t: TestContext) => [program: string, words: string[]]]> = {
  python3: ['Python', () => ['python3', ['-c', PYTHON]]],
  perl: ['Perl', () => ['perl', ['-e', PERL]]],
  cc: ['C', (t) => [compiled(t), []]],
};

/** Sends what the peer turns around, and sees that it comes back so, to the end. */
async function exchange(socket: StreamSocket): Promise<void> {
  const data = randomBytes(300_000);
  const written = socket.write(data).then(() => socket.shutdown());
  const back: Uint8Array[] = [];
  for await (const chunk of socket) back.push(chunk);
  await written;
  assert.ok(Buffer.concat(back).equals(data.map((byte) => 255 - byte)));
}

for (const [program, [language, command]] of Object.entries(PEERS)) {
  test(`a client and a server in ${language} exchange bytes with us in both directions, to the end of each`, async (t) => {
    if (!peer(t, program)) return;
    const [file, words] = command(t);
    const ours = socketPath(t);
    using listener = stream.listen(ours);
    const client = start(t, file, [...words, 'client', ours]);
    using accepted = await listener.accept();
    await exchange(accepted);
    assert.equal((await client.ended).code, 0, client.errors());

    const theirs = socketPath(t);
    const server = start(t, file, [...words, 'server', theirs]);
    using connected = await stream.connectWhenListening(theirs);
    await exchange(connected);
    assert.equal((await server.ended).code, 0, server.errors());
  });
}

test('a client of ours and a server of Node’s net understand each other', async (t) => {
  const path = socketPath(t);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (chunk) => socket.write(chunk.map((byte) => 255 - byte)));
    socket.on('end', () => socket.end());
  }).listen(path);
  await once(server, 'listening');
  using socket = await stream.connect(path);
  await exchange(socket);
  server.close();
  await once(server, 'close');
});
