/** Programs in other languages that share a segment with us, and the commands of util-linux. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sharedMemory } from '../../src/sysv/index.js';
import { temporaryFolder } from '../support/folder.js';
import { start } from '../support/program.js';
import { peer, peerModule } from '../support/skips.js';
import { freeKey, newSegment, removedAfter } from './segments.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/segment-peer.c', import.meta.url));
const DEBIAN_PYTHON = '/usr/bin/python3';
const HALF = 100_000;
const ENVIRONMENT = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };

// Each does what segment-peer.c does.

const PYTHON = `
import sys, sysv_ipc
our_key, their_key, half = map(int, sys.argv[1:4])
ours = sysv_ipc.SharedMemory(our_key)
ours.write(ours.read(half)[::-1], half)
theirs = sysv_ipc.SharedMemory(their_key, sysv_ipc.IPC_CREX, size=5000)
theirs.write(b'from there', 10)
print('made', flush=True)
sys.stdin.readline()
print(theirs.read(9, 100).decode(), flush=True)
theirs.detach()
theirs.remove()
`;

const PERL_MODULE = `
my ($our_key, $their_key, $half) = @ARGV;
my $ours = IPC::SharedMem->new($our_key, 0, 0) // die $!;
$ours->write(scalar reverse($ours->read(0, $half)), $half, $half) or die $!;
my $theirs = IPC::SharedMem->new($their_key, 5000, IPC_CREAT | IPC_EXCL | 0600) // die $!;
$theirs->write('from there', 10, 10) or die $!;
$| = 1; print "made\\n"; <STDIN>;
print $theirs->read(100, 9), "\\n";
$theirs->remove or die $!;
`;

const PERL = `
my ($our_key, $their_key, $half) = @ARGV;
my $ours = shmget($our_key, 0, 0) // die $!;
shmread($ours, my $bytes, 0, $half) or die $!;
shmwrite($ours, scalar reverse($bytes), $half, $half) or die $!;
my $theirs = shmget($their_key, 5000, IPC_CREAT | IPC_EXCL | 0600) // die $!;
shmwrite($theirs, 'from there', 10, 10) or die $!;
$| = 1; print "made\\n"; <STDIN>;
shmread($theirs, $bytes, 100, 9) or die $!;
print "$bytes\\n";
shmctl($theirs, IPC_RMID, 0) // die $!;
`;

const PHP = `
[, $our_key, $their_key, $half] = array_map('intval', $argv);
$ours = shmop_open($our_key, 'w', 0, 0);
shmop_write($ours, strrev(shmop_read($ours, 0, $half)), $half) === $half or exit(1);
$theirs = shmop_open($their_key, 'n', 0600, 5000);
shmop_write($theirs, 'from there', 10) === 10 or exit(1);
echo "made\\n";
fgets(STDIN);
echo shmop_read($theirs, 100, 9), "\\n";
shmop_delete($theirs) or exit(1);
`;

function compiled(t: TestContext): string {
  const program = join(temporaryFolder(t), 'segment-peer');
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', program, SOURCE]);
  return program;
}

const perl = (t: TestContext, module: string, words: string[]): [string, string[]] | false =>
  peerModule(t, module, ['perl', `-M${module}`, '-e', '1']) && ['perl', [...words, '--']];
const CONSTANTS = '-MIPC::SysV=IPC_CREAT,IPC_EXCL,IPC_RMID';

const PEERS: Record<string, (t: TestContext) => [program: string, words: string[]] | false> = {
  C: (t) => peer(t, 'cc') && [compiled(t), []],
  'Python’s sysv_ipc': (t) =>
    peerModule(t, 'sysv_ipc', [DEBIAN_PYTHON, '-c', 'import sysv_ipc']) && [DEBIAN_PYTHON, ['-c', PYTHON]],
  'Perl’s IPC::SharedMem': (t) => perl(t, 'IPC::SharedMem', ['-MIPC::SharedMem', CONSTANTS, '-e', PERL_MODULE]),
  'Perl’s shmread and shmwrite': (t) => perl(t, 'IPC::SysV', [CONSTANTS, '-e', PERL]),
  'PHP’s shmop': (t) => peer(t, 'php') && ['php', ['-r', PHP, '--']],
};

for (const [name, command] of Object.entries(PEERS)) {
  test(`${name} sees the bytes of our segment, we see what it writes, and each finds the segment of the other`, async (t) => {
    const found = command(t);
    if (found === false) return;
    const [program, words] = found;
    const ours = newSegment(t, { size: 2 * HALF });
    using memory = ours.attach();
    const first = Uint8Array.from({ length: HALF }, (_, index) => (index * 7919 + (index >> 8)) & 0xff);
    memory.bytes.set(first);
    // Some of them know signed keys only.
    const keys = [ours.key, freeKey(t)].map((key) => key | 0);
    const other = start(t, program, [...words, ...keys.map(String), String(HALF)], { env: { LC_ALL: 'C' } });
    assert.equal(await other.line(), 'made');
    assert.deepEqual(memory.bytes.slice(0, HALF), first);
    assert.deepEqual(memory.bytes.slice(HALF), first.reverse());
    const theirs = sharedMemory.open(keys[1] as number);
    assert.deepEqual([theirs.size, theirs.created, theirs.stat().creatorPid], [5000, false, other.pid]);
    using shared = theirs.attach();
    assert.equal(Buffer.from(shared.bytes.subarray(10, 20)).toString(), 'from there');
    shared.bytes.set(Buffer.from('from node'), 100);
    other.say('');
    assert.equal(await other.line(), 'from node');
    assert.deepEqual(await other.ended, { code: 0, signal: null }, other.errors());
    assert.equal(theirs.stat().markedForRemoval, true);
  });
}

test('the properties of Python’s sysv_ipc are what stat tells, and both see what the other changes', async (t) => {
  if (!peerModule(t, 'sysv_ipc', [DEBIAN_PYTHON, '-c', 'import sysv_ipc'])) return;
  const segment = newSegment(t, { size: 5000 });
  const code = `
import sys, sysv_ipc
memory = sysv_ipc.SharedMemory(${segment.key | 0})
def tell():
    print(memory.id, memory.size, memory.number_attached, memory.creator_pid, memory.last_pid, memory.uid, memory.gid,
        memory.cuid, memory.cgid, memory.mode, memory.last_attach_time, memory.last_detach_time, memory.last_change_time,
        flush=True)
tell()
sys.stdin.readline()
tell()
memory.mode = 0o644
memory.detach()
tell()
sys.stdin.readline()
memory.remove()
print('removed', flush=True)`;
  const python = start(t, DEBIAN_PYTHON, ['-c', code]);
  const told = (): string => {
    const { id, size, attached, creatorPid, lastPid, uid, gid, creatorUid, creatorGid, mode, ...times } =
      segment.stat();
    const { lastAttachTime, lastDetachTime, changeTime } = times;
    const seconds = [lastAttachTime, lastDetachTime, changeTime].map((time) => (time?.getTime() ?? 0) / 1000);
    const numbers = [id, size, attached, creatorPid, lastPid, uid, gid, creatorUid, creatorGid, mode, ...seconds];
    return numbers.join(' ');
  };
  const first = await python.line();
  assert.equal(first, told());
  assert.deepEqual([segment.stat().attached, segment.stat().lastPid], [1, python.pid]);
  const memory = segment.attach();
  segment.set({ mode: 0o640 });
  python.say('go on');
  const second = await python.line();
  const third = await python.line();
  assert.equal(second.split(' ')[2], '2');
  assert.equal(second.split(' ')[9], String(0o640));
  assert.equal(third, told());
  assert.deepEqual([segment.stat().mode, segment.stat().attached], [0o644, 1]);
  memory.close();
  python.say('go on');
  assert.equal(await python.line(), 'removed');
  assert.throws(() => segment.stat(), { code: 'EIDRM' });
});

/** What `ipcs -m -i` says of a segment: its fields by their names. */
function shownByIpcs(id: number): Record<string, string> {
  const said = execFileSync('ipcs', ['-m', '-i', String(id)], { encoding: 'utf8', env: ENVIRONMENT });
  return Object.fromEntries([...said.matchAll(/(\w+)=([^\t\n]*)/g)].map(([, name, value]) => [name, value?.trim()]));
}

const seconds = (time: Date | undefined): number => (time === undefined ? Number.NaN : time.getTime());

test('ipcs shows of a segment what stat tells', (t) => {
  if (!peer(t, 'ipcs')) return;
  const segment = newSegment(t, { mode: 0o640, size: 5000 });
  const compare = (): void => {
    // Looking starts a process, which counts as attached between fork(2) and execve(2): so it is told of before stat.
    const shown = shownByIpcs(segment.id);
    const { key, id, markedForRemoval, locked, lastPid, ...status } = segment.stat();
    assert.deepEqual(
      {
        ...status,
        mode: status.mode + (markedForRemoval ? 0o1000 : 0) + (locked ? 0o2000 : 0),
        lastPid: lastPid ?? 0,
        lastAttachTime: seconds(status.lastAttachTime),
        lastDetachTime: seconds(status.lastDetachTime),
        changeTime: seconds(status.changeTime),
      },
      {
        uid: Number(shown.uid),
        gid: Number(shown.gid),
        creatorUid: Number(shown.cuid),
        creatorGid: Number(shown.cgid),
        mode: Number.parseInt(shown.mode as string, 8),
        size: Number(shown.bytes),
        attached: Number(shown.nattch),
        creatorPid: Number(shown.cpid),
        lastPid: Number(shown.lpid),
        lastAttachTime: Date.parse(`${shown.att_time} UTC`),
        lastDetachTime: Date.parse(`${shown.det_time} UTC`),
        changeTime: Date.parse(`${shown.change_time} UTC`),
      },
    );
    const line = execFileSync('ipcs', ['-m'], { encoding: 'utf8', env: ENVIRONMENT })
      .split('\n')
      .find((one) => one.split(/\s+/)[1] === String(id));
    const [shownKey, , , mode, size, attached, ...flags] = line?.trim().split(/\s+/) ?? [];
    assert.deepEqual(
      [Number(shownKey), mode, size, attached],
      [key, status.mode.toString(8), '5000', String(status.attached)],
    );
    const expected = [markedForRemoval ? 'dest' : '', locked ? 'locked' : ''].filter((flag) => flag !== '');
    assert.deepEqual(flags, expected);
  };
  compare();
  const memory = segment.attach();
  using other = segment.attach();
  compare();
  memory.close();
  segment.set({ mode: 0o600 });
  compare();
  if (process.getuid?.() === 0) segment.lock();
  compare();
  segment.remove();
  assert.equal(segment.stat().markedForRemoval, true);
  compare();
  assert.equal(other.bytes[0], 0);
});

test('lsipc shows of a segment what stat tells', (t) => {
  if (!peer(t, 'lsipc')) return;
  const segment = newSegment(t, { mode: 0o640, size: 5000 });
  using _memory = segment.attach();
  segment.attach().close();
  const columns = 'KEY,ID,PERMS,CUID,CGID,UID,GID,SIZE,NATTCH,ATTACH,DETACH,CTIME,CPID,LPID';
  const words = ['-m', '-i', String(segment.id), '--json', '-b', '-P', '--time-format', 'iso', '-o', columns];
  const said = execFileSync('lsipc', words, { encoding: 'utf8', env: ENVIRONMENT });
  const [shown] = JSON.parse(said).sharedmemory as [Record<string, string>];
  const { lastPid, ...status } = segment.stat();
  const at = (time: string | undefined): number => Date.parse(time ?? '');
  assert.deepEqual(
    {
      ...status,
      lastAttachTime: seconds(status.lastAttachTime),
      lastDetachTime: seconds(status.lastDetachTime),
      changeTime: seconds(status.changeTime),
    },
    {
      key: Number(shown.key),
      id: Number(shown.id),
      mode: Number.parseInt(shown.perms as string, 8),
      creatorUid: Number(shown.cuid),
      creatorGid: Number(shown.cgid),
      uid: Number(shown.uid),
      gid: Number(shown.gid),
      size: Number(shown.size),
      attached: Number(shown.nattch),
      lastAttachTime: at(shown.attach),
      lastDetachTime: at(shown.detach),
      changeTime: at(shown.ctime),
      creatorPid: Number(shown.cpid),
      markedForRemoval: false,
      locked: false,
    },
  );
  assert.equal(Number(shown.lpid), lastPid);
});

test('a fork attaches once more what its parent has attached, and the end of the child detaches it', async (t) => {
  if (!peerModule(t, 'sysv_ipc', [DEBIAN_PYTHON, '-c', 'import sysv_ipc'])) return;
  const segment = newSegment(t);
  const code = `
import os, sys, sysv_ipc
memory = sysv_ipc.SharedMemory(${segment.key | 0})
ready, told = os.pipe()
child = os.fork()
if child == 0:
    os.close(told)
    os.read(ready, 1)
    os._exit(0)
print(child, flush=True)
sys.stdin.readline()
os.close(told)
os.waitpid(child, 0)
print('ended', flush=True)
sys.stdin.readline()`;
  const python = start(t, DEBIAN_PYTHON, ['-c', code]);
  const child = Number(await python.line());
  assert.equal(segment.stat().attached, 2);
  python.say('end it');
  await python.line();
  assert.deepEqual([segment.stat().attached, segment.stat().lastPid], [1, child]);
  python.say('end');
  await python.ended;
  assert.deepEqual([segment.stat().attached, segment.stat().lastPid], [0, python.pid]);
});

test('a segment that ipcmk made is found by its id and its key, and ipcrm removes ours, which lives as long as we have it', (t) => {
  if (!peer(t, 'ipcmk') || !peer(t, 'ipcrm')) return;
  const said = execFileSync('ipcmk', ['-M', '5000', '-p', '640'], { encoding: 'utf8', env: ENVIRONMENT });
  const id = Number(/id: (\d+)/.exec(said)?.[1]);
  using made = sharedMemory.fromId(id);
  removedAfter(t, made);
  assert.deepEqual([made.stat().mode, made.size], [0o640, 5000]);
  assert.equal(sharedMemory.open(made.key).id, id);
  const [byId, byKey] = [newSegment(t), newSegment(t)];
  using memory = byKey.attach();
  execFileSync('ipcrm', ['-m', String(byId.id), '-M', `0x${byKey.key.toString(16)}`]);
  assert.throws(() => byId.stat(), { code: 'EIDRM' });
  assert.throws(() => sharedMemory.open(byKey.key), { code: 'ENOENT' });
  memory.bytes[0] = 1;
  assert.equal(byKey.stat().markedForRemoval, true);
});
