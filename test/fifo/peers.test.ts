/** Programs in other languages at the other end: they find FIFOs of ours, we find theirs, and bytes go both ways at once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as fifo from '../../src/fifo/index.js';
import { temporaryFolder } from '../support/folder.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { text } from './support.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/fifo-peer.c', import.meta.url));
const SIZE = 300_000; // more than four times what a FIFO holds

const PYTHON = `
import sys
source, sink = open(sys.argv[1], 'rb', 0), open(sys.argv[2], 'wb', 0)
turned = bytes(255 - b for b in range(256))
while chunk := source.read(5000):
    view = memoryview(chunk.translate(turned))
    while view: view = view[sink.write(view):]
`;

const PERL = `
open my $in, '<:raw', $ARGV[0] or die "in: $!";
open my $out, '>:raw', $ARGV[1] or die "out: $!";
while (sysread $in, my $bytes, 5000) {
  $bytes = pack 'C*', map { 255 - $_ } unpack 'C*', $bytes;
  for (my $done = 0; $done < length $bytes;) { $done += syswrite($out, $bytes, 5000, $done) // die "write: $!" }
}
`;

function compiled(t: TestContext): string {
  const program = join(temporaryFolder(t), 'fifo-peer');
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', program, SOURCE]);
  return program;
}

/** A command that turns what it reads around. */
const PEERS: Record<string, (t: TestContext) => [program: string, words: string[]]> = {
  python3: () => ['python3', ['-c', PYTHON]],
  perl: () => ['perl', ['-e', PERL]],
  cc: (t) => [compiled(t), []],
};

const LANGUAGES = { python3: 'Python', perl: 'Perl', cc: 'C' };

for (const [language, command] of Object.entries(PEERS)) {
  test(`a program in ${LANGUAGES[language as keyof typeof LANGUAGES]} reads from one FIFO and writes to another, while we do the opposite`, async (t) => {
    if (!peer(t, language)) return;
    const folder = temporaryFolder(t);
    const [there, back] = [join(folder, 'there'), join(folder, 'back')];
    for (const path of [there, back]) fifo.create(path);
    const [program, words] = command(t);
    const other = start(t, program, [...words, there, back]);
    const [writer, reader] = await Promise.all([fifo.openWriter(there), fifo.openReader(back)]);
    const sent = Uint8Array.from({ length: SIZE }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
    const writing = writer.write(sent).then(() => writer.close());
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader) chunks.push(chunk);
    await writing;
    reader.close();
    assert.ok(Buffer.concat(chunks).equals(sent.map((byte) => 255 - byte)));
    assert.deepEqual(await other.ended, { code: 0, signal: null }, other.errors());
  });
}

test('a FIFO that mkfifo(1), Python’s os.mkfifo or Perl’s POSIX::mkfifo made is opened like our own', async (t) => {
  const makers: [string, string[]][] = [
    ['mkfifo', []],
    ['python3', ['-c', 'import os, sys; os.mkfifo(sys.argv[1])']],
    ['perl', ['-MPOSIX', '-e', 'POSIX::mkfifo($ARGV[0], 0600) or die $!']],
  ];
  for (const [program, words] of makers) {
    if (!peer(t, program)) return;
    const path = join(temporaryFolder(t), 'theirs');
    execFileSync(program, [...words, path]);
    const echo = start(t, 'sh', ['-c', 'echo "by $2" > "$1"', 'sh', path, program]);
    using reader = await fifo.openReader(path, { owner: 'self' });
    assert.equal(text(await reader.read()), `by ${program}\n`);
    await echo.ended;
  }
});
