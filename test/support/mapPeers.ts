/**
 * Programs in other languages that map two files: the first HALF bytes of one they put, turned around, behind them; the other they
 * make, of 5000 bytes, write into it, wait for a line and tell what stands there then.
 */
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Mapping } from '../../src/mmap/index.js';
import { start } from './program.js';
import { peer } from './skips.js';

const JAVA = fileURLToPath(new URL('../../../test/fixtures/MapPeer.java', import.meta.url));
const HALF = 100_000;

/** How large ours is. */
export const SIZE = 2 * HALF;

const PYTHON = `
import mmap, os, sys
our_path, their_path, half = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(our_path, 'r+b') as file: ours = mmap.mmap(file.fileno(), 0)
ours[half:] = ours[:half][::-1]
with open(their_path, 'x+b') as file:
    file.truncate(5000)
    theirs = mmap.mmap(file.fileno(), 0)
theirs[10:20] = b'from there'
print('made', flush=True)
sys.stdin.readline()
print(theirs[100:109].decode(), flush=True)
`;

const PERL = `
my ($our_path, $their_path, $half) = @ARGV;
open(my $ours, '+<:raw', $our_path) or die $!;
sysread($ours, my $bytes, $half) == $half or die $!;
syswrite($ours, scalar reverse($bytes)) == $half or die $!;
open(my $theirs, '+>:raw', $their_path) or die $!;
truncate($theirs, 5000) or die $!;
sysseek($theirs, 10, 0) && syswrite($theirs, 'from there') or die $!;
$| = 1; print "made\\n"; <STDIN>;
sysseek($theirs, 100, 0) && sysread($theirs, $bytes, 9) or die $!;
print "$bytes\\n";
`;

/** Each by its name: the program and its words, or false if the test is skipped. */
export const MAP_PEERS: Record<string, (t: TestContext) => [program: string, words: string[]] | false> = {
  'Python’s mmap': (t) => peer(t, 'python3') && ['python3', ['-c', PYTHON]],
  'Perl, with read and write': (t) => peer(t, 'perl') && ['perl', ['-e', PERL]],
  // -UsePerfData: no file of the virtual machine is left in /tmp. The compiler, since a source is run.
  'Java’s FileChannel.map': (t) =>
    peer(t, 'java') && peer(t, 'javac') && ['java', ['-XX:-UsePerfData', '-XX:TieredStopAtLevel=1', JAVA]],
};

/** Has one of them do it. `ours` is mapped from a file of SIZE bytes at `ourPath`; `map` maps theirs, which is there by then. */
export async function shareWith(
  t: TestContext,
  [program, words]: [program: string, words: string[]],
  { ours, ourPath, theirPath, map }: { ours: Mapping; ourPath: string; theirPath: string; map: () => Mapping },
): Promise<void> {
  const first = Uint8Array.from({ length: HALF }, (_, index) => (index * 7919 + (index >> 8)) & 0xff);
  ours.write(0, first);
  t.after(() => rmSync(theirPath, { force: true }));
  assert.equal(existsSync(theirPath), false);
  const other = start(t, program, [...words, ourPath, theirPath, String(HALF)], { env: { LC_ALL: 'C' } });
  assert.equal(await other.line(), 'made');
  assert.deepEqual(ours.read(0, HALF), first);
  assert.deepEqual(ours.read(HALF, HALF), first.reverse());
  using theirs = map();
  assert.equal(theirs.byteLength, 5000);
  assert.equal(Buffer.from(theirs.read(10, 10)).toString(), 'from there');
  theirs.write(100, Buffer.from('from node'));
  other.say('');
  assert.equal(await other.line(), 'from node');
  assert.deepEqual(await other.ended, { code: 0, signal: null }, other.errors());
}
