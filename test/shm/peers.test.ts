import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Mapping } from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { MAP_PEERS, shareWith, SIZE } from '../support/mapPeers.js';
import { start } from '../support/program.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { peer } from '../support/skips.js';
import { memoryName, newMemory, text } from './support.js';

test('Python’s multiprocessing.shared_memory opens our object, both see what the other writes, and it makes one that we open', async (t) => {
  if (!peer(t, 'python3')) return;
  const memory = newMemory(t);
  using mapping = memory.map();
  mapping.bytes.set(new TextEncoder().encode('from node'));
  const theirs = memoryName(t);
  const code = `
import sys
from multiprocessing import resource_tracker, shared_memory
ours = shared_memory.SharedMemory(sys.argv[1])
resource_tracker.unregister(ours._name, 'shared_memory')
print(ours.size, bytes(ours.buf[:9]).decode(), flush=True)
ours.buf[100:111] = b'from python'
theirs = shared_memory.SharedMemory(sys.argv[2], create=True, size=5000)
theirs.buf[0:6] = b'theirs'
print('made', flush=True)
sys.stdin.readline()
print(bytes(theirs.buf[10:14]).decode(), flush=True)
theirs.close(); theirs.unlink(); ours.close()`;
  const python = start(t, 'python3', ['-c', code, memory.name.slice(1), theirs.slice(1)]);
  assert.equal(await python.line(), '4096 from node');
  assert.equal(await python.line(), 'made');
  assert.equal(text(mapping.bytes.subarray(100, 111)), 'from python');
  using found = shm.open(theirs);
  assert.equal(found.size, 5000);
  using other = found.map();
  assert.equal(text(other.bytes.subarray(0, 6)), 'theirs');
  other.bytes.set(new TextEncoder().encode('back'), 10);
  python.say('go on');
  assert.equal(await python.line(), 'back');
  assert.equal((await python.ended).code, 0, python.errors());
  assert.throws(() => shm.open(theirs), { code: 'ENOENT' });
});

for (const [name, command] of Object.entries(MAP_PEERS)) {
  test(`${name} in /dev/shm sees the bytes of our object, we see what it writes, and what it makes is an object to us`, async (t) => {
    const found = command(t);
    if (found === false) return;
    const memory = newMemory(t, SIZE);
    using ours = memory.map();
    const theirs = memoryName(t);
    const map = (): Mapping => {
      using object = shm.open(theirs);
      return object.map();
    };
    await shareWith(t, found, { ours, ourPath: `/dev/shm${memory.name}`, theirPath: `/dev/shm${theirs}`, map });
  });
}

test('dd writes into /dev/shm what a mapping shows, and cat shows what a mapping wrote', (t) => {
  const memory = newMemory(t, 100_000);
  using mapping = memory.map();
  const path = `/dev/shm${memory.name}`;
  execFileSync('dd', [`of=${path}`, 'bs=1', 'seek=50000', 'conv=notrunc', 'status=none'], { input: 'from dd' });
  assert.equal(text(mapping.bytes.subarray(50_000, 50_007)), 'from dd');
  mapping.bytes.fill(0x41);
  assert.ok(execFileSync('cat', [path], { maxBuffer: 1 << 20 }).equals(Buffer.alloc(100_000, 'A')));
});

test('Atomics on a mapping count together with another process’s', async (t) => {
  const memory = newMemory(t);
  using mapping = memory.map();
  const file = fileURLToPath(new URL('../fixtures/counting.js', import.meta.url));
  const ROUNDS = 200_000;
  const counting = [1, 2].map(() => start(t, process.execPath, [file, memory.name, String(ROUNDS)]));
  for (let round = 0; round < ROUNDS; round++) Atomics.add(mapping.int32, 0, 1);
  for (const one of counting) assert.deepEqual(await one.ended, { code: 0, signal: null }, one.errors());
  assert.equal(Atomics.load(mapping.int32, 0), 3 * ROUNDS);
});

test('mappings outlive their object’s name and descriptor in another process, too', async (t) => {
  const memory = newMemory(t);
  const holder = start(t, 'python3', [
    '-c',
    `
import mmap, sys
with open('/dev/shm' + sys.argv[1], 'r+b') as file: memory = mmap.mmap(file.fileno(), 4096)
print('mapped', flush=True)
while memory[0] == 0: pass
print(memory[0], flush=True)`,
    memory.name,
  ]);
  assert.equal(await holder.line(), 'mapped');
  using mapping = memory.map();
  shm.unlink(memory.name);
  memory.close();
  mapping.bytes[0] = 77;
  assert.equal(await holder.line(), '77');
  await holder.ended;
});

for (const kind of ['shm.open', 'shm.memfd']) {
  test(`100,000 rounds of ${kind} leave no descriptor and no memory`, (t) => assertNothingLeaks(t, kind));
}

for (const kind of ['shm.create', 'shm.open fails', 'shm.create fails']) {
  test(`10,000 rounds of ${kind} leave no descriptor and no memory`, (t) => assertNothingLeaks(t, kind, 10_000));
}
