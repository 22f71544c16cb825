import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as channel from '../../src/channel/index.js';
import { randomName, temporaryFolder } from '../support/folder.js';
import { launch, run, start } from './cli.js';

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('messages keep their boundaries and order through a relay, and --json counts them', async (t) => {
  const [from, to] = [`mq:/${randomName('cli')}`, `shm:${randomName('cli')}`];
  const messages = [Buffer.from('one'), Buffer.alloc(0), randomBytes(100_000), Buffer.from('four')];
  const relaying = run(t, ['relay', '--json', from, to]);
  const receiver = await (async () => {
    const opening = channel.receiver(to);
    const sender = await channel.sender(from, { temporary: true });
    for (const message of messages) await sender.send(message);
    await sender.close();
    return opening;
  })();
  const arrived: Buffer[] = [];
  for await (const message of receiver) arrived.push(Buffer.from(message));
  await receiver.close();
  assert.deepEqual(arrived, messages);
  const { code, stdout, stderr } = await relaying;
  assert.deepEqual([code, stderr], [0, '']);
  const summary = JSON.parse(String(stdout));
  assert.deepEqual(Object.keys(summary), ['messages', 'bytes', 'seconds']);
  assert.equal(summary.messages, 4);
  assert.equal(summary.bytes, 100_007);
  assert.ok(summary.seconds > 0);
});

test('with --raw the bytes of foreign programs go through, from a FIFO into a file', async (t) => {
  const cwd = temporaryFolder(t);
  const input = randomBytes(1_000_000);
  writeFileSync(join(cwd, 'input'), input);
  await launch(t, 'mkfifo', ['f'], { cwd }).done;
  const writing = launch(t, 'sh', ['-c', 'cat input > f'], { cwd });
  const { code, stderr } = await run(t, ['relay', '--raw', '--keep', 'fifo:./f', 'file:./out'], { cwd });
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal((await writing.done).code, 0);
  assert.equal(digest(readFileSync(join(cwd, 'out'))), digest(input));
});

test('raw bytes become messages where the other end has messages', async (t) => {
  const cwd = temporaryFolder(t);
  const url = `shm:${randomName('cli')}`;
  await launch(t, 'mkfifo', ['f'], { cwd }).done;
  const relaying = run(t, ['relay', '--raw', 'fifo:./f', url], { cwd });
  const receiving = run(t, ['receive', url]);
  await launch(t, 'sh', ['-c', 'seq 1000 > f'], { cwd }).done;
  assert.equal((await relaying).code, 0);
  assert.equal(String((await receiving).stdout), Array.from({ length: 1000 }, (_, index) => `${index + 1}\n`).join(''));
});

test('a sender that dies is not passed on as an end', async (t) => {
  const [from, to] = [`shm:${randomName('cli')}`, `shm:${randomName('cli')}`];
  const sending = start(t, ['send', from], { input: null });
  const relaying = start(t, ['relay', from, to]);
  const receiving = start(t, ['receive', to]);
  sending.write('hello\n');
  await receiving.said('hello\n');
  sending.kill('SIGKILL');
  const [relayed, received] = await Promise.all([relaying.done, receiving.done]);
  assert.match(relayed.stderr, /^interproc relay: ECONNRESET/);
  assert.match(received.stderr, /^interproc receive: ECONNRESET/);
  assert.deepEqual([relayed.code, received.code], [1, 1]);
});

test('an end that cannot be opened is reported, though the other one would wait for ever', async (t) => {
  const cwd = temporaryFolder(t);
  const { code, stderr } = await run(t, ['relay', 'unix:./nobody', 'file:./no/such/folder/log'], { cwd });
  assert.match(stderr, /^interproc relay: ENOENT/);
  assert.equal(code, 1);
});
