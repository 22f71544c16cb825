import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';
import { newMemory, text } from '../shm/support.js';

const READ_ONLY = { name: 'Error', code: 'ERR_INTERPROC_READ_ONLY', message: /read-only.*read\(\) copies/ };

test('memory mapped for reading has no live view, and read() copies out of it', (t) => {
  const object = newMemory(t);
  using writable = object.map();
  writable.write(10, Buffer.from('hello'));
  using opened = shm.open(object.name, { access: 'read' });
  assert.equal(opened.access, 'read');
  using memory = opened.map();
  assert.equal(memory.access, 'read');
  for (const view of ['bytes', 'buffer', 'int32'] as const) assert.throws(() => memory[view], READ_ONLY);
  assert.throws(() => memory.write(0, new Uint8Array(1)), READ_ONLY);
  const copy = memory.read(10, 5);
  assert.equal(text(copy), 'hello');
  copy.fill(0);
  writable.write(10, Buffer.from('HELLO'));
  const into = new Uint8Array(8);
  assert.equal(memory.read(10, 5, into), into);
  assert.equal(text(into), 'HELLO\0\0\0');
  assert.equal(memory.read().length, 4096);
  assert.equal(memory.read(4096).length, 0);
});

test('a descriptor that is open for reading only cannot be mapped for writing', (t) => {
  const object = newMemory(t);
  using opened = shm.open(object.name, { access: 'read' });
  assert.throws(() => opened.map({ access: 'read-write' }), { code: 'EACCES', syscall: 'mmap', object: object.name });
  using copy = opened.map({ access: 'copy-on-write' });
  copy.bytes[0] = 5;
  using other = object.map();
  assert.equal(other.bytes[0], 0, 'nobody else sees what is written to a copy');
  assert.equal(copy.bytes[0], 5);
});

test('what is written copy-on-write stays here, and what is not written is still shared', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, 'a'.repeat(8192));
  using copy = mmap.file(path, { access: 'copy-on-write' });
  using shared = mmap.file(path, { access: 'read-write' });
  copy.write(0, Buffer.from('mine'));
  shared.write(5000, Buffer.from('ours'));
  assert.equal(text(shared.read(0, 4)), 'aaaa');
  assert.equal(text(copy.read(0, 6)), 'mineaa');
  assert.equal(text(copy.read(5000, 4)), 'ours');
  assert.equal(readFileSync(path, 'utf8').slice(0, 4), 'aaaa');
});

test('a part that is not in the mapping is refused before anything is copied', () => {
  using memory = mmap.anonymous(100);
  const range = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' };
  for (const [offset, length] of [[101], [-1], [0.5], [50, 51], [0, -1], [100, 1], [2 ** 53, 1]] as const) {
    assert.throws(() => memory.read(offset, length), range, `read(${offset}, ${length})`);
  }
  assert.throws(() => memory.read(0, 10, new Uint8Array(9)), { ...range, message: /into has 9 bytes, and 10/ });
  assert.throws(() => memory.read(0, 10, [] as never), { name: 'TypeError', message: /into must be a Uint8Array/ });
  assert.throws(() => memory.write(95, new Uint8Array(6)), { ...range, message: /6 bytes at 95.*100/ });
  assert.throws(() => memory.write(-1, new Uint8Array(1)), range);
  assert.throws(() => memory.write(0, 'x' as never), { name: 'TypeError' });
  memory.write(100, new Uint8Array(0));
  memory.write(94, new Uint8Array(6).fill(3));
  assert.deepEqual([...memory.read(93, 7)], [0, 3, 3, 3, 3, 3, 3]);
  memory.read(0, 4, memory.bytes.subarray(2)); // onto itself
  assert.throws(() => mmap.descriptor(0, { access: 'write' as never }), { message: /access must be one of read, / });
});

test('protect() takes the live views away and gives new ones', () => {
  using memory = mmap.anonymous(4096);
  const { bytes } = memory;
  bytes[7] = 1;
  memory.protect('read');
  assert.equal(memory.access, 'read');
  assert.equal(bytes.length, 0, 'a view from before can store nothing');
  assert.throws(() => memory.bytes, READ_ONLY);
  assert.deepEqual([...memory.read(6, 3)], [0, 1, 0]);
  memory.protect('read');
  memory.protect('read-write');
  assert.equal(memory.access, 'read-write');
  memory.bytes[8] = 2;
  assert.deepEqual([...memory.read(6, 4)], [0, 1, 2, 0]);
  assert.throws(() => memory.protect('none' as never), { name: 'TypeError', message: /'read' or 'read-write'/ });
});

test('a copy that is protected and released again is still a copy', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, 'in the file');
  using copy = mmap.file(path, { access: 'copy-on-write' });
  copy.write(0, Buffer.from('IN'));
  copy.protect('read');
  assert.equal(copy.access, 'read');
  copy.protect('read-write');
  assert.equal(copy.access, 'copy-on-write');
  copy.write(3, Buffer.from('THE'));
  assert.equal(text(copy.read()), 'IN THE file');
  assert.equal(readFileSync(path, 'utf8'), 'in the file');
});

test('what was opened for reading cannot be protected into being writable', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, 'x');
  using memory = mmap.file(path);
  assert.throws(() => memory.protect('read-write'), {
    code: 'EACCES',
    syscall: 'mprotect',
    path,
    hint: /not opened for writing/,
  });
  assert.equal(memory.access, 'read');
  assert.equal(text(memory.read()), 'x');
});

test('memory that another user of it could still write is not protected', async () => {
  using memory = mmap.anonymous(4096);
  {
    using other = mmap.attach(memory.handle());
    assert.throws(() => memory.protect('read'), { code: 'EBUSY', syscall: 'mprotect', message: /another thread/ });
    other.bytes[0] = 1;
    memory.bytes[1] = 1;
  }
  await until('nobody else uses it', () => {
    try {
      memory.protect('read');
      return true;
    } catch {
      return false;
    }
  });
  assert.deepEqual([...memory.read(0, 2)], [1, 1]);
});

test('a mapped buffer cannot be moved away', () => {
  using memory = mmap.anonymous(4096);
  const buffer = memory.buffer as ArrayBuffer & { transfer(): ArrayBuffer; transferToFixedLength(): ArrayBuffer };
  const refused = { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT', message: /cannot be moved.*slice/ };
  assert.throws(() => buffer.transfer(), refused);
  assert.throws(() => buffer.transferToFixedLength(), refused);
  try {
    structuredClone(buffer, { transfer: [buffer] }); // Node 20 makes a copy of it
  } catch (why) {
    assert.equal((why as Error).name, 'DataCloneError');
  }
  assert.equal(memory.bytes.length, 4096);
});
