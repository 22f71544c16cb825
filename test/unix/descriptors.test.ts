import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as pipe from '../../src/pipe/index.js';
import { type Received, type StreamSocket, stream } from '../../src/unix/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';
import { start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, pairFor, socketPath, text } from './support.js';

const O_CLOEXEC = 0o2000000;

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
