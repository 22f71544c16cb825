import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as mq from '../../src/mq/index.js';
import * as pipe from '../../src/pipe/index.js';
import * as unix from '../../src/unix/index.js';
import { bytes, newQueue, text } from './support.js';

test('a child takes over a queue that it was given, under its name and for what it was opened', async (t) => {
  const queue = newQueue(t);
  using given = mq.open(queue.name, { access: 'send' });
  const code = `
import * as mq from ${JSON.stringify(new URL('../../src/mq/index.js', import.meta.url).href)};
const queue = mq.fromFd(3);
await queue.send(Buffer.from(queue.name + ' ' + queue.created), { priority: 4 });
try { queue.tryReceive(); } catch ({ code }) { queue.sendSync(Buffer.from(code)); }
`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'inherit', 'inherit', given.fd],
  });
  const { data, priority } = await queue.receive();
  assert.deepEqual([text(data), priority], [`${queue.name} false`, 4]);
  assert.equal(text((await queue.receive()).data), 'EBADF');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('a queue comes over a socket, with its messages', async (t) => {
  const queue = newQueue(t);
  queue.sendSync(bytes('was there before'));
  using pair = unix.stream.pair();
  await pair.first.send(bytes('q'), { fds: [queue] });
  const { fds } = (await pair.second.receive())!;
  using taken = mq.fromFd(fds[0] as number);
  assert.deepEqual([taken.name, taken.maxMessages, taken.messageSize], [queue.name, 4, 64]);
  assert.equal(text(taken.tryReceive()?.data), 'was there before');
  assert.equal(queue.attributes.messages, 0);
});

test('what is no queue is a TypeError, and what is no descriptor EBADF', () => {
  const file = openSync(fileURLToPath(import.meta.url), 'r');
  const { reader, close } = pipe.create();
  for (const fd of [file, reader.fd]) {
    assert.throws(() => mq.fromFd(fd), {
      name: 'TypeError',
      code: 'ERR_INTERPROC_ARGUMENT',
      message: /not a message queue/,
    });
  }
  close();
  closeSync(file);
  assert.throws(() => mq.fromFd(file), { code: 'EBADF' });
  assert.throws(() => mq.fromFd(-1), { code: 'ERR_INTERPROC_RANGE' });
});
