import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as mmap from '../../src/mmap/index.js';
import { attempt } from '../support/elsewhere.js';
import { openDescriptors } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { text } from '../shm/support.js';

const page = mmap.pageSize();

test('a file is mapped for reading unless asked otherwise, and survives being removed', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, 'in the file');
  const before = openDescriptors().size;
  using memory = mmap.file(path);
  assert.equal(openDescriptors().size, before, 'no descriptor stays open');
  assert.equal(memory.byteLength, 11);
  assert.equal(memory.access, 'read');
  unlinkSync(path);
  assert.equal(text(memory.read()), 'in the file');
});

test('what is written to a file mapped for it is seen by other programs', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, Buffer.alloc(3 * page));
  using memory = mmap.file(path, { access: 'read-write' });
  memory.bytes.fill(0x61);
  const digest = createHash('sha256')
    .update('a'.repeat(3 * page))
    .digest('hex');
  assert.match(execFileSync('sha256sum', [path], { encoding: 'utf8' }), new RegExp(`^${digest}`));
  execFileSync('dd', [`of=${path}`, 'conv=notrunc', 'bs=1', 'seek=5000', 'status=none'], { input: 'from dd' });
  assert.equal(text(memory.bytes.subarray(5000, 5007)), 'from dd');
});

test('a part of a file begins at a page and ends where it was asked to', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, `${'x'.repeat(page)}second page${'y'.repeat(page)}`);
  using part = mmap.file(path, { offset: page, length: 11 });
  assert.equal(text(part.read()), 'second page');
  using rest = mmap.file(path, { offset: page });
  assert.equal(rest.byteLength, page + 11);
  const range = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' };
  for (const offset of [1, page - 1, page + 8]) {
    assert.throws(() => mmap.file(path, { offset }), {
      ...range,
      message: new RegExp(`multiple of the page size, ${page}`),
    });
  }
  assert.throws(() => mmap.file(path, { offset: -page }), range);
  assert.throws(() => mmap.file(path, { length: 0 }), range);
  assert.throws(() => mmap.file(path, { length: -1 }), range);
  assert.throws(() => mmap.file(path, { length: 2 ** 53 }), range);
  assert.throws(() => mmap.file(path, { length: 2 * page + 12 }), { ...range, message: /length must be at most/ });
  assert.throws(() => mmap.file(path, { offset: 3 * page }), { ...range, message: /offset must be less than/ });
  assert.throws(() => mmap.file(path, { size: 1 } as never), { name: 'TypeError', message: /unknown option 'size'/ });
  assert.throws(() => mmap.file(''), { code: 'ERR_INTERPROC_NAME' });
  assert.throws(() => mmap.file(`${path}\0`), { code: 'ERR_INTERPROC_NAME' });
});

test('what follows the end of a file in its last page is not written to it', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, '12345');
  using memory = mmap.file(path, { access: 'read-write' });
  assert.equal(memory.bytes.length, 5);
  memory.bytes[5] = 7; // beyond the array: nothing happens
  memory.bytes[4] = 0x36;
  memory.syncSync();
  assert.equal(readFileSync(path, 'utf8'), '12346');
});

test('what is no file to be mapped is refused by name', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'file');
  writeFileSync(path, '');
  assert.throws(() => mmap.file(path), { name: 'RangeError', message: `${path} is empty: there is nothing to map` });
  assert.throws(() => mmap.file(join(folder, 'none')), { code: 'ENOENT', syscall: 'open' });
  assert.throws(() => mmap.file(folder), { code: 'ENODEV', path: folder, message: /a folder cannot be mapped/ });
  assert.throws(() => mmap.file(folder, { access: 'read-write' }), { code: 'EISDIR' });
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  assert.throws(() => mmap.file(join(folder, 'fifo')), { code: 'ENODEV', message: /a FIFO cannot be mapped/ });
  const server = createServer().listen(join(folder, 'socket'));
  await once(server, 'listening');
  assert.throws(() => mmap.file(join(folder, 'socket')), { code: 'ENXIO' });
  server.close();
  assert.throws(() => mmap.file('/dev/null'), { name: 'TypeError', message: /length must be given/ });
  assert.throws(() => mmap.file('/dev/null', { length: 1 }), { code: 'ENODEV' });
  using zeros = mmap.file('/dev/zero', { length: page, access: 'copy-on-write' });
  assert.ok(
    zeros.bytes.every((byte) => byte === 0),
    'a device that can be mapped is',
  );
});

test('a symbolic link is followed unless asked otherwise', (t) => {
  const folder = temporaryFolder(t);
  const [path, link] = [join(folder, 'file'), join(folder, 'link')];
  writeFileSync(path, 'the file');
  symlinkSync('file', link);
  using memory = mmap.file(link);
  assert.equal(text(memory.read()), 'the file');
  assert.throws(() => mmap.file(link, { follow: false }), { code: 'ELOOP', path: link });
  assert.throws(() => mmap.file(link, { follow: 0 as never }), { name: 'TypeError', message: /follow/ });
});

test('another user is refused what the mode forbids', async (t) => {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o755);
  const path = join(folder, 'file');
  writeFileSync(path, 'x', { mode: 0o644 });
  chmodSync(path, 0o644);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['mmap.file', path, { access: 'read-write' }],
    ['mmap.file', path],
    ['$1.byteLength'],
    ['mmap.createFile', join(folder, 'new'), { size: 1 }],
  ]);
  if (outcomes === undefined) return;
  assert.equal(outcomes[0]?.code, 'EACCES');
  assert.equal(outcomes[2]?.value, 1);
  assert.equal(outcomes[3]?.code, 'EACCES');
});

/** Makes a file, and fails to. */
function assertMadeComplete(t: TestContext): void {
  const folder = temporaryFolder(t);
  const path = join(folder, 'made');
  const before = openDescriptors().size;
  const mapping = mmap.createFile(path, {
    size: 10_000,
    mode: 0o644,
    prepare(memory) {
      assert.equal(readdirSync(folder).includes('made'), false, 'nobody sees it yet');
      memory.bytes.fill(9);
    },
  });
  assert.deepEqual(readdirSync(folder), ['made']);
  assert.equal(statSync(path).mode & 0o7777, 0o644);
  assert.ok(statSync(path).blocks * 512 >= 10_000, 'its space is really there');
  assert.ok(readFileSync(path).every((byte) => byte === 9));
  mapping.bytes[0] = 1;
  assert.equal(readFileSync(path)[0], 1);
  mapping.close();
  assert.throws(() => mmap.createFile(path, { size: 1 }), { code: 'EEXIST', path });
  symlinkSync('nowhere', join(folder, 'link'));
  assert.throws(() => mmap.createFile(join(folder, 'link'), { size: 1 }), { code: 'EEXIST' });
  assert.throws(() => mmap.createFile(join(folder, 'none', 'x'), { size: 1 }), { code: 'ENOENT' });
  const failing = { size: 1, prepare: () => assert.fail('not today') };
  assert.throws(() => mmap.createFile(join(folder, 'x'), failing), /not today/);
  assert.deepEqual(readdirSync(folder).sort(), ['link', 'made']);
  assert.equal(openDescriptors().size, before);
}

test('a file that is made is built without a name and then linked, complete', (t) => assertMadeComplete(t));

test('where there are no unnamed files, a file is built under another name and then linked, complete', (t) => {
  process.env.INTERPROC_TMPFILE = 'no';
  t.after(() => delete process.env.INTERPROC_TMPFILE);
  assertMadeComplete(t);
});

test('a file without the space for it is not made', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'small'));
  const small = join(folder, 'small');
  for (const tmpfile of ['yes', 'no']) {
    const outcomes = await attempt(
      t,
      {
        unshared: ['mount'],
        before: `mount -t tmpfs -o size=1m none '${small}'; export INTERPROC_TMPFILE=${tmpfile}`,
      },
      [
        ['mmap.createFile', join(small, 'big'), { size: 10_000_000 }],
        ['mmap.createFile', join(small, 'little'), { size: 100_000 }],
        ['$1.byteLength'],
      ],
    );
    if (outcomes === undefined) return;
    assert.equal(outcomes[0]?.code, 'ENOSPC');
    assert.equal(outcomes[2]?.value, 100_000, 'nothing of the first is left');
  }
});

test('options of a file that cannot be meant are refused before it is made', (t) => {
  const path = join(temporaryFolder(t), 'file');
  for (const size of [0, -1, 1.5, 2 ** 53, Number.NaN]) {
    assert.throws(() => mmap.createFile(path, { size }), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => mmap.createFile(path, undefined as never), { name: 'TypeError', message: /size/ });
  assert.throws(() => mmap.createFile(path, { size: 1, mode: 0o10000 }), { name: 'RangeError', message: /mode/ });
  assert.throws(() => mmap.createFile(path, { size: 1, prepare: 1 as never }), { message: /prepare/ });
  assert.throws(() => readFileSync(path), { code: 'ENOENT' });
});

test('100,000 rounds of mapping a file leave no mapping, descriptor or memory', (t) =>
  assertNothingLeaks(t, 'mmap.file'));
