/** Programs in other languages at the other end of a queue, and the commands of util-linux. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { messageQueue } from '../../src/sysv/index.js';
import { temporaryFolder } from '../support/folder.js';
import { start } from '../support/program.js';
import { peer, peerModule } from '../support/skips.js';
import { bytes, newQueue, removedAfter, text } from './support.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/sysv-peer.c', import.meta.url));
const DEBIAN_PYTHON = '/usr/bin/python3';
const COUNT = 200;

// Some of them know signed keys only. Each takes COUNT messages, of the lowest type up to 10 first, and answers with type + 10 and the bytes turned around.

const PYTHON = `
import sys, sysv_ipc
there, back = (sysv_ipc.MessageQueue(int(key), max_message_size=8192) for key in sys.argv[1:3])
for _ in range(int(sys.argv[3])):
    data, type = there.receive(type=-10)
    back.send(data[::-1], type=type + 10)
`;

// To Perl a key is a signed int: it does not cut a larger number down itself.
const PERL = `
my ($there, $back) = map { IPC::Msg->new($_, 0) // die $! } @ARGV[0, 1];
for (1 .. $ARGV[2]) {
  my $type = $there->rcv(my $bytes, 8192, -10) // die $!;
  $back->snd($type + 10, scalar reverse $bytes) or die $!;
}
`;

const PHP = `
[$there, $back] = [msg_get_queue((int) $argv[1]), msg_get_queue((int) $argv[2])];
for ($left = (int) $argv[3]; $left > 0; $left--) {
  msg_receive($there, -10, $type, 8192, $bytes, false) or exit(1);
  msg_send($back, $type + 10, strrev($bytes), false) or exit(1);
}
`;

function compiled(t: TestContext): string {
  const program = join(temporaryFolder(t), 'sysv-peer');
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', program, SOURCE]);
  return program;
}

const PEERS: Record<string, (t: TestContext) => [program: string, words: string[]] | false> = {
  C: (t) => peer(t, 'cc') && [compiled(t), []],
  'Python’s sysv_ipc': (t) =>
    peerModule(t, 'sysv_ipc', [DEBIAN_PYTHON, '-c', 'import sysv_ipc']) && [DEBIAN_PYTHON, ['-c', PYTHON]],
  'Perl’s IPC::Msg': (t) =>
    peerModule(t, 'IPC::Msg', ['perl', '-MIPC::Msg', '-e', '1']) && ['perl', ['-MIPC::Msg', '-e', PERL, '--']],
  'PHP’s sysvmsg': (t) => peer(t, 'php') && ['php', ['-r', PHP, '--']],
};

for (const [name, command] of Object.entries(PEERS)) {
  test(`${name} takes our messages by type, and answers, while we do the opposite`, async (t) => {
    const found = command(t);
    if (found === false) return;
    const [program, words] = found;
    const [there, back] = [newQueue(t, { maxBytes: 4096 }), newQueue(t, { maxBytes: 4096 })];
    const keys = [there, back].map(({ key }) => String(key | 0));
    const other = start(t, program, [...words, ...keys, String(COUNT)]);
    const message = (index: number): Uint8Array => bytes(`${index} `.padEnd(index % 97, 'é\0ÿ'));
    const sending = (async () => {
      for (let index = 0; index < COUNT; index++) await there.send(1 + (index % 10), message(index));
    })();
    // Who dies answers no more: the wait ends with its queue.
    void other.ended.then(({ code }) => code === 0 || back.remove());
    const seen = new Set<number>();
    for (let index = 0; index < COUNT; index++) {
      const { type, data } = await back.receive();
      const turned = data.reverse();
      const number = Number.parseInt(text(turned), 10);
      assert.deepEqual([type, turned], [11 + (number % 10), message(number)]);
      seen.add(number);
    }
    await sending;
    assert.equal(seen.size, COUNT);
    assert.deepEqual(await other.ended, { code: 0, signal: null }, other.errors());
  });
}

test('a queue of Python’s sysv_ipc is opened like our own, and its properties are what we see', async (t) => {
  if (!peerModule(t, 'sysv_ipc', [DEBIAN_PYTHON, '-c', 'import sysv_ipc'])) return;
  const queue = newQueue(t);
  const code = `
import sys, sysv_ipc
queue = sysv_ipc.MessageQueue(${queue.key | 0})
queue.send('from Python')
try: queue.receive(block=False, type=5)
except sysv_ipc.BusyError: print('busy', flush=True)
print(queue.id, queue.mode, queue.uid, queue.current_messages, queue.max_size, queue.last_send_pid, flush=True)
sys.stdin.readline()
queue.remove()`;
  const python = start(t, DEBIAN_PYTHON, ['-c', code]);
  assert.equal(await python.line(), 'busy');
  const { id, mode, uid, messages, maxBytes, lastSendPid } = queue.stat();
  assert.equal(await python.line(), [id, mode, uid, messages, maxBytes, lastSendPid].join(' '));
  assert.equal(lastSendPid, python.pid);
  assert.deepEqual(queue.tryReceive(), { type: 1, data: bytes('from Python') });
  const waiting = queue.receive();
  python.say('go on');
  await assert.rejects(waiting, { code: 'EIDRM' });
});

/** What `ipcs -q -i` says of a queue: its fields by their names. */
function shownByIpcs(id: number): Record<string, string> {
  const said = execFileSync('ipcs', ['-q', '-i', String(id)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
  });
  return Object.fromEntries([...said.matchAll(/(\w+)=([^\t\n]*)/g)].map(([, name, value]) => [name, value?.trim()]));
}

test('ipcs shows of a queue what stat tells', (t) => {
  if (!peer(t, 'ipcs')) return;
  const queue = newQueue(t, { mode: 0o640, maxBytes: 1000 });
  const compare = (): void => {
    const status = queue.stat();
    const shown = shownByIpcs(queue.id);
    const time = (moment: Date | undefined): number => (moment === undefined ? Number.NaN : moment.getTime());
    assert.deepEqual(
      {
        ...status,
        lastSendTime: time(status.lastSendTime),
        lastReceiveTime: time(status.lastReceiveTime),
        changeTime: time(status.changeTime),
      },
      {
        key: queue.key,
        id: Number(shown.msqid),
        uid: Number(shown.uid),
        gid: Number(shown.gid),
        creatorUid: Number(shown.cuid),
        creatorGid: Number(shown.cgid),
        mode: Number.parseInt(shown.mode as string, 8),
        messages: Number(shown.qnum),
        bytes: Number(shown.cbytes),
        maxBytes: Number(shown.qbytes),
        lastSendPid: Number(shown.lspid) || undefined,
        lastReceivePid: Number(shown.lrpid) || undefined,
        lastSendTime: Date.parse(`${shown.send_time} UTC`),
        lastReceiveTime: Date.parse(`${shown.rcv_time} UTC`),
        changeTime: Date.parse(`${shown.change_time} UTC`),
      },
    );
  };
  compare();
  queue.sendSync(1, bytes('12345'));
  queue.sendSync(2, bytes('67'));
  compare();
  queue.tryReceive();
  queue.set({ mode: 0o600, maxBytes: 900 });
  compare();
  const line = execFileSync('ipcs', ['-q'], { encoding: 'utf8' })
    .split('\n')
    .find((one) => one.split(/\s+/)[1] === String(queue.id));
  const [key, , , mode, used, messages] = line?.split(/\s+/) ?? [];
  assert.deepEqual([Number(key), mode, used, messages], [queue.key, '600', '2', '1']);
});

test('a queue that ipcmk made is found by its id, and ipcrm removes ours', async (t) => {
  if (!peer(t, 'ipcmk') || !peer(t, 'ipcrm')) return;
  const said = execFileSync('ipcmk', ['-Q', '-p', '640'], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  const id = Number(/id: (\d+)/.exec(said)?.[1]);
  using made = messageQueue.fromId(id);
  removedAfter(t, made);
  assert.equal(made.stat().mode, 0o640);
  assert.equal(messageQueue.open(made.key).id, id);
  const [byId, byKey] = [newQueue(t), newQueue(t)];
  const waits = [byId, byKey].map((queue) => assert.rejects(queue.receive(), { code: 'EIDRM' }));
  execFileSync('ipcrm', ['-q', String(byId.id), '-Q', `0x${byKey.key.toString(16)}`]);
  await Promise.all(waits);
});
