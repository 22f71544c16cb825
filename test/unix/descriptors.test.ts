import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as eventfd from '../../src/eventfd/index.js';
import * as mq from '../../src/mq/index.js';
import * as pipe from '../../src/pipe/index.js';
import * as proc from '../../src/proc/index.js';
import * as shm from '../../src/shm/index.js';
import { native } from '../../src/sys/index.js';
import { type Received, type StreamSocket, stream } from '../../src/unix/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { randomName, temporaryFolder } from '../support/folder.js';
import { start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, pairFor, socketPath, text } from './support.js';

const O_CLOEXEC = 0o2000000;
/** unix(7); the number is that of most architectures. */
const SO_PASSPIDFD = 76;

function closeAll(received: Received | null | undefined): void {
  for (const fd of received?.fds ?? []) closeSync(fd);
}

test('a descriptor that was sent is the same file, close-on-exec, and ours stays open', async (t) => {
  const { first, second } = pairFor(t);
  const path = join(temporaryFolder(t), 'file');
  const file = openSync(path, 'w+');
  await first.send(bytes('take this'), { fds: [file] });
  const received = (await second.receive()) as Received;
  assert.equal(text(received.data), 'take this');
  const [copy] = received.fds as [number];
  assert.notEqual(copy, file);
  assert.equal(fstatSync(copy).ino, fstatSync(file).ino);
  assert.equal(flagsOf(copy) & O_CLOEXEC, O_CLOEXEC);
  writeSync(copy, 'written by the receiver');
  closeSync(copy);
  closeSync(file);
  assert.equal(readFileSync(path, 'utf8'), 'written by the receiver');
});

test('handles are sent as well as numbers, in every form', async (t) => {
  const { first, second } = pairFor(t);
  using ends = pipe.create();
  const fds = [ends.writer, ends.reader.fd];
  await first.send(bytes('a'), { fds });
  first.sendSync(bytes('b'), { fds });
  assert.equal(first.trySend(bytes('c'), { fds }), 1);
  const all = [await second.receive(), second.receiveSync(), second.tryReceive()];
  assert.deepEqual(all.map((one) => text(one?.data)).join(''), 'abc');
  for (const one of all) {
    const [into, from] = (one as Received).fds as [number, number];
    using writer = pipe.writerFromFd(into);
    using reader = pipe.readerFromFd(from);
    writer.writeSync(bytes('through the copy'));
    assert.equal(text(reader.readSync()), 'through the copy');
  }
});

test('one receive brings the descriptors of one send, and no bytes that were sent after it', (t) => {
  const { first, second } = pairFor(t);
  first.sendSync(bytes('plain '));
  first.sendSync(bytes('one'), { fds: [0] });
  first.sendSync(bytes('two'), { fds: [0, 1] });
  first.sendSync(bytes('after'));
  const seen: [string, number][] = [];
  for (let one = second.tryReceive(); one; one = second.tryReceive()) {
    seen.push([text(one.data), one.fds.length]);
    closeAll(one);
  }
  assert.deepEqual(seen, [
    ['plain one', 1],
    ['two', 2],
    ['after', 0],
  ]);
});

test('descriptors come with the first byte that they were sent with, however little is read, and not a byte before', (t) => {
  const { first, second } = pairFor(t);
  first.sendSync(bytes('plain '));
  first.sendSync(bytes('one'), { fds: [0] });
  first.sendSync(bytes('after'));
  assert.equal(text(second.readSync({ maxBytes: 6 })), 'plain ', 'read() up to there drops nothing');
  const seen: [string, number][] = [];
  for (let one = second.tryReceive({ maxBytes: 2 }); one; one = second.tryReceive({ maxBytes: 2 })) {
    seen.push([text(one.data), one.fds.length]);
    closeAll(one);
  }
  assert.deepEqual(seen, [
    ['on', 1],
    ['ea', 0],
    ['ft', 0],
    ['er', 0],
  ]);
});

test('any kind of descriptor travels', async (t) => {
  const { first, second } = pairFor(t);
  const folder = temporaryFolder(t);
  const name = `/${randomName('kinds')}`;
  const queue = mq.create(name, { maxMessages: 1, messageSize: 8 });
  mq.unlink(name);
  const files = { file: join(folder, 'file'), folder, device: '/dev/null' };
  writeFileSync(files.file, '');
  const opened = Object.values(files).map((path) => openSync(path, 'r'));
  using ends = pipe.create();
  using pair = stream.pair();
  using listener = stream.listen(join(folder, 's'));
  using counter = eventfd.create();
  using memory = shm.memfd({ size: 4096 });
  using self = proc.openPid(process.pid);
  using jobs = queue;
  const handles = [ends.reader, pair.first, listener, counter, memory, self, jobs];
  const fds = [...opened, ...handles.map(({ fd }) => fd)];
  await first.send(bytes('all'), { fds });
  const received = (await second.receive()) as Received;
  const target = (fd: number): string => readlinkSync(`/proc/self/fd/${fd}`);
  assert.deepEqual(received.fds.map(target), fds.map(target));
  for (const fd of received.fds) assert.equal(flagsOf(fd) & O_CLOEXEC, O_CLOEXEC);
  closeAll(received);
  for (const fd of opened) closeSync(fd);
});

test('253 descriptors fit, 254 are refused before anything is sent', async (t) => {
  openPoller();
  const { first, second } = pairFor(t);
  const before = countDescriptors();
  await first.send(bytes('many'), { fds: new Array(253).fill(0) });
  const received = await second.receive();
  assert.equal(received?.fds.length, 253);
  assert.equal(countDescriptors(), before + 253);
  closeAll(received);
  const many = { code: 'ERR_INTERPROC_RANGE', message: /253 .*got 254/ };
  await assert.rejects(first.send(bytes('x'), { fds: new Array(254).fill(0) }), many);
  assert.throws(() => first.trySend(bytes('x'), { fds: new Array(254).fill(0) }), many);
  assert.equal(second.tryReceive(), undefined);
  assert.equal(countDescriptors(), before);
});

test('a descriptor that is not open is EBADF, and nothing is sent', async (t) => {
  const { first, second } = pairFor(t);
  await assert.rejects(first.send(bytes('x'), { fds: [0, 1 << 20] }), { code: 'EBADF', syscall: 'sendmsg' });
  assert.equal(second.tryReceive(), undefined);
});

test('a send that waits for room keeps the descriptors, though the caller closes his', async (t) => {
  openPoller();
  const { first, second } = pairFor(t);
  const before = countDescriptors();
  const path = join(temporaryFolder(t), 'file');
  const file = openSync(path, 'w+');
  const { ino } = fstatSync(file);
  while (first.tryWrite(new Uint8Array(65536)) !== undefined);
  const sending = first.send(bytes('late'), { fds: [file] });
  closeSync(file);
  let received: Received | undefined;
  while (received === undefined) {
    const one = (await second.receive()) as Received;
    if (one.fds.length > 0) received = one;
  }
  await sending;
  assert.equal(fstatSync(received.fds[0] as number).ino, ino);
  closeAll(received);
  assert.equal(countDescriptors(), before);
});

test('a send that is given up before its first byte is out leaves no descriptor', async (t) => {
  openPoller();
  const { first, second } = pairFor(t);
  while (first.tryWrite(new Uint8Array(65536)) !== undefined);
  const before = countDescriptors();
  const abort = new AbortController();
  const aborted = first.send(bytes('never'), { fds: [0, 1], signal: abort.signal });
  assert.equal(countDescriptors(), before + 2);
  abort.abort();
  await assert.rejects(aborted, { code: 'ABORT_ERR', bytesWritten: 0 });
  assert.equal(countDescriptors(), before);
  const closed = first.send(bytes('never'), { fds: [0, 1] });
  first.close();
  await assert.rejects(closed, { code: 'ERR_INTERPROC_CLOSED' });
  second.close();
  assert.equal(countDescriptors(), before - 2);
});

test('descriptors are gone when nobody takes them: read by read(), or on their way when the sockets close', () => {
  openPoller();
  const before = countDescriptors();
  const pair = stream.pair();
  pair.first.sendSync(bytes('x'), { fds: [0, 1, 2] });
  assert.equal(text(pair.second.readSync()), 'x');
  assert.equal(countDescriptors(), before + 2);
  pair.first.sendSync(bytes('y'), { fds: [0, 1, 2, pair.first, pair.second] });
  pair.close();
  assert.equal(countDescriptors(), before);
});

test('a socket that was sent over itself is collected by the kernel, and with it what went along', async () => {
  using ends = pipe.create();
  const { first, second, close } = stream.pair();
  first.sendSync(bytes('x'), { fds: [first, second, ends.writer] });
  second.sendSync(bytes('y'), { fds: [first, second, ends.writer] });
  ends.writer.close();
  close();
  // Nobody has the writer now but messages that nobody can receive: the end is read once they are gone.
  assert.equal(await ends.reader.read(), null);
});

test('a pidfd that the kernel adds, since somebody has set an inherited socket so, is not left open', (t) => {
  openPoller();
  const { first, second } = pairFor(t);
  // ENOPROTOOPT before Linux 6.5: nothing is added then.
  native().setsockopt(second.fd, SO_PASSPIDFD, 1);
  const before = countDescriptors();
  second.passCredentials = true;
  for (const fds of [[], [0], new Array<number>(253).fill(0)]) {
    first.sendSync(bytes('x'), { fds });
    const received = second.receiveSync() as Received;
    assert.equal(received.fds.length, fds.length);
    assert.equal(received.credentials?.pid, process.pid);
    closeAll(received);
    assert.equal(countDescriptors(), before);
  }
});

test('aborts aimed at the arrival lose no descriptor in 10,000 rounds', async (t) => {
  openPoller();
  const { first, second } = pairFor(t);
  const before = countDescriptors();
  let [arrived, aborted] = [0, 0];
  const rounds = 10_000;
  for (let round = 0; round < rounds; round++) {
    const abort = new AbortController();
    const receive = second.receive({ signal: abort.signal });
    const turn = round % 3;
    if (turn === 0) abort.abort();
    first.sendSync(bytes('x'), { fds: [0] });
    if (turn === 1) abort.abort();
    if (turn === 2) setImmediate(() => abort.abort());
    const got = await receive.catch(() => undefined);
    if (got === undefined) aborted++;
    arrived += got?.fds.length ?? 0;
    closeAll(got);
  }
  for (let left = second.tryReceive(); left; left = second.tryReceive()) {
    arrived += left.fds.length;
    closeAll(left);
  }
  assert.ok(aborted > 0 && aborted < rounds);
  assert.equal(arrived, rounds);
  assert.equal(countDescriptors(), before);
});

test('at the limit of descriptors the bytes arrive, the error says what is lost, and nothing leaks', async (t) => {
  const child = startFixture(t, 'unix-receive-at-limit');
  for (let free = 0; free < 3; free++) {
    assert.equal(await child.line(), `${free} free: EMFILE recvmsg data=precious leaked=0`);
  }
  assert.equal(await child.line(), '3 free: received 3 descriptors');
  assert.equal((await child.ended).code, 0);
});

test('ten thousand sends and receives, a tenth of them refused, leave no descriptor', (t) => {
  openPoller();
  const { first, second } = pairFor(t);
  const before = countDescriptors();
  for (let round = 0; round < 10_000; round++) {
    if (round % 10 === 0) {
      assert.throws(() => first.trySend(bytes('x'), { fds: [0, 1 << 20] }), { code: 'EBADF' });
      continue;
    }
    first.sendSync(bytes('x'), { fds: [0, 1] });
    closeAll(second.receiveSync());
  }
  assert.equal(countDescriptors(), before);
});

test('python sends us a descriptor, and takes one from us', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  using listener = stream.listen(path);
  const program = [
    'import os, socket, sys',
    's = socket.socket(socket.AF_UNIX)',
    's.connect(sys.argv[1])',
    'r, w = os.pipe()',
    'socket.send_fds(s, [b"a pipe"], [r])',
    'os.write(w, b"from python")',
    'data, fds, flags, _ = socket.recv_fds(s, 100, 4)',
    'print(data.decode(), len(fds), os.read(fds[0], 100).decode(), flush=True)',
  ].join('\n');
  const child = start(t, 'python3', ['-c', program, path]);
  using socket: StreamSocket = await listener.accept();
  const received = (await socket.receive()) as Received;
  assert.equal(text(received.data), 'a pipe');
  using reader = pipe.readerFromFd(received.fds[0] as number);
  assert.equal(text(await reader.read()), 'from python');
  using ends = pipe.create();
  ends.writer.writeSync(bytes('to python'));
  await socket.send(bytes('yours'), { fds: [ends.reader.handOver()] });
  assert.equal(await child.line(), 'yours 1 to python');
});
