import assert from 'node:assert/strict';
import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { memoryName, newMemory } from '../shm/support.js';

test('an object grows, and a mapping of it is made anew with all of it', (t) => {
  const object = newMemory(t, 4096);
  using memory = object.map();
  memory.bytes.fill(1);
  const { bytes } = memory;
  object.grow(100_000);
  assert.equal(object.size, 100_000);
  assert.ok(statSync(`/dev/shm${object.name}`).blocks * 512 >= 100_000, 'what is new is really there');
  assert.equal(memory.byteLength, 4096, 'a mapping stays as it is');
  memory.resize(100_000);
  assert.equal(memory.byteLength, 100_000);
  assert.equal(bytes.length, 0, 'views from before are gone');
  assert.ok(memory.bytes.subarray(0, 4096).every((byte) => byte === 1));
  assert.ok(memory.bytes.subarray(4096).every((byte) => byte === 0));
  memory.bytes[99_999] = 7;
  memory.resize(4096);
  assert.equal(memory.bytes.length, 4096);
  memory.resize(100_000);
  assert.equal(memory.bytes[99_999], 7);
});

test('other mappings keep what they have when one is resized', () => {
  using memory = mmap.anonymous(8192);
  using other = mmap.attach(memory.handle());
  memory.resize(4096);
  other.bytes[8191] = 3;
  other.bytes[0] = 4;
  assert.equal(memory.bytes[0], 4);
  memory.resize(8192);
  assert.equal(memory.bytes[8191], 3);
});

test('a mapping for reading is resized to see what another process has added', (t) => {
  const path = join(temporaryFolder(t), 'file');
  using writer = mmap.createFile(path, { size: 4096 });
  using reader = mmap.file(path);
  truncateSync(path, 8192);
  writer.resize(8192);
  writer.bytes[8000] = 8;
  reader.resize(8192);
  assert.equal(reader.read(8000, 1)[0], 8);
});

test('more than there is, and nothing, are refused and change nothing', (t) => {
  const object = newMemory(t, 4096);
  using memory = object.map();
  const { bytes } = memory;
  const range = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /byteLength/ };
  for (const length of [0, -1, 1.5, 2 ** 53]) assert.throws(() => memory.resize(length), range);
  assert.throws(() => memory.resize(4097 * 2), { ...range, message: /at most what the file has/ });
  assert.equal(memory.bytes, bytes);
  bytes[0] = 1;
  memory.checkIntact();
  using own = mmap.anonymous(4096, { shared: false });
  assert.throws(() => own.resize(8192), { code: 'EINVAL', syscall: 'mremap', hint: /private/ });
  own.bytes[0] = 1;
});

test('an object is not made smaller, and a sealed one not larger', (t) => {
  const object = newMemory(t, 4096);
  assert.throws(() => object.grow(4095), { name: 'RangeError', message: /at least the 4096 bytes/ });
  for (const size of [0, -1, 2 ** 53]) assert.throws(() => object.grow(size), { name: 'RangeError', message: /size/ });
  object.grow(4096);
  using sealed = shm.memfd({ size: 4096 });
  assert.throws(() => sealed.grow(8192), { code: 'EPERM', syscall: 'fallocate', hint: /sealed/ });
  using open = shm.memfd({ size: 4096, seals: [] });
  open.grow(8192);
  assert.equal(open.size, 8192);
  using reading = shm.open(object.name, { access: 'read' });
  assert.throws(() => reading.grow(8192), { code: 'EBADF' });
  object.close();
  assert.throws(() => object.grow(8192), { code: 'ERR_INTERPROC_CLOSED' });
});

test('growing where there is no room is ENOSPC, and nothing that was there is lost', async (t) => {
  const outcomes = await attempt(
    t,
    { unshared: ['mount'], before: 'mount -t tmpfs -o size=1m,mode=1777 none /dev/shm' },
    [
      ['shm.create', memoryName(t), { size: 500_000 }],
      ['$0.grow', 10_000_000],
      ['$0.size'],
      ['$0.grow', 900_000],
      ['$0.size'],
    ],
  );
  if (outcomes === undefined) return;
  assert.equal(outcomes[1]?.code, 'ENOSPC');
  assert.equal(outcomes[2]?.value, 500_000);
  assert.equal(outcomes[4]?.value, 900_000);
});

test('20,000 rounds of resizing leave no mapping and no memory', (t) => assertNothingLeaks(t, 'mmap.resize', 20_000));
