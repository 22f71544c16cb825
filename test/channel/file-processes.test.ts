/** `file:` between processes: crashes, full disks, durability, and programs that know nothing of us. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Receiver, receiver as openReceiver, sender as openSender } from '../../src/channel/index.js';
import { temporaryFolder } from '../support/folder.js';
import { numberOf } from '../support/numbered.js';
import { until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer, skip } from '../support/skips.js';

function place(t: TestContext): { path: string; url: string } {
  const path = join(temporaryFolder(t), 'log');
  return { path, url: `file:${path}` };
}

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}.js`, import.meta.url));
}

/** Receives until the text that came ends with this. */
async function text(receiver: Receiver, end: string): Promise<string> {
  let all = '';
  while (!all.endsWith(end)) all += Buffer.from((await receiver.receive()) as Uint8Array).toString('latin1');
  return all;
}

test('senders that are killed at any moment leave whole messages, and the next goes on', async (t) => {
  const { path, url } = place(t);
  await using receiver = await openReceiver(url);
  const counts = new Map<number, number>();
  const take = (message: Uint8Array): void => {
    const { session, number } = numberOf(message);
    assert.equal(number, counts.get(session) ?? 0, `session ${session} in order`);
    counts.set(session, number + 1);
  };
  const sessions = 8;
  for (let session = 1; session <= sessions; session++) {
    const sender = startFixture(t, 'file-sender', [url, 'endless', String(session)]);
    assert.equal(await sender.line(), 'sends');
    // Of whatever session: to catch up with a quicker sender would take longer with each.
    const few = (session * 37) % 120;
    for (let taken = 0; taken <= few; taken++) take((await receiver.receive()) as Uint8Array);
    await killed(sender);
  }
  await using last = await openSender(url);
  await last.close();
  for await (const message of receiver) take(message);
  assert.equal(counts.size, sessions);

  const total = [...counts.values()].reduce((sum, count) => sum + count);
  await using again = await openReceiver(url);
  let found = 0;
  for await (const message of again) {
    numberOf(message);
    found++;
  }
  assert.equal(found, total, `a receiver that comes later finds the same in ${path}`);
});

test('the next receiver of a killed one gets everything', async (t) => {
  const { url } = place(t);
  const sender = startFixture(t, 'file-sender', [url, 'lines']);
  for (const line of ['a', 'b', 'c']) sender.say(line);
  const first = startFixture(t, 'file-receiver', [url]);
  for (const line of ['open', 'a', 'b', 'c']) assert.equal(await first.line(), line);
  await killed(first);
  sender.say('d');
  sender.say('end');
  const second = startFixture(t, 'file-receiver', [url]);
  for (const line of ['open', 'a', 'b', 'c', 'd', 'end']) assert.equal(await second.line(), line);
});

test('a second sender learns the pid of the process that sends', async (t) => {
  const { url } = place(t);
  const sender = startFixture(t, 'file-sender', [url, 'lines']);
  assert.equal(await sender.line(), 'open');
  await assert.rejects(openSender(url), {
    code: 'EBUSY',
    message: new RegExp(`process ${sender.pid} \\(.*file-sender.*\\)`),
  });
  await killed(sender);
  await using _next = await openSender(url);
});

test('what is temporary is gone afterwards, whichever side starts first', async (t) => {
  for (const receiverFirst of [true, false]) {
    const { path, url } = place(t);
    const temporary = '{"temporary":true}';
    const begin = {
      receiver: () => startFixture(t, 'file-receiver', [url, temporary]),
      sender: () => startFixture(t, 'file-sender', [url, 'lines', temporary]),
    };
    const early = receiverFirst ? begin.receiver() : begin.sender();
    assert.equal(await early.line(), 'open');
    if (!receiverFirst) {
      early.say('x');
      early.say('end');
      await early.ended;
    }
    const late = receiverFirst ? begin.sender() : begin.receiver();
    if (receiverFirst) {
      late.say('x');
      late.say('end');
    }
    const ends = receiverFirst ? early : late;
    if (!receiverFirst) assert.equal(await ends.line(), 'open');
    assert.equal(await ends.line(), 'x');
    assert.equal(await ends.line(), 'end');
    await ends.ended;
    assert.equal(existsSync(path), false);
  }
});

test('at a size limit whole messages are left, and the error comes out of the sender', async (t) => {
  if (!peer(t, 'prlimit')) return;
  const { url } = place(t);
  const args = ['--fsize=1000000', process.execPath, fixture('file-full'), url];
  const result = JSON.parse(await start(t, 'prlimit', args).line());
  assert.equal(result.code, 'EFBIG');
  assert.equal(result.closed, 'EFBIG');
  assert.ok(result.flushed > 10 && result.found >= result.flushed, JSON.stringify(result));
});

test('on a full disk whole messages are left, and the log goes on when there is room', async (t) => {
  if (!peer(t, 'unshare')) return;
  const folder = temporaryFolder(t);
  const mine = process.getuid?.() === 0 ? ['-m'] : ['-rm'];
  const mount = `mount -t tmpfs -o size=2m none ${folder}`;
  try {
    execFileSync('unshare', [...mine, 'sh', '-c', mount], { stdio: 'ignore' });
  } catch {
    skip(t, 'namespaces');
    return;
  }
  const script = `${mount} && head -c 1000000 /dev/zero > ${folder}/ballast && exec "$0" "$@"`;
  const program = [process.execPath, fixture('file-full'), `file:${folder}/log`, `${folder}/ballast`];
  const result = JSON.parse(await start(t, 'unshare', [...mine, 'sh', '-c', script, ...program]).line());
  assert.equal(result.code, 'ENOSPC');
  assert.ok(result.flushed > 10 && result.found >= result.flushed, JSON.stringify(result));
  assert.equal(result.goesOn, true);
});

test('with ?sync each message that is not coalesced is made durable by itself', async (t) => {
  if (!peer(t, 'strace')) return;
  const { path, url } = place(t);
  const trace = `${path}.trace`;
  const options = '{"coalesce":false}';
  const args = ['-f', '-qq', '-e', 'trace=write,writev,fdatasync', '-P', path, '-o', trace, process.execPath];
  const sender = start(t, 'strace', [...args, fixture('file-sender'), `${url}?sync`, 'lines', options]);
  assert.equal(await sender.line(), 'open');
  for (const number of [0, 1, 2]) {
    sender.say('durable');
    assert.equal(await sender.line(), String(number));
  }
  sender.say('end');
  assert.equal(await sender.line(), 'closed');
  await sender.ended;
  const calls = readFileSync(trace, 'utf8')
    .split('\n')
    .filter((line) => !line.includes('unfinished') || line.includes('fdatasync('))
    .map((line) => /\b(writev?|fdatasync)\(/.exec(line)?.[1])
    .filter((name) => name !== undefined);
  assert.deepEqual(calls, ['write', ...Array(4).fill(['write', 'fdatasync']).flat()], 'START, three messages, END');
});

test('with ?sync the event loop goes on while the disk is waited for', async (t) => {
  if (!peer(t, 'strace')) return;
  const { path, url } = place(t);
  const slow = ['-e', 'trace=fdatasync', '-e', 'inject=fdatasync:delay_exit=200000', '-o', `${path}.trace`];
  const words = ['-f', '-qq', ...slow, process.execPath, fixture('file-durable'), `${url}?sync`];
  let most = 0;
  // The machine may stand still meanwhile; a loop that does not go on has no more than one turn each time.
  for (let round = 0; round < 5 && most <= 20; round++) {
    const program = start(t, 'strace', words);
    const { turns, tookMs } = JSON.parse(await program.line());
    assert.ok(tookMs >= 200, `flush() took ${tookMs} ms`);
    assert.equal((await program.ended).code, 0);
    most = Math.max(most, turns);
  }
  assert.ok(most > 20, `${most} turns`);
});

test('with ?sync each message waits for the one before, in every form of sending', async (t) => {
  const { url } = place(t);
  await using sender = await openSender(`${url}?sync`, { coalesce: false });
  const messages = Array.from({ length: 20 }, (_, number) => sender.send(Buffer.from(`${number}`)));
  const first = sender.send(Buffer.alloc(0), { timeoutMs: 0 });
  await assert.rejects(first, { code: 'ETIMEDOUT' }, 'the disk has the message before');
  await Promise.all(messages);
  sender.sendSync(Buffer.from('sync'));
  sender.sendSync(Buffer.from('sync'));
  await sender.close();
  await using receiver = await openReceiver(url);
  const found: string[] = [];
  for await (const message of receiver) found.push(message.toString());
  assert.deepEqual(found, [...Array(20).keys()].map(String).concat('sync', 'sync'));
});

test('events that the kernel had to drop are not missed', async (t) => {
  const { path, url } = place(t);
  writeFileSync(path, '');
  await using receiver = await openReceiver(`${url}?raw`);
  const all = text(receiver, 'last');
  const most = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
  // Two kinds of events in turn, which the kernel cannot merge, while this thread reads none of them.
  for (let round = 0; round * 2 < most + 100; round++) {
    chmodSync(path, 0o600);
    appendFileSync(path, '.');
  }
  appendFileSync(path, 'last');
  assert.equal((await all).length, statSync(path).size);
});

test('with ?raw the file of any program is followed, through truncation and rotation', async (t) => {
  const { path, url } = place(t);
  await using receiver = await openReceiver(`${url}?raw`);
  const shell = start(t, 'sh', ['-c', `while read -r line; do echo "$line" >> ${path}; done`]);
  const say = async (line: string): Promise<void> => {
    shell.say(line);
    assert.equal(await text(receiver, '\n'), `${line}\n`);
  };
  await say('one');
  await say('two');
  truncateSync(path, 0);
  await say('3');
  renameSync(path, `${path}.1`);
  await say('four');
  await using behind = await openReceiver(`${url}?raw&from=end`);
  shell.say('five');
  assert.equal(await text(behind, '\n'), 'five\n');
  await using whole = await openReceiver(`${url}?raw&follow=false`);
  assert.equal((await whole.receive())?.toString(), 'four\nfive\n');
  assert.equal(await whole.receive(), null);
});

test('with ?raw any program follows what is sent, in one file and the next', async (t) => {
  if (!peer(t, 'tail')) return;
  const { path, url } = place(t);
  await using sender = await openSender(`${url}?raw`);
  const tail = start(t, 'tail', ['-c', '+1', '-F', path]);
  const send = async (line: string): Promise<void> => {
    await sender.send(Buffer.from(`${line}\n`));
    assert.equal(await tail.line(), line);
  };
  await send('one');
  await send('x'.repeat(100_000));
  renameSync(path, `${path}.1`);
  await send('three');
  await until('the old file is whole', () => readFileSync(`${path}.1`).length === 4 + 100_001);
  await sender.send(Buffer.alloc(0));
  await sender.close();
  assert.equal(readFileSync(path, 'utf8'), 'three\n');
});

const PYTHON = `
import struct, sys
path, = sys.argv[1:]
out = []
with open(path, 'rb') as log:
    salt = 0
    while True:
        word, found = struct.unpack('<II', log.read(8))
        if word == 0xFFFFFFFD:
            magic, version, flags = struct.unpack('<8sII', log.read(16))
            assert (magic, version) == (b'IPROCLOG', 1)
            salt = found
            continue
        assert found == salt
        if word == 0xFFFFFFFF: break
        out.append(log.read(word))
with open(path + '.answer', 'wb') as log:
    log.write(struct.pack('<II8sII', 0xFFFFFFFD, 77, b'IPROCLOG', 1, 0))
    for message in reversed(out): log.write(struct.pack('<II', len(message), 77) + message)
    log.write(struct.pack('<IIII', 0xFFFFFFFF, 77, 0, 0))
`;

test('a program in Python reads a log and writes one', async (t) => {
  if (!peer(t, 'python3')) return;
  const { path, url } = place(t);
  const messages = ['first', '', 'x'.repeat(300_000), 'last'];
  await using sender = await openSender(url);
  for (const message of messages) await sender.send(Buffer.from(message));
  await sender.close();
  execFileSync('python3', ['-c', PYTHON, path]);
  await using receiver = await openReceiver(`${url}.answer`);
  const answer: string[] = [];
  for await (const message of receiver) answer.push(message.toString());
  assert.deepEqual(answer, messages.reverse());
});
