import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as mmap from '../../src/mmap/index.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { newMemory } from '../shm/support.js';

const page = mmap.pageSize();

/** A number of kB of the part of /proc/self/smaps that belongs to this file. */
function smaps(path: string, key: string): number {
  let inside = false;
  let sum = 0;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) inside = line.endsWith(path);
    else if (inside && line.startsWith(`${key}:`)) sum += Number(/\d+/.exec(line)?.[0]);
  }
  return sum;
}

test('sync() resolves when the file is written, in parts too, and in three forms', async (t) => {
  const path = join(temporaryFolder(t), 'file');
  using memory = mmap.createFile(path, { size: 4 * page });
  memory.bytes.fill(1);
  await memory.sync();
  memory.bytes.fill(2, page + 100, page + 200);
  await memory.sync({ offset: page + 100, length: 100 });
  memory.syncSync({ offset: page });
  memory.syncLater({ invalidate: true });
  assert.equal(readFileSync(path)[page + 150], 2);
  using anonymous = mmap.anonymous(page, { shared: false });
  await anonymous.sync();
  await assert.rejects(memory.sync({ offset: 4 * page }), { name: 'RangeError', message: /offset/ });
  await assert.rejects(memory.sync({ length: 4 * page + 1 }), { name: 'RangeError', message: /length/ });
  await assert.rejects(memory.sync({ how: 1 } as never), { name: 'TypeError', message: /unknown option 'how'/ });
  await assert.rejects(memory.sync({ signal: AbortSignal.abort() }), { name: 'AbortError' });
  await assert.rejects(memory.sync({ timeoutMs: -1 }), { name: 'RangeError' });
});

test('a mapping that is closed while it is synced stays mapped until the kernel is done', async (t) => {
  for (let round = 0; round < 20; round++) {
    const memory = mmap.createFile(join(temporaryFolder(t), 'file'), { size: 64 * page });
    memory.bytes.fill(round);
    const synced = memory.sync();
    memory.close();
    // The kernel may have been done before.
    await synced.catch((why: unknown) => assert.equal((why as { code?: string }).code, 'ERR_INTERPROC_CLOSED'));
  }
});

test('advice reaches the kernel', (t) => {
  const path = join(temporaryFolder(t), 'file');
  using memory = mmap.createFile(path, { size: 8 * page });
  memory.bytes.fill(1);
  memory.advise('sequential');
  memory.advise('willneed', { offset: page, length: page });
  memory.advise('dontdump');
  assert.match(readFileSync('/proc/self/smaps', 'utf8'), /VmFlags:.* dd/, 'not in a core dump');
  memory.advise('dontneed', { offset: 0, length: 4 * page });
  assert.equal(memory.bytes[0], 1, 'the file still has it');
  memory.advise('remove', { offset: page, length: page });
  assert.equal(memory.bytes[page], 0, 'a hole was made in the file');
  assert.equal(memory.bytes[page - 1], 1);
  using own = mmap.anonymous(2 * page, { shared: false });
  own.bytes.fill(3);
  own.advise('dontneed', { offset: page });
  assert.deepEqual([own.bytes[page - 1], own.bytes[page]], [3, 0]);
});

test('advice that is none, or for half a page, is refused', () => {
  using memory = mmap.anonymous(3 * page + 5, { shared: false });
  assert.throws(() => memory.advise('often' as never), {
    name: 'TypeError',
    message: /unknown advice often; known are normal/,
  });
  assert.throws(() => memory.advise('toString' as never), { name: 'TypeError' });
  const range = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /multiple of the page size/ };
  assert.throws(() => memory.advise('dontneed', { offset: 1 }), range);
  assert.throws(() => memory.advise('dontneed', { length: 10 }), range);
  memory.advise('dontneed', { offset: page });
  assert.throws(() => memory.advise('remove'), { code: 'EINVAL', syscall: 'madvise', hint: /./ });
});

test('memory is locked and unlocked, in parts', (t) => {
  const { name } = newMemory(t, 8 * page);
  using memory = mmap.file(`/dev/shm${name}`, { access: 'read-write' });
  memory.lockMemory({ offset: page + 1, length: page });
  assert.equal(smaps(name, 'Locked'), (2 * page) / 1024, 'whole pages');
  memory.lockMemory();
  assert.equal(smaps(name, 'Locked'), (8 * page) / 1024);
  memory.unlockMemory({ offset: 0, length: 4 * page });
  assert.equal(smaps(name, 'Locked'), (4 * page) / 1024);
  memory.unlockMemory();
  assert.equal(smaps(name, 'Locked'), 0);
  memory.lockMemory({ onFault: true });
});

test('more locked memory than RLIMIT_MEMLOCK is refused with the limit named', async (t) => {
  const outcomes = await attempt(t, { asNobody: true, limits: ['--memlock=65536'] }, [
    ['mmap.anonymous', 1 << 20],
    ['$0.lockMemory'],
  ]);
  if (outcomes === undefined) return;
  assert.equal(outcomes[1]?.code, 'ENOMEM');
  assert.match(outcomes[1]?.hint ?? '', /RLIMIT_MEMLOCK/);
});

test('resident() tells which pages are in memory', () => {
  using memory = mmap.anonymous(16 * page);
  assert.equal(memory.resident().bytes, 0, 'none is before it is used');
  memory.bytes[3 * page] = 1;
  memory.bytes[7 * page + 9] = 1;
  const { bytes, pages } = memory.resident();
  assert.equal(bytes, 2 * page);
  assert.deepEqual(
    [...pages.keys()].filter((index) => pages[index] === 1),
    [3, 7],
  );
  assert.deepEqual([...memory.resident({ offset: 3 * page + 5, length: page }).pages], [1, 0]);
});

test('every call after close is refused', async () => {
  const memory = mmap.anonymous(page);
  memory.close();
  const closed = { code: 'ERR_INTERPROC_CLOSED' };
  assert.throws(() => memory.read(), closed);
  assert.throws(() => memory.write(0, new Uint8Array(1)), closed);
  assert.throws(() => memory.syncSync(), closed);
  assert.throws(() => memory.syncLater(), closed);
  await assert.rejects(memory.sync(), closed);
  assert.throws(() => memory.advise('normal'), closed);
  assert.throws(() => memory.lockMemory(), closed);
  assert.throws(() => memory.unlockMemory(), closed);
  assert.throws(() => memory.resident(), closed);
  assert.throws(() => memory.protect('read'), closed);
  assert.throws(() => memory.resize(1), closed);
  assert.throws(() => memory.handle(), closed);
  assert.equal(memory.fd, -1);
  memory.checkIntact();
});

test('a mapping larger than any buffer can be read where it is only for reading', (t) => {
  const path = join(temporaryFolder(t), 'sparse');
  writeFileSync(path, '');
  const size = 5 * 2 ** 30;
  truncateSync(path, size);
  const fd = openSync(path, 'r+');
  writeSync(fd, 'at the end', size - 10);
  closeSync(fd);
  using memory = mmap.file(path);
  assert.equal(memory.byteLength, size);
  assert.equal(Buffer.from(memory.read(size - 10)).toString(), 'at the end');
});
