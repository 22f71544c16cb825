import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as mmap from '../../src/mmap/index.js';
import * as pipe from '../../src/pipe/index.js';
import * as shm from '../../src/shm/index.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';
import { start } from '../support/program.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { newMemory, text } from '../shm/support.js';

function file(t: TestContext, content: string, flags = 'r+'): number {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, content);
  const fd = openSync(path, flags);
  t.after(() => closeSync(fd));
  return fd;
}

/** How often the object is mapped in this process. */
function timesMapped(name: string | undefined): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes(String(name))).length;
}

test('anonymous memory is zero-filled, and all its views are the same memory', () => {
  using mapping = mmap.anonymous(10_000);
  assert.equal(mapping.byteLength, 10_000);
  assert.equal(mapping.bytes.length, 10_000);
  assert.equal(mapping.buffer.byteLength, 10_000);
  assert.equal(mapping.int32.length, 2500);
  assert.ok(mapping.bytes.every((byte) => byte === 0));
  Atomics.store(mapping.int32, 1, 0x01020304);
  assert.deepEqual([...mapping.bytes.subarray(4, 8)], [4, 3, 2, 1]);
  assert.equal(new BigInt64Array(mapping.buffer, 0, 1)[0], 0x0102030400000000n);
  assert.equal(mapping.bytes, mapping.bytes);
  assert.match(
    inspect(mapping),
    /^AnonymousMemory \{ byteLength: 10000, access: 'read-write', fd: \d+, closed: false \}$/,
  );
});

test('a mapping need not be a multiple of 4 bytes', () => {
  using mapping = mmap.anonymous(7);
  assert.deepEqual([mapping.bytes.length, mapping.int32.length], [7, 1]);
  using least = mmap.anonymous(1);
  assert.deepEqual([least.bytes.length, least.int32.length], [1, 0]);
});

test('4 GiB can be mapped, and not a byte more', () => {
  using mapping = mmap.anonymous(2 ** 32);
  mapping.bytes[2 ** 32 - 1] = 9;
  assert.equal(mapping.bytes[2 ** 32 - 1], 9);
  for (const size of [0, -1, 1.5, 2 ** 53, Number.NaN]) {
    assert.throws(() => mmap.anonymous(size), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /size/ });
  }
  // Node 20 says that it has no such ArrayBuffer; later ones would make it, and the kernel has not that much address space.
  const beyond = constants.MAX_LENGTH < 2 ** 40 ? constants.MAX_LENGTH + 1 : 2 ** 52;
  const codes = { name: /^(RangeError|IpcError)$/, code: /^(ERR_INTERPROC_RANGE|ENOMEM|EFBIG|EINVAL)$/ };
  for (const shared of [true, false]) assert.throws(() => mmap.anonymous(beyond, { shared }), codes);
  assert.throws(() => mmap.anonymous('1' as never), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
});

test('a mapped file shows what is written to it, and what is written to it is in the file', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, 'in the file');
  const fd = openSync(path, 'r+');
  using mapping = mmap.descriptor(fd, { length: 11 });
  closeSync(fd);
  assert.equal(text(mapping.bytes), 'in the file');
  mapping.bytes.set(new TextEncoder().encode('by'));
  assert.equal(readFileSync(path, 'utf8'), 'by the file', 'the mapping outlives the descriptor');
});

test('two mappings of one object are the same memory', (t) => {
  const memory = newMemory(t);
  using first = memory.map();
  using second = memory.map();
  first.bytes[1000] = 17;
  assert.equal(second.bytes[1000], 17);
  assert.equal(Atomics.add(second.int32, 0, 5), 0);
  assert.equal(Atomics.load(first.int32, 0), 5);
});

test('what cannot be mapped for reading and writing is refused', async (t) => {
  const folder = join(temporaryFolder(t), 'sub');
  mkdirSync(folder);
  assert.throws(() => mmap.descriptor(file(t, 'x', 'r'), { length: 1 }), {
    name: 'IpcError',
    code: 'EACCES',
    errno: -13,
    syscall: 'mmap',
    hint: /open for reading and writing/,
  });
  assert.throws(() => mmap.descriptor(file(t, 'x', 'a'), { length: 1 }), { code: 'EACCES' });
  const directory = openSync(folder, 'r');
  assert.throws(() => mmap.descriptor(directory, { length: 1 }), { code: /^(ENODEV|EACCES)$/ });
  closeSync(directory);
  const { reader, writer } = pipe.create();
  assert.throws(() => mmap.descriptor(writer.fd, { length: 1 }), { code: /^(ENODEV|EACCES)$/ });
  reader.close();
  writer.close();
  assert.throws(() => mmap.descriptor(19_999, { length: 1 }), { code: 'EBADF' });
  assert.throws(() => mmap.descriptor(-1, { length: 1 }), { code: 'ERR_INTERPROC_RANGE', message: /fd/ });
  assert.throws(() => mmap.descriptor(0, { length: 0 }), { code: 'ERR_INTERPROC_RANGE', message: /length/ });
  const outcomes = await attempt(t, { limits: ['--as=60000000000'] }, [['*mmap.anonymous', 2 ** 32]]);
  assert.equal(outcomes?.[0]?.code, 'ENOMEM');
  assert.match(outcomes?.[0]?.hint ?? '', /address space|max_map_count/);
});

test('after close every view has length 0, and everything but close is refused', (t) => {
  // One that was made here has no name in /proc/self/maps: it was mapped before it was linked.
  using memory = shm.open(newMemory(t).name);
  const mapping = memory.map();
  const { bytes, int32, buffer } = mapping;
  const part = bytes.subarray(10, 20);
  const view = new DataView(buffer);
  const node = Buffer.from(buffer, 0, 100);
  assert.equal(timesMapped(memory.name), 1);
  mapping.close();
  mapping.close();
  assert.equal(timesMapped(memory.name), 0);
  assert.deepEqual([bytes.length, int32.length, buffer.byteLength, part.length, node.length], [0, 0, 0, 0, 0]);
  assert.equal(bytes[0], undefined);
  bytes[0] = 1;
  assert.throws(() => view.getUint8(0), TypeError);
  assert.throws(() => Atomics.load(int32, 0));
  const closed = { code: 'ERR_INTERPROC_CLOSED', message: 'the mapping of 4096 bytes is closed' };
  assert.throws(() => mapping.bytes, closed);
  assert.throws(() => mapping.int32, closed);
  assert.throws(() => mapping.buffer, closed);
  assert.match(inspect(mapping), /closed: true/);
});

test('a buffer that was moved away keeps the memory mapped until it is collected', async (t) => {
  const program = start(t, process.execPath, [
    '--expose-gc',
    fileURLToPath(new URL('../fixtures/mapping-moved.js', import.meta.url)),
  ]);
  assert.equal(await program.line(), 'ok');
  assert.deepEqual(await program.ended, { code: 0, signal: null }, program.errors());
});

test('workers that end, or are ended, leave no mapping behind', async (t) => {
  const memory = newMemory(t);
  const file = new URL('../fixtures/mapping-worker.js', import.meta.url);
  const workers = Array.from(
    { length: 8 },
    (_, index) => new Worker(file, { workerData: { name: memory.name, busy: index % 2 === 1 } }),
  );
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  assert.equal(timesMapped(memory.name), 8 * 3);
  await Promise.all(workers.map((worker) => worker.terminate()));
  await until('all are unmapped', () => timesMapped(memory.name) === 0);
  using mapping = memory.map();
  assert.ok(Atomics.load(mapping.int32, 0) > 0, 'they have worked');
});

test('100,000 rounds of mapping and unmapping leave no mapping and no memory', (t) =>
  assertNothingLeaks(t, 'mmap of shm'));

test('20,000 rounds of anonymous memory leave no mapping and no memory', (t) =>
  assertNothingLeaks(t, 'mmap.anonymous', 20_000));
