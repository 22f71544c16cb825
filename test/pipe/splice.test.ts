import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { check } from '../../src/core/errors.js';
import { setNonBlocking } from '../../src/core/transfer.js';
import * as fifo from '../../src/fifo/index.js';
import * as mmap from '../../src/mmap/index.js';
import * as pipe from '../../src/pipe/index.js';
import { native } from '../../src/sys/index.js';
import * as unix from '../../src/unix/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (read: Uint8Array | null | undefined): string => new TextDecoder().decode(read ?? undefined);

/** Two pipes, closed with the test's block. */
function twoPipes(): Disposable & { one: pipe.PipePair; other: pipe.PipePair } {
  const [one, other] = [pipe.create(), pipe.create()];
  const close = (): void => {
    one.close();
    other.close();
  };
  return { one, other, [Symbol.dispose]: close };
}

test('splice moves what there is from pipe to pipe, and gives null at the end, in every form', async () => {
  using pipes = twoPipes();
  const { one, other } = pipes;
  const [from, to] = [one.reader, other.writer];
  assert.equal(pipe.trySplice(from, to), undefined);
  assert.throws(() => pipe.spliceSync(from, to, { timeoutMs: 0 }), { code: 'ETIMEDOUT', syscall: 'splice' });
  one.writer.writeSync(bytes('abcdefgh'));
  assert.equal(pipe.trySplice(from, to, { bytes: 3 }), 3);
  assert.equal(pipe.spliceSync(from, to, { bytes: 2 }), 2);
  assert.equal(await pipe.splice(from, to), 3);
  assert.equal(text(other.reader.readSync()), 'abcdefgh');
  const waiting = pipe.splice(from, to);
  one.writer.writeSync(bytes('later'));
  assert.equal(await waiting, 5);
  one.writer.close();
  assert.equal(pipe.trySplice(from, to), null);
  assert.equal(pipe.spliceSync(from, to), null);
  assert.equal(await pipe.splice(from, to), null);
});

test('tee copies and takes nothing out, and gives null at the end, in every form', async () => {
  using pipes = twoPipes();
  const { one, other } = pipes;
  assert.equal(pipe.tryTee(one.reader, other.writer), undefined);
  assert.throws(() => pipe.teeSync(one.reader, other.writer, { timeoutMs: 0 }), { code: 'ETIMEDOUT', syscall: 'tee' });
  const waiting = pipe.tee(one.reader, other.writer);
  one.writer.writeSync(bytes('twice'));
  assert.equal(await waiting, 5);
  assert.equal(pipe.teeSync(one.reader, other.writer, { bytes: 2 }), 2);
  assert.equal(pipe.tryTee(one.reader, other.writer, { bytes: 1 }), 1);
  assert.equal(text(one.reader.readSync()), 'twice');
  assert.equal(text(other.reader.readSync()), 'twicetwt');
  one.writer.close();
  assert.equal(await pipe.tee(one.reader, other.writer), null);
  assert.equal(pipe.tryTee(one.reader, other.writer), null);
});

test('vmsplice puts pages into the pipe: what is changed before it is read is what is read', async () => {
  using memory = mmap.anonymous(20 * 4096);
  using ends = pipe.create();
  memory.bytes.fill(1);
  assert.equal(await pipe.vmsplice(ends.writer, memory, { offset: 10, length: 4 }), 4);
  memory.bytes[11] = 9;
  assert.deepEqual([...(ends.reader.readSync() ?? [])], [1, 9, 1, 1]);
  assert.equal(pipe.vmspliceSync(ends.writer, memory), 16 * 4096, 'as many pages as there is room for');
  assert.equal(pipe.tryVmsplice(ends.writer, memory), undefined);
  assert.throws(() => pipe.vmspliceSync(ends.writer, memory, { timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  const waiting = pipe.vmsplice(ends.writer, memory, { length: 1 });
  ends.reader.readSync();
  assert.equal(await waiting, 1);
});

test('a mapping that is closed while its pages are in a pipe is read as it was', () => {
  using ends = pipe.create();
  const memory = mmap.anonymous(4096);
  memory.bytes.fill(7);
  pipe.vmspliceSync(ends.writer, memory);
  memory.close();
  assert.ok(ends.reader.readSync()?.every((byte) => byte === 7));
  assert.throws(() => pipe.vmspliceSync(ends.writer, memory), { code: 'ERR_INTERPROC_CLOSED' });
});

test('vmsplice takes a Mapping and the write end only, so that it never writes into memory', async () => {
  using memory = mmap.anonymous(4096);
  using ends = pipe.create();
  ends.writer.writeSync(bytes('secret'));
  const refused = { code: 'ERR_INTERPROC_ARGUMENT', message: /open for writing/ };
  assert.throws(() => pipe.vmspliceSync(ends.reader as never, memory), refused);
  await assert.rejects(pipe.vmsplice(ends.reader.fd, memory), refused);
  assert.ok(memory.bytes.every((byte) => byte === 0));
  assert.throws(() => pipe.tryVmsplice(ends.writer, new Uint8Array(8) as never), /memory must be a Mapping/);
  assert.throws(() => pipe.tryVmsplice(ends.writer, memory, { offset: 4096 }), { code: 'ERR_INTERPROC_RANGE' });
});

test('splice to and from files uses their position, or an offset as number or bigint', async (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, '0123456789');
  using ends = pipe.create();
  const file = openSync(path, 'r+');
  t.after(() => closeSync(file));
  assert.equal(await pipe.splice(file, ends.writer, { bytes: 2, fromOffset: 4 }), 2);
  assert.equal(await pipe.splice(file, ends.writer, { bytes: 2, fromOffset: 8n }), 2);
  assert.equal(pipe.spliceSync(file, ends.writer, { bytes: 1 }), 1);
  assert.equal(pipe.trySplice(file, ends.writer, { bytes: 1 }), 1);
  assert.equal(await pipe.splice(file, ends.writer, { fromOffset: 10 }), null);
  assert.equal(text(ends.reader.readSync()), '458901');
  ends.writer.writeSync(bytes('XY'));
  assert.equal(await pipe.splice(ends.reader, file, { toOffset: 3n }), 2);
  assert.equal(readFileSync(path, 'utf8'), '012XY56789');
});

test('splice from a file waits for a full pipe whatever its mode, and 100 MB come through', async (t) => {
  const path = join(temporaryFolder(t), 'large');
  const block = randomBytes(1 << 20);
  writeFileSync(path, Buffer.concat(Array.from({ length: 100 }, () => block)));
  const file = openSync(path, 'r');
  t.after(() => closeSync(file));
  const { reader, writer } = pipe.create({ nonBlocking: true });
  const moving = (async () => {
    while ((await pipe.splice(file, writer, { bytes: 1 << 20 })) !== null);
    writer.close();
  })();
  let at = 0;
  for await (const chunk of reader) {
    for (let done = 0; done < chunk.length; ) {
      const part = chunk.subarray(done, done + block.length - (at % block.length));
      assert.ok(
        block
          .subarray(at % block.length)
          .subarray(0, part.length)
          .equals(part),
        `differs at ${at}`,
      );
      done += part.length;
      at += part.length;
    }
  }
  await moving;
  assert.equal(at, 100 << 20);
  reader.close();
});

test('splice goes from a socket to a pipe and from a pipe to a socket', async () => {
  const { first: near, second: far } = unix.stream.pair();
  using ends = pipe.create();
  const arriving = pipe.splice(near, ends.writer);
  await far.write(bytes('in'));
  assert.equal(await arriving, 2);
  assert.equal(await pipe.splice(ends.reader, near), 2);
  assert.equal(text(await far.read()), 'in');
  far.close();
  assert.equal(await pipe.splice(near, ends.writer), null);
  near.close();
});

test('splice does not overtake a write that waits', async () => {
  using pipes = twoPipes();
  const { one, other } = pipes;
  const waiting = other.writer.write(new Uint8Array(70_000).fill(1));
  one.writer.writeSync(bytes('x'));
  assert.equal(pipe.trySplice(one.reader, other.writer), undefined);
  const moved = pipe.splice(one.reader, other.writer);
  let count = 0;
  while (count < 70_000) count += (await other.reader.read({ maxBytes: 70_000 - count }))?.length ?? 0;
  await waiting;
  assert.equal(await moved, 1);
  assert.equal(text(await other.reader.read()), 'x');
});

test('a FIFO that no writer has opened yet is not at its end for splice', async (t) => {
  const path = join(temporaryFolder(t), 'fifo');
  fifo.create(path);
  const file = openSync(path, 0o4000); // O_NONBLOCK: opens without a writer
  t.after(() => closeSync(file));
  using ends = pipe.create();
  assert.equal(pipe.trySplice(file, ends.writer), undefined);
  const moved = pipe.splice(file, ends.writer);
  using writer = await fifo.openWriter(path);
  await writer.write(bytes('first'));
  assert.equal(await moved, 5);
});

test('splice waits for a terminal without blocking the event loop', async (t) => {
  const master = check(native().ptyOpen(), 'open');
  const slave = openSync(`/dev/pts/${check(native().ptyNumber(master), 'ioctl')}`, 'r+');
  t.after(() => {
    closeSync(slave);
    native().close(master);
  });
  setNonBlocking(master, false);
  using ends = pipe.create();
  assert.equal(pipe.trySplice(master, ends.writer), undefined);
  const moved = pipe.splice(master, ends.writer);
  writeSync(slave, 'seen');
  assert.equal(await moved, 4);
  assert.equal(text(ends.reader.readSync()), 'seen');
});

test('an abort and a time-out of splice have moved nothing, and close() ends the wait', async () => {
  openPoller();
  const before = countDescriptors();
  {
    using pipes = twoPipes();
    const { one, other } = pipes;
    const abort = new AbortController();
    const given = pipe.splice(one.reader.fd, other.writer, { signal: abort.signal });
    abort.abort();
    await assert.rejects(given, { code: 'ABORT_ERR' });
    await assert.rejects(pipe.splice(one.reader, other.writer, { timeoutMs: 5 }), { code: 'ETIMEDOUT' });
    one.writer.writeSync(bytes('whole'));
    assert.equal(await pipe.splice(one.reader, other.writer), 5);
    const closed = pipe.splice(one.reader, other.writer);
    one.reader.close();
    await assert.rejects(closed, { code: 'ERR_INTERPROC_CLOSED' });
  }
  assert.equal(countDescriptors(), before);
});

test('aborts of splice aimed at completion lose no byte in 10,000 rounds', async () => {
  using pipes = twoPipes();
  const { one, other } = pipes;
  let moved = 0;
  let received = 0;
  for (let round = 0; round < 10_000; round++) {
    const abort = new AbortController();
    const wait = pipe.splice(one.reader, other.writer, { signal: abort.signal });
    one.writer.writeSync(bytes('12345678'));
    if (round % 2 === 0) abort.abort();
    else setImmediate(() => abort.abort());
    await wait.then(
      (count) => {
        moved += count ?? 0;
      },
      (why) => assert.equal(why.code, 'ABORT_ERR'),
    );
    for (let rest = pipe.trySplice(one.reader, other.writer); rest; rest = pipe.trySplice(one.reader, other.writer))
      moved += rest;
    for (let got = other.reader.tryRead(); got; got = other.reader.tryRead()) received += got.length;
  }
  assert.equal(moved, 80_000);
  assert.equal(received, 80_000);
});

test('splice: the wrong direction is EBADF', () => {
  using pipes = twoPipes();
  const wrong = {
    name: 'IpcError',
    code: 'EBADF',
    syscall: 'splice',
    hint: /open for reading, the second for writing/,
  };
  assert.throws(() => pipe.trySplice(pipes.one.writer, pipes.other.writer), wrong);
  assert.throws(() => pipe.trySplice(pipes.one.reader, pipes.other.reader), wrong);
});

test('splice: no pipe, both ends of one pipe, and a file for appending are EINVAL', async (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, 'text');
  const [file, other, appended] = [openSync(path, 'r'), openSync(path, 'r+'), openSync(path, 'a')];
  t.after(() => [file, other, appended].forEach(closeSync));
  using ends = pipe.create();
  ends.writer.writeSync(bytes('x'));
  const refused = { code: 'EINVAL', syscall: 'splice', hint: /appending/ };
  assert.throws(() => pipe.trySplice(file, other), refused);
  assert.throws(() => pipe.trySplice(ends.reader, ends.writer), refused);
  assert.throws(() => pipe.trySplice(ends.reader, appended), refused);
  await assert.rejects(pipe.splice(ends.reader, appended), refused);
  assert.equal(ends.reader.available, 1);
});

test('splice: an offset on a pipe is ESPIPE', () => {
  using pipes = twoPipes();
  const refused = { code: 'ESPIPE', syscall: 'splice', hint: 'a pipe has no offset' };
  assert.throws(() => pipe.trySplice(pipes.one.reader, pipes.other.writer, { fromOffset: 0 }), refused);
  assert.throws(() => pipe.trySplice(pipes.one.reader, pipes.other.writer, { toOffset: 0 }), refused);
});

test('tee: the wrong direction is EBADF, no pipe and the same pipe are EINVAL', (t) => {
  using pipes = twoPipes();
  const file = openSync('/dev/null', 'r+');
  t.after(() => closeSync(file));
  const { one, other } = pipes;
  one.writer.writeSync(bytes('x'));
  assert.throws(() => pipe.tryTee(one.writer, other.writer), { code: 'EBADF', syscall: 'tee', hint: /reading/ });
  assert.throws(() => pipe.tryTee(one.reader, file), { code: 'EINVAL', syscall: 'tee', hint: /pipes/ });
  assert.throws(() => pipe.tryTee(one.reader, one.writer), { code: 'EINVAL', syscall: 'tee', hint: /same/ });
});

test('splice, tee and vmsplice into a pipe that nobody reads are EPIPE', async () => {
  using memory = mmap.anonymous(4096);
  using pipes = twoPipes();
  pipes.one.writer.writeSync(bytes('x'));
  pipes.other.reader.close();
  await assert.rejects(pipe.splice(pipes.one.reader, pipes.other.writer), { code: 'EPIPE', syscall: 'splice' });
  await assert.rejects(pipe.tee(pipes.one.reader, pipes.other.writer), { code: 'EPIPE', syscall: 'tee' });
  await assert.rejects(pipe.vmsplice(pipes.other.writer, memory), { code: 'EPIPE', syscall: 'vmsplice' });
});

test('vmsplice into something that is no pipe is EBADF', (t) => {
  using memory = mmap.anonymous(4096);
  const file = openSync('/dev/null', 'w');
  t.after(() => closeSync(file));
  assert.throws(() => pipe.tryVmsplice(file, memory), { code: 'EBADF', syscall: 'vmsplice', hint: /write end/ });
});

test('mistakes in splice are named before anything is moved', async () => {
  using pipes = twoPipes();
  const { one, other } = pipes;
  const range = { code: 'ERR_INTERPROC_RANGE' };
  assert.throws(() => pipe.trySplice(one.reader, other.writer, { bytes: 0 }), range);
  assert.throws(() => pipe.trySplice(one.reader, other.writer, { fromOffset: -1n }), range);
  assert.throws(() => pipe.trySplice(one.reader, other.writer, { toOffset: 2n ** 63n }), range);
  assert.throws(() => pipe.trySplice('x' as never, other.writer), { code: 'ERR_INTERPROC_ARGUMENT' });
  await assert.rejects(pipe.splice(one.reader, other.writer, { size: 1 } as never), /unknown option 'size'/);
  await assert.rejects(pipe.splice(one.reader, other.writer, { timeoutMs: -1 }), range);
});
