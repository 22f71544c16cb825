import assert from 'node:assert/strict';
import { closeSync, ftruncateSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as mmap from '../../src/mmap/index.js';
import { stream } from '../../src/unix/index.js';
import { openDescriptors } from '../support/descriptors.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';

const CHILD = fileURLToPath(new URL('../fixtures/mapping-inherited.js', import.meta.url));

test('a child that inherits anonymous memory shares it, and both count without losing any', async (t) => {
  using memory = mmap.anonymous(4096);
  const child = start(t, process.execPath, [CHILD], { stdio: ['pipe', 'pipe', 'pipe', memory.fd] });
  assert.equal(await child.line(), 'mapped 4096');
  child.say('go');
  for (let count = 0; count < 100_000; count++) Atomics.add(memory.int32, 0, 1);
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
  assert.equal(Atomics.load(memory.int32, 0), 200_000);
});

test('a program in another language inherits it, too', async (t) => {
  if (!peer(t, 'python3')) return;
  using memory = mmap.anonymous(8192);
  memory.write(0, Buffer.from('from node'));
  const code = `
import mmap
memory = mmap.mmap(3, 0)
print(len(memory), memory[:9].decode(), flush=True)
memory[8000:8011] = b'from python'`;
  const python = start(t, 'python3', ['-c', code], { stdio: ['pipe', 'pipe', 'pipe', memory.fd] });
  assert.equal(await python.line(), '8192 from node');
  await python.ended;
  assert.equal(Buffer.from(memory.read(8000, 11)).toString(), 'from python');
});

test('it is handed over a Unix socket', async () => {
  using memory = mmap.anonymous(4096);
  memory.bytes[3] = 3;
  const { first: here, second: there } = stream.pair();
  await here.send(new Uint8Array(1), { fds: [memory.fd] });
  const received = await there.receive();
  const fd = received?.fds[0];
  if (fd === undefined) assert.fail('no descriptor came');
  using other = mmap.descriptor(fd);
  other.bytes[4] = 4;
  assert.deepEqual([other.bytes[3], memory.bytes[4]], [3, 4]);
  here.close();
  there.close();
  closeSync(fd);
});

test('nobody can cut it, and it is gone with its last user', () => {
  const before = openDescriptors().size;
  const memory = mmap.anonymous(4096);
  assert.equal(openDescriptors().size, before + 1);
  for (const size of [0, 4095, 8192]) assert.throws(() => ftruncateSync(memory.fd, size), { code: 'EPERM' });
  memory.close();
  assert.equal(memory.fd, -1);
  assert.equal(openDescriptors().size, before);
});

test('what is not shared costs no descriptor', () => {
  const before = openDescriptors().size;
  using memory = mmap.anonymous(4096, { shared: false });
  assert.equal(memory.fd, -1);
  assert.equal(openDescriptors().size, before);
  assert.throws(() => mmap.anonymous(1, { shared: 1 as never }), { name: 'TypeError', message: /shared must be/ });
  assert.throws(() => mmap.anonymous(1, { private: true } as never), { name: 'TypeError', message: /unknown option/ });
});
