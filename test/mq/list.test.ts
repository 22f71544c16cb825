import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as mq from '../../src/mq/index.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { killed, start } from '../support/program.js';
import { skip } from '../support/skips.js';
import { bytes, newQueue } from './support.js';

const isRoot = process.getuid?.() === 0;

function find(name: string): mq.QueueEntry | undefined {
  return mq.list().find((entry) => entry.name === name);
}

test('root sees every queue without a mount: mode, owner, bytes that wait, and who is registered', async (t) => {
  if (!isRoot) return skip(t, 'root');
  const queue = newQueue(t, { mode: 0o640 });
  const expected = { name: queue.name, mode: 0o640, uid: 0, gid: process.getgid?.(), bytes: 0, registered: undefined };
  assert.deepEqual(find(queue.name), expected);
  const told = queue.notify();
  const here = { ...expected, bytes: undefined };
  assert.deepEqual(find(queue.name), { ...here, registered: { pid: process.pid, by: 'socket' } });
  queue.sendSync(bytes('12345'));
  await told;
  queue.sendSync(bytes('678'));
  assert.deepEqual(find(queue.name), { ...expected, bytes: 8 });
  while (queue.tryReceive() !== undefined);
  queue.notifyBySignal('SIGUSR2');
  assert.deepEqual(find(queue.name), { ...here, registered: { pid: process.pid, by: 12 } });
  assert.throws(() => queue.notifyBySignal('SIGUSR1'), { code: 'EBUSY' }, 'looking has not ended it');
  queue.endNotify();
  assert.deepEqual(find(queue.name), expected);
  mq.unlink(queue.name);
  assert.equal(find(queue.name), undefined);
  const names = mq.list().map(({ name }) => name);
  assert.deepEqual(names, [...names].sort());
});

test('who is registered in another process is told, with how', async (t) => {
  if (!isRoot) return skip(t, 'root');
  const queue = newQueue(t);
  const code = `
import * as mq from ${JSON.stringify(new URL('../../src/mq/index.js', import.meta.url).href)};
const queue = mq.open(process.argv[1]);
const how = process.argv[2];
if (how === 'socket') void queue.notify(); else queue.notifyBySignal(how);
console.log('registered');
setInterval(() => {}, 1e6);
`;
  for (const [how, by] of [
    ['socket', 'socket'],
    ['SIGRTMIN', 34],
  ] as const) {
    const program = start(t, process.execPath, ['--input-type=module', '-e', code, queue.name, how]);
    await program.line();
    assert.deepEqual(find(queue.name)?.registered, { pid: program.pid, by });
    await killed(program);
    assert.equal(find(queue.name)?.registered, undefined, 'it ends with the process');
  }
});

test('an ordinary user sees the queues where the file system is mounted, and not into those of others', async (t) => {
  if (!isRoot) return skip(t, 'root');
  const folder = temporaryFolder(t);
  const outcomes = await attempt(
    t,
    {
      asNobody: true,
      unshared: ['mount', 'ipc'],
      before: `mkdir '${folder}/a b'; mount -t mqueue none '${folder}/a b'; chmod 755 '${folder}'; touch '${folder}/a b/of-root'; chmod 600 '${folder}/a b/of-root'`,
    },
    [['mq.create', '/mine', { mode: 0o600 }], ['$0.send', { bytes: 4 }], ['mq.list'], ['mq.unlink', '/mine']],
  );
  if (outcomes === undefined) return;
  assert.deepEqual(outcomes[2]?.value, [
    { name: '/mine', mode: 0o600, uid: 65534, gid: 65534, bytes: 4 },
    { name: '/of-root', mode: 0o600, uid: 0, gid: 0 },
  ]);
});

test('without mount and privilege it says what to do', async (t) => {
  if (!isRoot) return skip(t, 'root');
  const before = 'while read -r _ point type _; do [ "$type" != mqueue ] || umount "$point"; done < /proc/mounts';
  const outcomes = await attempt(t, { asNobody: true, unshared: ['mount', 'ipc'], before }, [['mq.list']]);
  if (outcomes === undefined) return;
  const [refused] = outcomes;
  assert.equal(refused?.code, 'ENODEV');
  assert.match(refused?.hint ?? '', /mount -t mqueue/);
});
