import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as fifo from '../../src/fifo/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (read: Uint8Array | null | undefined): string => new TextDecoder().decode(read ?? undefined);

function newFifo(t: TestContext): string {
  const path = join(temporaryFolder(t), 'f');
  fifo.create(path);
  return path;
}

test('create makes a FIFO with mode 0600, and unlink removes it', (t) => {
  const path = newFifo(t);
  const { mode } = lstatSync(path);
  assert.equal(mode & constants.S_IFMT, constants.S_IFIFO);
  assert.equal(mode & 0o7777, 0o600);
  fifo.unlink(path);
  assert.throws(() => fifo.unlink(path), { code: 'ENOENT', syscall: 'unlink', path });
});

test('the mode is exactly what was asked for, whatever the umask', (t) => {
  const folder = temporaryFolder(t);
  const before = process.umask();
  try {
    for (const umask of [0o077, 0, 0o777]) {
      process.umask(umask);
      for (const mode of [0o600, 0o666, 0o620]) {
        const path = join(folder, `${umask}-${mode}`);
        fifo.create(path, { mode });
        assert.equal(lstatSync(path).mode & 0o7777, mode);
      }
    }
  } finally {
    process.umask(before);
  }
});

test('create refuses a name that is taken, also by a dangling symbolic link, which it does not follow', (t) => {
  const folder = temporaryFolder(t);
  const taken = join(folder, 'taken');
  writeFileSync(taken, '');
  assert.throws(() => fifo.create(taken), {
    name: 'IpcError',
    code: 'EEXIST',
    errno: -17,
    syscall: 'mkfifo',
    path: taken,
  });
  const link = join(folder, 'link');
  symlinkSync(join(folder, 'target'), link);
  assert.throws(() => fifo.create(link), { code: 'EEXIST' });
  assert.deepEqual(readdirSync(folder), ['link', 'taken']);
});

test('create tells what is wrong with a path', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  assert.throws(() => fifo.create(join(folder, 'none', 'f')), { code: 'ENOENT' });
  assert.throws(() => fifo.create(join(folder, 'file', 'f')), { code: 'ENOTDIR' });
  assert.throws(() => fifo.create(join(folder, 'x'.repeat(256))), { code: 'ENAMETOOLONG' });
  assert.throws(() => fifo.create(''), { code: 'ERR_INTERPROC_NAME' });
  assert.throws(() => fifo.create('a\0b'), { code: 'ERR_INTERPROC_NAME' });
  assert.throws(() => fifo.create(join(folder, 'f'), { mode: 0o10000 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => fifo.create(join(folder, 'f'), { mod: 1 } as never), /unknown option 'mod'/);
});

test('opening waits for the other side, whichever comes first', async (t) => {
  const path = newFifo(t);
  for (const writerFirst of [true, false]) {
    const opens = writerFirst
      ? [fifo.openWriter(path), fifo.openReader(path)]
      : [fifo.openReader(path), fifo.openWriter(path)];
    const ends = await Promise.all(opens);
    const writer = ends.find((end) => end instanceof fifo.PipeWriter) as fifo.PipeWriter;
    const reader = ends.find((end) => end instanceof fifo.PipeReader) as fifo.PipeReader;
    assert.equal(flagsOf(reader.fd) & constants.O_NONBLOCK, 0);
    await writer.write(bytes('through the FIFO'));
    assert.equal(text(await reader.read()), 'through the FIFO');
    writer.close();
    assert.equal(await reader.read(), null);
    reader.close();
  }
});

test('tryOpenWriter is undefined without a reader, tryOpenReader opens always', async (t) => {
  const path = newFifo(t);
  assert.equal(fifo.tryOpenWriter(path), undefined);
  await assert.rejects(fifo.openWriter(path, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  assert.throws(() => fifo.openWriterSync(path, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  using reader = fifo.tryOpenReader(path);
  using writer = fifo.tryOpenWriter(path) as fifo.PipeWriter;
  assert.ok(writer instanceof fifo.PipeWriter);
  assert.equal(reader.tryRead(), undefined);
});

test('before its first writer a reader waits, and only after the last is it at the end', async (t) => {
  const path = newFifo(t);
  using reader = fifo.tryOpenReader(path);
  assert.equal(reader.tryRead(), undefined);
  assert.throws(() => reader.readSync({ timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  const read = reader.read();
  const writer = fifo.tryOpenWriter(path) as fifo.PipeWriter;
  await writer.write(bytes('first'));
  assert.equal(text(await read), 'first');
  writer.close();
  assert.equal(reader.tryRead(), null);
  using next = fifo.tryOpenWriter(path) as fifo.PipeWriter;
  next.writeSync(bytes('second'));
  assert.equal(text(reader.tryRead()), 'second', 'a new writer opens the stream again');
});

test('what is no FIFO is refused before it is opened, by every way in', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'file');
  const real = join(folder, 'real');
  const link = join(folder, 'link');
  const socket = join(folder, 'socket');
  writeFileSync(file, 'precious');
  fifo.create(real);
  symlinkSync(real, link);
  mkdirSync(join(folder, 'sub'));
  const server = createServer().listen(socket);
  await once(server, 'listening');
  const cases: [string, string, RegExp][] = [
    [file, 'EINVAL', /no FIFO but a regular file/],
    [join(folder, 'sub'), 'EINVAL', /no FIFO but a folder/],
    [socket, 'EINVAL', /no FIFO but a socket/],
    ['/dev/null', 'EINVAL', /no FIFO but a character device/],
    [link, 'ELOOP', /no FIFO but a symbolic link/],
  ];
  for (const [path, code, message] of cases) {
    const refused = { name: 'IpcError', code, syscall: 'open', path, message };
    await assert.rejects(fifo.openReader(path), refused);
    await assert.rejects(fifo.openWriter(path), refused);
    assert.throws(() => fifo.openReaderSync(path), refused);
    assert.throws(() => fifo.openWriterSync(path), refused);
    assert.throws(() => fifo.tryOpenReader(path), refused);
    assert.throws(() => fifo.tryOpenWriter(path), refused);
    assert.throws(() => fifo.unlink(path), { code, syscall: 'unlink', path, message });
  }
  server.close();
});

test('a FIFO that is not there is ENOENT and says how to make one', async (t) => {
  const path = join(temporaryFolder(t), 'none');
  const absent = { code: 'ENOENT', syscall: 'open', path, hint: /fifo\.create/ };
  await assert.rejects(fifo.openReader(path), absent);
  assert.throws(() => fifo.tryOpenWriter(path), absent);
});

test('without the permission opening is EACCES', async (t) => {
  if (process.getuid?.() === 0) {
    const path = newFifo(t);
    const program = `import('${new URL('../../src/fifo/index.js', import.meta.url).href}').then(async (fifo) => {
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      await fifo.openReader(${JSON.stringify(path)}).catch((why) => console.log(why.code, why.syscall, why.path));
    })`;
    execFileSync('chmod', ['755', join(path, '..')]);
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    assert.equal(said, `EACCES open ${path}\n`);
    return;
  }
  const path = join(temporaryFolder(t), 'f');
  fifo.create(path, { mode: 0 });
  await assert.rejects(fifo.openReader(path), { code: 'EACCES', syscall: 'open', path });
});

test('opening and closing a thousand times leaves no descriptor', async (t) => {
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  for (let round = 0; round < 1000; round++) {
    const reader = fifo.tryOpenReader(path);
    const writer = fifo.tryOpenWriter(path);
    reader.close();
    writer?.close();
    assert.equal(fifo.tryOpenWriter(path), undefined);
  }
  assert.equal(countDescriptors(), before);
});
