import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as pipe from '../../src/pipe/index.js';
import { stream } from '../../src/unix/index.js';
import { openDescriptors } from '../support/descriptors.js';
import { isAlive, until } from '../support/proc.js';
import { startFixture } from '../support/program.js';
import { socketPath } from './support.js';

test('a child has none of the sockets of its parent: when that is killed, its peers see the end and its path is free', async (t) => {
  const [ours, theirs] = [socketPath(t), socketPath(t)];
  using listener = stream.listen(ours);
  using held = pipe.create();
  const parent = startFixture(t, 'unix-parent', [ours, theirs], { stdio: [held.reader.handOver(), 'pipe', 'pipe'] });
  using socket = await listener.accept();
  const [child] = (await parent.line()).split(' ').map(Number) as [number];
  const end = socket.read();
  assert.throws(() => stream.listen(theirs), { code: 'EADDRINUSE' });
  const theirOwn = [...openDescriptors(parent.pid)].filter(([fd, target]) => fd > 2 && /^socket:|\.lock$/.test(target));
  assert.ok(theirOwn.length >= 5, 'a connection, a pair, a listener and its lock');
  await until('the child runs cat', () => readFileSync(`/proc/${child}/comm`, 'utf8') === 'cat\n');
  const inherited = new Set(openDescriptors(child).values());
  assert.deepEqual(
    theirOwn.filter(([, target]) => inherited.has(target)),
    [],
  );
  parent.process.kill('SIGKILL');
  assert.equal(await end, null);
  await parent.ended;
  using successor = stream.listen(theirs);
  using client = await stream.connect(theirs);
  (await successor.accept()).close();
  assert.equal(await client.read(), null);
  assert.ok(isAlive(child), 'and all that while the child lives on');
  held.writer.close();
  await until('the child is gone', () => !isAlive(child));
});
