import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, readlinkSync, statSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import * as shm from '../../src/shm/index.js';
import { openDescriptors } from '../support/descriptors.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { newMemory, text } from './support.js';

test('memfd makes memory without a name, zero-filled, really there, and sealed against shrinking and growing', () => {
  using memory = shm.memfd({ size: 100_000, name: 'frames' });
  assert.equal(memory.name, undefined);
  assert.equal(memory.size, 100_000);
  assert.ok(statSync(`/proc/self/fd/${memory.fd}`).blocks * 512 >= 100_000);
  assert.equal(readlinkSync(`/proc/self/fd/${memory.fd}`), '/memfd:frames (deleted)');
  assert.deepEqual(new Set(memory.seals), new Set(['shrink', 'grow']));
  using mapping = memory.map();
  assert.ok(mapping.bytes.every((byte) => byte === 0));
});

test('each seal is enforced', () => {
  using shrink = shm.memfd({ size: 100, seals: ['shrink'] });
  assert.throws(() => ftruncateSync(shrink.fd, 99), { code: 'EPERM' });
  ftruncateSync(shrink.fd, 200);
  using grow = shm.memfd({ size: 100, seals: ['grow'] });
  assert.throws(() => ftruncateSync(grow.fd, 101), { code: 'EPERM' });
  assert.throws(() => writeSync(grow.fd, new Uint8Array(5), 0, 5, 200), { code: 'EPERM' });
  ftruncateSync(grow.fd, 50);
  using write = shm.memfd({ size: 100, seals: ['write'] });
  assert.throws(() => writeSync(write.fd, 'x'), { code: 'EPERM' });
  assert.throws(() => write.map(), { code: 'EPERM', syscall: 'mmap', hint: /sealed against writing/ });
  using none = shm.memfd({ size: 100, seals: [] });
  assert.deepEqual(none.seals, []);
  ftruncateSync(none.fd, 10);
});

test('future-write leaves the mapping that exists writable, and allows no other', () => {
  using memory = shm.memfd({ size: 100, seals: [] });
  using mapping = memory.map();
  memory.seal('future-write');
  mapping.bytes[0] = 1;
  assert.throws(() => memory.map(), { code: 'EPERM' });
  assert.throws(() => writeSync(memory.fd, 'x'), { code: 'EPERM' });
});

test('seals only add; a writable mapping forbids write, and seal forbids all others', () => {
  using memory = shm.memfd({ size: 100, seals: [] });
  const mapping = memory.map();
  assert.throws(() => memory.seal('write'), { code: 'EBUSY', hint: /writable mapping/ });
  mapping.close();
  memory.seal('write');
  memory.seal('shrink');
  memory.seal('shrink', 'seal');
  assert.deepEqual(new Set(memory.seals), new Set(['write', 'shrink', 'seal']));
  assert.throws(() => memory.seal('grow'), { name: 'IpcError', code: 'EPERM', hint: /sealed against further seals/ });
});

test('what is no memfd cannot be sealed', (t) => {
  const memory = newMemory(t);
  assert.throws(() => memory.seal('shrink'), { code: /^(EINVAL|EPERM)$/, syscall: 'fcntl(F_ADD_SEALS)', hint: /./ });
});

test('options that cannot be meant are refused', () => {
  const before = openDescriptors().size;
  for (const size of [0, -1, 1.5, 2 ** 53]) {
    assert.throws(() => shm.memfd({ size }), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => shm.memfd({ size: 1, seals: ['exec' as never] }), {
    name: 'TypeError',
    message: /unknown seal exec; known are/,
  });
  assert.throws(() => shm.memfd({ size: 1, name: 'x'.repeat(250) }), { code: 'ERR_INTERPROC_NAME', message: /249/ });
  assert.throws(() => shm.memfd({ size: 1, name: '' }), { code: 'ERR_INTERPROC_NAME' });
  assert.throws(() => shm.memfd({ size: 1, hugePages: 'yes' as never }), {
    message: /hugePages must be true, false or 'require'/,
  });
  assert.throws(() => shm.memfd({ size: 1, huge: true } as never), /unknown option 'huge'/);
  shm.memfd({ size: 1, name: 'x'.repeat(249) }).close();
  assert.equal(openDescriptors().size, before);
});

test('a child that is given it sees the memory, writes into it, and cannot cut it', async (t) => {
  if (!peer(t, 'python3')) return;
  using memory = shm.memfd({ size: 4096 });
  using mapping = memory.map();
  mapping.bytes.set(new TextEncoder().encode('from node'));
  const code = `
import mmap, os
memory = mmap.mmap(3, 4096)
print(memory[:9].decode(), flush=True)
memory[100:111] = b'from python'
for size in (0, 4095, 8192):
    try: os.ftruncate(3, size); print('cut')
    except PermissionError: print('EPERM')`;
  const python = start(t, 'python3', ['-c', code], { stdio: ['pipe', 'pipe', 'pipe', memory.fd] });
  assert.equal(await python.line(), 'from node');
  for (let round = 0; round < 3; round++) assert.equal(await python.line(), 'EPERM');
  await python.ended;
  assert.equal(text(mapping.bytes.subarray(100, 111)), 'from python');
});

test('fromDescriptor takes over memory, and refuses what is none and leaves it open', () => {
  using memory = shm.memfd({ size: 100 });
  memory.map().bytes[7] = 7;
  const again = openSync(`/proc/self/fd/${memory.fd}`, 'r+');
  using taken = shm.fromDescriptor(again);
  assert.equal(taken.created, false);
  assert.equal(taken.size, 100);
  assert.deepEqual(taken.seals, memory.seals);
  using mapping = taken.map();
  assert.equal(mapping.bytes[7], 7);
  const device = openSync('/dev/null', 'r');
  assert.throws(() => shm.fromDescriptor(device), { code: 'EINVAL', message: /is no memory/ });
  closeSync(device);
  assert.throws(() => shm.fromDescriptor(19_999), { code: 'EBADF' });
  assert.throws(() => shm.fromDescriptor(1.5), { code: 'ERR_INTERPROC_RANGE' });
  const readOnly = openSync(`/proc/self/fd/${memory.fd}`, 'r');
  using looking = shm.fromDescriptor(readOnly);
  assert.equal(looking.access, 'read');
  using read = looking.map();
  assert.equal(read.access, 'read');
  assert.equal(read.read(7, 1)[0], 7);
  assert.throws(() => looking.map({ access: 'read-write' }), {
    code: 'EACCES',
    syscall: 'mmap',
    hint: /open for reading and writing/,
  });
});
