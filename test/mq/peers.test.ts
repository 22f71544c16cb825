import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as mq from '../../src/mq/index.js';
import { commandElsewhere } from '../support/elsewhere.js';
import { start } from '../support/program.js';
import { peer, skip } from '../support/skips.js';
import { temporaryFolder } from '../support/folder.js';
import { bytes, newQueue, text } from './support.js';

const PYTHON = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
queue = libc.mq_open(sys.argv[1].encode(), os.O_RDWR)
assert queue >= 0, ctypes.get_errno()
buffer, priority = ctypes.create_string_buffer(64), ctypes.c_uint()
`;

test('mq_send of libc, as Python calls it, reaches us, with its priority', async (t) => {
  if (!peer(t, 'python3')) return;
  const queue = newQueue(t, { maxMessages: 10 });
  const code = `${PYTHON}
for index in range(100):
    assert libc.mq_send(queue, b'from python %d' % index, len(b'from python %d' % index), index % 3) == 0
`;
  const python = start(t, 'python3', ['-c', code, queue.name]);
  const got: string[] = [];
  for (let index = 0; index < 100; index++) {
    const { data, priority } = await queue.receive();
    assert.match(text(data), /^from python \d+$/);
    assert.equal(Number(text(data).slice(12)) % 3, priority);
    got.push(text(data));
  }
  assert.equal(new Set(got).size, 100);
  assert.deepEqual(await python.ended, { code: 0, signal: null }, python.errors());
});

test('our messages reach mq_receive of libc, as Python calls it, in their order and with their priority', async (t) => {
  if (!peer(t, 'python3')) return;
  const queue = newQueue(t, { maxMessages: 3 });
  const code = `${PYTHON}
for index in range(100):
    length = libc.mq_receive(queue, buffer, 64, ctypes.byref(priority))
    print(buffer.raw[:length].decode(), priority.value, flush=True)
`;
  const python = start(t, 'python3', ['-c', code, queue.name]);
  const lines: string[] = [];
  const reading = (async () => {
    for (let index = 0; index < 100; index++) lines.push(await python.line());
  })();
  for (let index = 0; index < 100; index++) await queue.send(bytes(`n${index}`), { priority: 9 });
  await reading;
  assert.deepEqual(
    lines,
    Array.from({ length: 100 }, (_, index) => `n${index} 9`),
  );
  assert.equal((await python.ended).code, 0, python.errors());
});

test('a C program takes our messages and answers, while we do the opposite', async (t) => {
  if (!peer(t, 'cc')) return;
  const program = join(temporaryFolder(t), 'mq-peer');
  const source = fileURLToPath(new URL('../../../test/fixtures/mq-peer.c', import.meta.url));
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', program, source, '-lrt']);
  const [there, back] = [newQueue(t, { messageSize: 300 }), newQueue(t, { messageSize: 300 })];
  const other = start(t, program, [there.name, back.name, '300']);
  const message = (index: number): Uint8Array => bytes(`${index} `.padEnd(index, 'é\0ÿ')).subarray(0, 300);
  const sending = (async () => {
    for (let index = 0; index < 300; index++) await there.send(message(index), { priority: index % 7 });
  })();
  const seen = new Set<number>();
  for (let index = 0; index < 300; index++) {
    const { data, priority } = await back.receive();
    const turned = data.reverse();
    const number = Number.parseInt(text(turned), 10);
    assert.deepEqual([priority, turned], [1 + (number % 7), message(number)]);
    seen.add(number);
  }
  await sending;
  assert.equal(seen.size, 300);
  assert.deepEqual(await other.ended, { code: 0, signal: null }, other.errors());
});

test('the bare system calls, as perl makes them, see the same queue', async (t) => {
  if (process.arch !== 'x64') return skip(t, 'x64');
  if (!peer(t, 'perl')) return;
  const queue = newQueue(t);
  queue.sendSync(bytes('for perl'), { priority: 3 });
  // mq_open 240, mq_timedsend 242, mq_timedreceive 243; the kernel's names have no slash.
  const code = `
$name = substr($ARGV[0], 1) . "\\0"; $queue = syscall(240, $name, 2, 0, 0);
$bytes = "\\0" x 64; $priority = pack "L", 0;
$length = syscall(243, $queue, $bytes, 64, $priority, 0);
print substr($bytes, 0, $length), " ", unpack("L", $priority), "\\n";
$answer = "from perl"; syscall(242, $queue, $answer, length $answer, 12, 0);`;
  const perl = start(t, 'perl', ['-e', code, queue.name]);
  assert.equal(await perl.line(), 'for perl 3');
  const answer = await queue.receive();
  assert.deepEqual([text(answer.data), answer.priority], ['from perl', 12]);
});

test('the kernel’s file system of queues shows ours, makes one that we open, and removes one', async (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const queue = newQueue(t, { mode: 0o640 });
  queue.sendSync(bytes('12345'));
  const folder = temporaryFolder(t);
  const script = `mount -t mqueue none ${folder}; cat ${folder}${queue.name}; stat -c %a ${folder}${queue.name}
    touch ${folder}${queue.name}-made; echo made; read _; rm ${folder}${queue.name}-made; echo removed`;
  const words = commandElsewhere(t, ['sh', '-ec', script], { unshared: ['mount'] });
  if (words === undefined) return;
  const shell = start(t, words[0] as string, words.slice(1));
  assert.match(await shell.line(), /^QSIZE:5 /);
  assert.equal(await shell.line(), '640');
  assert.equal(await shell.line(), 'made');
  mq.open(`${queue.name}-made`).close();
  shell.say('go on');
  assert.equal(await shell.line(), 'removed');
  assert.throws(() => mq.open(`${queue.name}-made`), { code: 'ENOENT' });
  assert.equal((await shell.ended).code, 0, shell.errors());
});
