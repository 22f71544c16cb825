import assert from 'node:assert/strict';
import { constants, openSync, closeSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as pipe from '../../src/pipe/index.js';
import { countDescriptors, flagsOf } from '../support/descriptors.js';
import { startFixture } from '../support/program.js';

const O_CLOEXEC = 0o2000000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (read: Uint8Array | null | undefined): string => new TextDecoder().decode(read ?? undefined);

test('what goes in at the writer comes out at the reader', async () => {
  using ends = pipe.create();
  await ends.writer.write(bytes('hello'));
  assert.equal(ends.reader.available, 5);
  assert.equal(text(await ends.reader.read()), 'hello');
});

test('both ends are close-on-exec and blocking until they are used', () => {
  using ends = pipe.create();
  for (const end of [ends.reader, ends.writer]) {
    assert.equal(flagsOf(end.fd) & O_CLOEXEC, O_CLOEXEC);
    assert.equal(flagsOf(end.fd) & constants.O_NONBLOCK, 0);
  }
  ends.writer.tryWrite(bytes('x'));
  ends.reader.tryRead();
  for (const end of [ends.reader, ends.writer]) {
    assert.equal(flagsOf(end.fd) & constants.O_NONBLOCK, constants.O_NONBLOCK);
  }
  assert.equal(ends.reader.handOver(), ends.reader.fd);
  assert.equal(flagsOf(ends.reader.fd) & constants.O_NONBLOCK, 0);
  assert.equal(ends.reader.tryRead(), undefined, 'the next use does not block');
});

test('closing gives both descriptors back, twice does nothing, and use after it is an error', () => {
  const before = countDescriptors();
  const ends = pipe.create();
  assert.equal(countDescriptors(), before + 2);
  ends.close();
  ends.close();
  assert.equal(countDescriptors(), before);
  assert.equal(ends.reader.fd, -1);
  const closed = { code: 'ERR_INTERPROC_CLOSED' };
  assert.throws(() => ends.reader.tryRead(), closed);
  assert.throws(() => ends.reader.tryReadInto(new Uint8Array(4)), closed);
  assert.throws(() => ends.reader.capacity, closed);
  assert.throws(() => ends.writer.tryWrite(bytes('x')), closed);
  assert.throws(() => ends.writer.writeSync(bytes('x')), closed);
  assert.throws(() => ends.writer.handOver(), closed);
});

test('use after close never reaches a file that got the same number', async () => {
  const ends = pipe.create();
  ends.writer.tryWrite(bytes('x'));
  const { fd } = ends.writer;
  ends.close();
  const others = Array.from({ length: 20 }, () => openSync('/dev/zero', 'r+'));
  try {
    assert.ok(others.includes(fd), 'the number is in use again');
    assert.throws(() => ends.writer.tryWrite(bytes('x')), { code: 'ERR_INTERPROC_CLOSED' });
    await assert.rejects(ends.writer.write(bytes('x')), { code: 'ERR_INTERPROC_CLOSED' });
    await assert.rejects(ends.reader.read(), { code: 'ERR_INTERPROC_CLOSED' });
  } finally {
    for (const other of others) closeSync(other);
  }
});

test('the capacity is rounded up to whole pages, for both ends', () => {
  using ends = pipe.create({ capacity: 5000 });
  assert.equal(ends.reader.capacity, 8192);
  assert.equal(ends.reader.setCapacity(1), 4096);
  assert.equal(ends.writer.capacity, 4096);
});

test('a capacity below what the pipe holds is EBUSY', () => {
  using ends = pipe.create();
  ends.writer.writeSync(new Uint8Array(20_000));
  assert.throws(() => ends.writer.setCapacity(4096), { code: 'EBUSY', syscall: 'fcntl(F_SETPIPE_SZ)' });
});

test('a capacity above what the system allows is an error that names the limit, and leaves nothing open', () => {
  const before = countDescriptors();
  const make = (): unknown => pipe.create({ capacity: 0x7fffffff });
  assert.throws(make, (why: NodeJS.ErrnoException & { hint?: string }) => {
    assert.match(String(why.code), /^(EPERM|ENOMEM)$/);
    return true;
  });
  assert.equal(countDescriptors(), before);
});

test('in packet mode each write is one read, and what does not fit is lost', () => {
  using ends = pipe.create({ packet: true });
  ends.writer.writeSync(bytes('first'));
  ends.writer.writeSync(bytes('second'));
  ends.writer.writeSync(bytes('third'));
  assert.equal(text(ends.reader.tryRead()), 'first');
  assert.equal(text(ends.reader.tryRead({ maxBytes: 3 })), 'sec');
  assert.equal(text(ends.reader.tryRead()), 'third');
});

test('a packet longer than 4096 bytes is refused before anything is written', async () => {
  using ends = pipe.create({ packet: true });
  const long = new Uint8Array(pipe.PIPE_BUF + 1);
  const refused = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /4096; got 4097/ };
  assert.throws(() => ends.writer.tryWrite(long), refused);
  assert.throws(() => ends.writer.writeSync(long), refused);
  await assert.rejects(ends.writer.write(long), refused);
  assert.equal(ends.reader.available, 0);
});

test('options that cannot be meant are named', () => {
  const create = pipe.create as (options: unknown) => unknown;
  assert.throws(() => create({ size: 1 }), /unknown option 'size'; known are capacity, packet, nonBlocking/);
  assert.throws(() => create({ capacity: 0 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => create({ capacity: '1' }), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.throws(() => create({ packet: 1 }), { code: 'ERR_INTERPROC_ARGUMENT' });
});

test('an inherited descriptor is taken over only if it is a pipe that is open this way', () => {
  using ends = pipe.create();
  assert.throws(() => pipe.readerFromFd(ends.writer.fd), /not open for reading/);
  assert.throws(() => pipe.writerFromFd(ends.reader.fd), /not open for writing/);
  const file = openSync('/dev/null', 'r');
  assert.throws(() => pipe.readerFromFd(file), /is not a pipe/);
  closeSync(file);
  assert.throws(() => pipe.readerFromFd(1 << 20), { code: 'EBADF', syscall: 'fstat' });
  assert.throws(() => pipe.readerFromFd(-1), { code: 'ERR_INTERPROC_RANGE' });
});

test('at the limit of descriptors a pipe is EMFILE with a hint, and no descriptor is lost', async (t) => {
  const program = startFixture(t, 'pipe-at-limit', []);
  assert.match(await program.line(), /^EMFILE .*ulimit -n/);
  assert.equal(await program.line(), 'none lost');
  assert.equal((await program.ended).code, 0);
});

test('an end shows itself', () => {
  using ends = pipe.create();
  assert.equal(inspect(ends.reader), `PipeReader { fd: ${ends.reader.fd}, closed: false }`);
});
