/** Programs in other languages at the same file: the same locks, both ways, and what the tools of the system show of them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import * as filelock from '../../src/filelock/index.js';
import { until } from '../support/proc.js';
import { killed, type Program, start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { compiledPeer, held, type KindName, KINDS, newFile, startPeer } from './support.js';

const PYTHON = `
import fcntl, os, struct, sys
kind, path, how, start, length = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
fd = os.open(path, os.O_RDWR)
shared = how == 'r'
if kind == 'flock': fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
elif kind == 'record': fcntl.lockf(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, length, start)
else: fcntl.fcntl(fd, 38, struct.pack('hhqqi4x', fcntl.F_RDLCK if shared else fcntl.F_WRLCK, 0, start, length, 0))
print('held', flush=True)
sys.stdin.read()
`;

const PERL = `
use Fcntl ':flock'; $| = 1;
my ($kind, $path, $how, $start, $length) = @ARGV;
open(my $file, '+<', $path) or die $!;
my $shared = $how eq 'r';
if ($kind eq 'flock') { flock($file, $shared ? LOCK_SH : LOCK_EX) or die $!; }
else {
  my $wanted = pack('s s x4 q q l x4', $shared ? 0 : 1, 0, $start, $length, 0);
  fcntl($file, $kind eq 'record' ? 7 : 38, $wanted) or die $!;
}
print "held\\n";
while (<STDIN>) {}
`;

type Start = (t: TestContext, words: readonly (string | number)[]) => Program;

const PEERS: Record<string, Start> = {
  python3: (t, words) => start(t, 'python3', ['-c', PYTHON, ...words.map(String)]),
  perl: (t, words) => start(t, 'perl', ['-e', PERL, ...words.map(String)]),
  cc: (t, words) => startPeer(t, compiledPeer(t), words),
};
const LANGUAGES: Record<string, string> = { python3: 'Python', perl: 'Perl', cc: 'C' };

for (const [program, begin] of Object.entries(PEERS)) {
  for (const kind of Object.keys(KINDS) as KindName[]) {
    const form = KINDS[kind];
    const range = kind === 'flock' ? {} : { offset: 10, length: 5 };

    test(`a program in ${LANGUAGES[program]} and this wait for each other’s ${kind} locks`, async (t) => {
      if (!peer(t, program)) return;
      const path = newFile(t);
      const lock = held(t, form.tryAcquire(path, range));
      const other = begin(t, [kind, path, 'w', 14, 1]);
      await until('it waits', () => filelock.holders(path).some(({ waiting }) => waiting));
      lock.release();
      assert.equal(await other.line(), 'held');
      assert.equal(form.tryAcquire(path, range), undefined);
      const waiting = form.acquire(path, range);
      await killed(other);
      (await waiting).release();
      const reader = begin(t, [kind, path, 'r', 0, 0]);
      assert.equal(await reader.line(), 'held');
      assert.equal(form.tryAcquire(path, range), undefined);
      held(t, form.tryAcquire(path, { ...range, shared: true }));
    });
  }
}

interface Shown {
  type: string;
  mode: string;
  start: number;
  end: number;
  path: string;
  pid: number;
}

/** What lslocks(8) shows once: it reads the list in pieces, and shows a lock twice, or not at all, if somebody takes another one meanwhile. */
function shownFor(path: string): unknown[] {
  const words = ['--json', '--output', 'TYPE,PID,MODE,START,END,PATH', '--pid', String(process.pid)];
  const { locks } = JSON.parse(execFileSync('lslocks', words, { encoding: 'utf8' })) as { locks: Shown[] };
  return locks
    .filter((one) => one.path === path)
    .map(({ type, mode, pid, start: first, end }) => [type, mode, pid, first, end])
    .sort();
}

test('lslocks(8) shows what holders() shows', async (t) => {
  if (!peer(t, 'lslocks')) return;
  const path = newFile(t);
  held(t, filelock.flock.tryAcquire(path));
  held(t, filelock.record.tryAcquire(path, { offset: 10, length: 5, shared: true }));
  await until('lslocks(8) shows both', () =>
    isDeepStrictEqual(shownFor(path), [
      ['FLOCK', 'WRITE', process.pid, 0, 0],
      ['POSIX', 'READ', process.pid, 10, 14],
    ]),
  );
  assert.deepEqual(
    filelock
      .holders(path)
      .map(({ kind, shared, pid, offset, length }) => [kind, shared, pid, offset, length])
      .sort(),
    [
      ['flock', false, process.pid, 0n, 0n],
      ['record', true, process.pid, 10n, 5n],
    ],
  );
});
