/** Programs in other languages that share a set with us, and the commands of util-linux. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { semaphoreSet } from '../../src/sysv/index.js';
import { temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer, peerModule } from '../support/skips.js';
import { freeKey, newSet, removedAfter } from './sets.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/set-peer.c', import.meta.url));
const DEBIAN_PYTHON = '/usr/bin/python3';
const ENVIRONMENT = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
const hasSysvIpc = (t: TestContext): boolean => peerModule(t, 'sysv_ipc', [DEBIAN_PYTHON, '-c', 'import sysv_ipc']);

// Each does what set-peer.c does.

const PERL = `
my ($our_key, $their_key) = @ARGV;
my $ours = IPC::Semaphore->new($our_key, 0, 0) // die $!;
$ours->op(0, -2, 0, 1, 3, 0) or die $!;
my $theirs = IPC::Semaphore->new($their_key, 2, IPC_CREAT | IPC_EXCL | 0600) // die $!;
$theirs->op(0, 4, 0) or die $!;
$| = 1; print "made\\n";
$theirs->op(1, -1, 0) or die $!;
print $theirs->getval(0), "\\n";
$theirs->remove or die $!;
`;

const PEERS: Record<string, (t: TestContext) => [program: string, words: string[]] | false> = {
  C: (t) => {
    if (!peer(t, 'cc')) return false;
    const program = join(temporaryFolder(t), 'set-peer');
    execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', program, SOURCE]);
    return [program, []];
  },
  'Perl’s IPC::Semaphore': (t) =>
    peerModule(t, 'IPC::Semaphore', ['perl', '-MIPC::Semaphore', '-e', '1']) && [
      'perl',
      ['-MIPC::Semaphore', '-MIPC::SysV=IPC_CREAT,IPC_EXCL', '-e', PERL, '--'],
    ],
};

for (const [name, command] of Object.entries(PEERS)) {
  test(`${name} changes our set at once, and waits for what we give in its own`, async (t) => {
    const found = command(t);
    if (found === false) return;
    const [program, words] = found;
    const ours = newSet(t, { initial: [1, 0] });
    const keys = [ours.key, freeKey(t)].map((key) => key | 0);
    const other = start(t, program, [...words, ...keys.map(String)], { env: { LC_ALL: 'C' } });
    await until('it waits for us', () => ours.waitingForIncrease(0) === 1);
    assert.deepEqual(ours.getAll(), [1, 0]);
    ours.release();
    assert.equal(await other.line(), 'made');
    assert.deepEqual([ours.getAll(), ours.lastPid(1)], [[0, 3], other.pid]);
    const theirs = semaphoreSet.open(keys[1] as number);
    assert.deepEqual([theirs.initialised, theirs.count, theirs.getAll()], [true, 2, [4, 0]]);
    theirs.tryAcquire();
    theirs.release({ index: 1 });
    assert.equal(await other.line(), '3');
    assert.deepEqual(await other.ended, { code: 0, signal: null }, other.errors());
    assert.throws(() => theirs.stat(), { code: 'EIDRM' });
  });
}

test('Python’s sysv_ipc.Semaphore takes, gives, waits for zero and undoes with us, and its properties are what we tell', async (t) => {
  if (!hasSysvIpc(t)) return;
  const set = newSet(t, { initial: 1 });
  const code = `
import sys, sysv_ipc
s = sysv_ipc.Semaphore(${set.key | 0})
s.acquire(); print('taken', s.value, flush=True)
sys.stdin.readline()
s.release(3); print('given', s.value, s.id, s.mode, s.uid, s.cgid, s.waiting_for_nonzero, s.waiting_for_zero, flush=True)
s.Z(); print('zero', s.last_pid, int(s.o_time), flush=True)
s.undo = True
s.release(delta=2)
try:
    s.acquire(delta=3, timeout=0.05)
except sysv_ipc.BusyError:
    print('busy', flush=True)
sys.stdin.readline()
`;
  const python = start(t, DEBIAN_PYTHON, ['-c', code]);
  assert.equal(await python.line(), 'taken 0');
  const wait = set.acquire({ count: 2 });
  await until('we wait', () => set.waitingForIncrease() === 1);
  python.say('');
  const { mode, uid, creatorGid } = set.stat();
  const line = (await python.line()).split(' ').map((word) => (/^\d+$/.test(word) ? Number(word) : word));
  assert.deepEqual([line[0], ...line.slice(2, 6)], ['given', set.id, mode, uid, creatorGid]);
  assert.equal((await wait).released, false);
  await until('it waits for zero', () => set.waitingForZero() === 1);
  set.tryAcquire();
  const seconds = (): number => (set.stat().lastOperationTime?.getTime() ?? 0) / 1000;
  const [zero, pid, time] = (await python.line()).split(' ');
  assert.deepEqual([zero, Number(pid)], ['zero', python.pid]);
  assert.ok(Math.abs(Number(time) - seconds()) <= 2);
  assert.equal(await python.line(), 'busy');
  assert.equal(set.getValue(), 2);
  python.say('');
  await python.ended;
  assert.equal(set.getValue(), 0, 'undone');
});

test('a set that Python’s sysv_ipc made with a value is found with it', async (t) => {
  if (!hasSysvIpc(t)) return;
  const key = freeKey(t);
  const code = `import sysv_ipc; s = sysv_ipc.Semaphore(${key | 0}, sysv_ipc.IPC_CREX, initial_value=6); s.acquire(); s.release(); print('made')`;
  const python = start(t, DEBIAN_PYTHON, ['-c', code]);
  assert.equal(await python.line(), 'made');
  const set = semaphoreSet.open(key);
  assert.deepEqual([set.getAll(), set.initialised], [[6], true]);
  await python.ended;
});

test('PHP’s sem_acquire and sem_get keep their count in a set of three, which we see, and we take turns', async (t) => {
  if (!peer(t, 'php')) return;
  const key = freeKey(t);
  const code = `
    $s = sem_get(${key | 0}, 2, 0600);
    sem_acquire($s) or exit(1);
    echo "held\\n"; fgets(STDIN);
    sem_release($s) or exit(1);
    echo "given\\n"; fgets(STDIN);
    sem_acquire($s) or exit(1);
    echo "held again\\n";
    sem_remove($s);`;
  const php = start(t, 'php', ['-r', code]);
  assert.equal(await php.line(), 'held');
  // The first of the three is the semaphore, the second counts its users, the third guards making it.
  const set = semaphoreSet.open(key);
  assert.deepEqual([set.count, set.initialised, set.getValue(0)], [3, true, 1]);
  const mine = await set.acquire();
  assert.equal(set.tryAcquire(), undefined);
  php.say('');
  assert.equal(await php.line(), 'given');
  const both = set.acquireSync();
  php.say('');
  await until('PHP waits', () => set.waitingForIncrease() === 1);
  mine.release();
  assert.equal(await php.line(), 'held again');
  assert.deepEqual(await php.ended, { code: 0, signal: null }, php.errors());
  assert.throws(() => both.release(), { code: 'EIDRM' });
});

test('ipcs shows of a set what stat, the values, the pids and the waiting counts tell', async (t) => {
  if (!peer(t, 'ipcs')) return;
  const set = newSet(t, { initial: [2, 0, 7], mode: 0o640 });
  const waits = [set.acquire({ index: 1 }), set.waitForZero({ index: 2 })];
  const ends = waits.map((wait) => assert.rejects(wait, { code: 'EIDRM' }));
  await until('both wait', () => set.waitingForIncrease(1) + set.waitingForZero(2) === 2);
  set.release({ index: 0 });
  const said = execFileSync('ipcs', ['-s', '-i', String(set.id)], { encoding: 'utf8', env: ENVIRONMENT });
  const shown = Object.fromEntries(
    [...said.matchAll(/(\w+) ?= ?([^\t\n]*)/g)].map(([, key, value]) => [key, value?.trim()]),
  );
  const { uid, gid, creatorUid, creatorGid, mode, count, lastOperationTime, changeTime } = set.stat();
  assert.deepEqual([shown.uid, shown.gid, shown.cuid, shown.cgid, shown.nsems].map(Number), [
    uid,
    gid,
    creatorUid,
    creatorGid,
    count,
  ]);
  assert.equal(Number.parseInt(shown.mode ?? '', 8), mode);
  assert.deepEqual(
    [Date.parse(`${shown.otime} UTC`), Date.parse(`${shown.ctime} UTC`)],
    [lastOperationTime?.getTime(), changeTime.getTime()],
  );
  const rows = [...said.matchAll(/^(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*$/gm)].map((row) =>
    row.slice(1).map(Number),
  );
  assert.deepEqual(
    rows,
    [0, 1, 2].map((index) => [
      index,
      set.getValue(index),
      set.waitingForIncrease(index),
      set.waitingForZero(index),
      set.lastPid(index) ?? 0,
    ]),
  );
  set.remove();
  await Promise.all(ends);
});

test('a set that ipcmk made is found by its id and its key, and ipcrm removes ours under who waits', async (t) => {
  if (!peer(t, 'ipcmk') || !peer(t, 'ipcrm')) return;
  const said = execFileSync('ipcmk', ['-S', '3', '-p', '640'], { encoding: 'utf8', env: ENVIRONMENT });
  const id = Number(/id: (\d+)/.exec(said)?.[1]);
  const made = semaphoreSet.fromId(id);
  removedAfter(t, made);
  assert.deepEqual([made.count, made.initialised, made.stat().mode, made.getAll()], [3, false, 0o640, [0, 0, 0]]);
  assert.equal(semaphoreSet.open(made.key).id, id);
  const [byId, byKey] = [newSet(t), newSet(t)];
  const waits = [byId.acquire(), byKey.acquire()].map((wait) => assert.rejects(wait, { code: 'EIDRM' }));
  await until('both wait', () => byId.waitingForIncrease() + byKey.waitingForIncrease() === 2);
  execFileSync('ipcrm', ['-s', String(byId.id), '-S', `0x${byKey.key.toString(16)}`]);
  await Promise.all(waits);
  assert.throws(() => semaphoreSet.open(byKey.key), { code: 'ENOENT' });
});
