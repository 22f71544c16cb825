import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { create } from '../../src/eventfd/index.js';
import * as fifo from '../../src/fifo/index.js';
import * as pipe from '../../src/pipe/index.js';
import { spawn } from '../../src/proc/index.js';
import * as signal from '../../src/signal/index.js';
import { F_DUPFD_CLOEXEC, native } from '../../src/sys/index.js';
import { stream } from '../../src/unix/index.js';
import { flagsOf } from '../support/descriptors.js';
import { limitPendingSignals } from '../support/limits.js';
import { isAlive } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { newFifo } from '../fifo/support.js';

const O_ASYNC = 0o20000;
const POLLIN = 0x41; // POLLIN and POLLRDNORM
const POLLOUT = 0x304; // POLLOUT, POLLWRNORM and POLLWRBAND
const byte = new Uint8Array(1);

function receiver(t: TestContext, sigs: signal.Signals): signal.SignalReceiver {
  const made = signal.open(sigs);
  t.after(() => made.close());
  return made;
}

function pipeFor(t: TestContext): pipe.PipePair {
  const ends = pipe.create();
  t.after(() => ends.close());
  return ends;
}

for (const sig of ['SIGRTMIN+3', 'SIGIO', 'SIGUSR2']) {
  test(`a read end sends ${sig} when something is written, with POLL_IN, its descriptor and the events`, async (t) => {
    const signals = receiver(t, sig);
    const { reader, writer } = pipeFor(t);
    using notice = signal.notify(reader, { sig });
    assert.deepEqual([notice.sig, notice.closed], [sig, false]);
    writer.writeSync(byte);
    const { name, code, fd, band, pid } = await signals.receive();
    // A standard signal that is nobody's in particular is said to come from a descriptor likewise.
    assert.deepEqual([name, code, fd, band, pid], [sig, 'POLL_IN', reader.fd, POLLIN, 0]);
  });
}

test('without sig it is SIGIO, and a handler in JavaScript sees the same', async (t) => {
  const { reader, writer } = pipeFor(t);
  const seen = new Promise<signal.SignalEvent>((resolve) => {
    const handler = signal.handle('SIGIO', resolve);
    t.after(() => handler.close());
  });
  using _notice = signal.notify(reader);
  writer.writeSync(byte);
  const { name, code, fd } = await seen;
  assert.deepEqual([name, code, fd], ['SIGIO', 'POLL_IN', reader.fd]);
});

test('a write end sends it when there is room again, and when the last reader has gone', async (t) => {
  const signals = receiver(t, 'SIGRTMIN+3');
  const { reader, writer } = pipeFor(t);
  while (writer.tryWrite(new Uint8Array(4096)) !== undefined);
  using _notice = signal.notify(writer, { sig: 'SIGRTMIN+3' });
  assert.equal(signals.tryReceive(), undefined, 'a full pipe says nothing');
  reader.readSync();
  const { code, fd, band } = await signals.receive();
  assert.deepEqual([code, fd, band], ['POLL_OUT', writer.fd, POLLOUT]);
  while (signals.tryReceive() !== undefined);
  reader.close();
  assert.equal((await signals.receive()).code, 'POLL_OUT');
  assert.throws(() => writer.tryWrite(byte), { code: 'EPIPE' });
});

test('a reader of a FIFO hears of what is written and of the end, a handle of both sides of either', async (t) => {
  const signals = receiver(t, 'SIGRTMIN+3');
  const path = newFifo(t);
  using reader = fifo.tryOpenReader(path);
  const notice = signal.notify(reader, { sig: 'SIGRTMIN+3' });
  const writer = await fifo.openWriter(path);
  await writer.write(byte);
  assert.equal((await signals.receive()).code, 'POLL_IN');
  while (signals.tryReceive() !== undefined);
  assert.equal(reader.tryRead()?.length, 1);
  writer.close();
  assert.equal((await signals.receive()).code, 'POLL_IN');
  assert.equal(reader.tryRead(), null);
  notice.close();
  using both = fifo.openReadWrite(path);
  while (both.tryWrite(new Uint8Array(4096)) !== undefined);
  while (signals.tryReceive() !== undefined);
  using _notice = signal.notify(both, { sig: 'SIGRTMIN+3' });
  both.readSync();
  assert.equal((await signals.receive()).code, 'POLL_OUT');
  both.writeSync(byte);
  const codes = [signals.tryReceive(), signals.tryReceive()].map((event) => event?.code);
  assert.ok(codes.includes('POLL_IN'), String(codes));
});

test('a socket sends it, too, and what cannot is EOPNOTSUPP and stays as it was', async (t) => {
  const signals = receiver(t, 'SIGRTMIN+3');
  using sockets = stream.pair();
  const { first: one, second: other } = sockets;
  using _notice = signal.notify(one, { sig: 'SIGRTMIN+3' });
  await other.send(byte);
  const { code, fd } = await signals.receive();
  assert.deepEqual([code, fd], ['POLL_IN', one.fd]);
  using counter = create();
  const cannot = { code: 'EOPNOTSUPP', syscall: 'fcntl(F_SETFL)', hint: /pipes, FIFOs, sockets and terminals/ };
  assert.throws(() => signal.notify(counter), cannot);
  counter.add(1);
  assert.equal(await counter.wait(), 1n);
});

test('each write is told by a real-time signal, in order, and what was there before is not told', async (t) => {
  const signals = receiver(t, 'SIGRTMIN+3');
  const { reader, writer } = pipeFor(t);
  writer.writeSync(byte);
  using _notice = signal.notify(reader, { sig: 'SIGRTMIN+3' });
  assert.equal(signals.tryReceive(), undefined);
  for (let round = 0; round < 3; round++) writer.writeSync(byte);
  for (let round = 0; round < 3; round++) assert.equal(signals.tryReceive()?.code, 'POLL_IN');
  assert.equal(signals.tryReceive(), undefined);
});

test('after close() nothing is sent, and the descriptor is as before', async (t) => {
  const signals = receiver(t, 'SIGRTMIN+3');
  const { reader, writer } = pipeFor(t);
  const before = flagsOf(reader.fd);
  const notice = signal.notify(reader, { sig: 'SIGRTMIN+3' });
  assert.equal(flagsOf(reader.fd), before | O_ASYNC);
  assert.equal(inspect(notice), "ReadyNotice { sig: 'SIGRTMIN+3', of: 'the read end of a pipe', closed: false }");
  notice.close();
  notice.close();
  assert.equal(notice.closed, true);
  assert.equal(flagsOf(reader.fd), before);
  writer.writeSync(byte);
  signal.queue(process.pid, 'SIGRTMIN+3', 1); // what must come after it
  assert.equal((await signals.receive()).code, 'SI_QUEUE');
  signal.notify(reader, { sig: 'SIGRTMIN+3' }).close();
});

test('closing the handle ends it, also where a child holds the pipe’s end on', async (t) => {
  const signals = receiver(t, 'SIGRTMIN+3');
  const { reader, writer } = pipeFor(t);
  const notice = signal.notify(reader, { sig: 'SIGRTMIN+3' });
  const child = spawn('sleep', ['1000'], { fds: { 0: reader } });
  t.after(async () => {
    child.kill('SIGKILL');
    await child.wait();
  });
  const { fd } = reader;
  reader.close();
  assert.equal(notice.closed, true);
  const others: pipe.PipePair[] = [];
  do others.push(pipeFor(t));
  while (!others.some((other) => [other.reader.fd, other.writer.fd].includes(fd)) && others.length < 20);
  assert.ok(others.length < 20, 'the number means another pipe now');
  for (const end of [writer, ...others.map((other) => other.writer)]) end.writeSync(byte);
  signal.queue(process.pid, 'SIGRTMIN+3', 1);
  assert.equal((await signals.receive()).code, 'SI_QUEUE');
  notice.close();
  assert.equal(flagsOf(fd) & O_ASYNC, 0);
});

test('it lives through reading and writing, which change the mode of the descriptor', async (t) => {
  const signals = receiver(t, 'SIGRTMIN+3');
  const { reader, writer } = pipeFor(t);
  using _notice = signal.notify(reader, { sig: 'SIGRTMIN+3' });
  const reading = reader.read();
  await writer.write(byte);
  await reading;
  reader.handOver();
  writer.writeSync(byte);
  assert.equal((await signals.receive()).code, 'POLL_IN');
  assert.equal((await signals.receive()).code, 'POLL_IN');
});

const PYTHON = `
import signal, sys
number = signal.SIGRTMIN + 5
signal.pthread_sigmask(signal.SIG_BLOCK, [number, signal.SIGIO])
print('ready', flush=True)
while True:
    info = signal.sigwaitinfo([number, signal.SIGIO])
    print(info.si_signo - signal.SIGRTMIN, info.si_code, info.si_band, flush=True)
`;

test('another process is told, with our number of the descriptor, and so is a process group', async (t) => {
  if (!peer(t, 'python3')) return;
  const python = start(t, 'setsid', ['python3', '-c', PYTHON]);
  assert.equal(await python.line(), 'ready');
  const { reader, writer } = pipeFor(t);
  for (const to of [python.pid, { group: python.pid }]) {
    using _notice = signal.notify(reader, { sig: 'SIGRTMIN+5', to });
    writer.writeSync(byte);
    assert.equal(await python.line(), `5 1 ${POLLIN}`);
  }
});

test('where the receiver’s queue is full a real-time signal becomes a plain SIGIO, which still says to look', async (t) => {
  if (!peer(t, 'python3')) return;
  const python = start(t, 'python3', ['-c', PYTHON]);
  assert.equal(await python.line(), 'ready');
  limitPendingSignals(python.pid, 0);
  const { reader, writer } = pipeFor(t);
  using _notice = signal.notify(reader, { sig: 'SIGRTMIN+5', to: python.pid });
  writer.writeSync(byte);
  const SIGIO = constants.signals.SIGIO - signal.toNumber('SIGRTMIN');
  assert.equal(await python.line(), `${SIGIO} 128 0`); // SI_KERNEL
});

test('one thread is told alone', async (t) => {
  const { reader, writer } = pipeFor(t);
  using _held = signal.hold('SIGRTMIN+3');
  using _notice = signal.notify(reader, { sig: 'SIGRTMIN+3', to: { thread: process.pid } });
  writer.writeSync(byte);
  const { code, fd } = signal.waitSync('SIGRTMIN+3', { timeoutMs: 10_000 });
  assert.deepEqual([code, fd], ['POLL_IN', reader.fd]);
});

test('who is not there is ESRCH, a second notice EBUSY, and what cannot be meant is refused', (t) => {
  const { reader, writer } = pipeFor(t);
  const gone = { code: 'ESRCH', syscall: 'fcntl(F_SETOWN_EX)', hint: /no process, group or thread/ };
  const nobody = 4_000_000; // above pid_max here, or not in use
  assert.equal(isAlive(nobody), false);
  for (const to of [nobody, { group: nobody }, { thread: nobody }]) {
    assert.throws(() => signal.notify(reader, { to }), gone);
    assert.equal(flagsOf(reader.fd) & O_ASYNC, 0);
  }
  {
    using _first = signal.notify(reader, { sig: 'SIGRTMIN+3' });
    assert.throws(() => signal.notify(reader, { sig: 'SIGRTMIN+4' }), {
      code: 'EBUSY',
      object: 'the read end of a pipe',
    });
    using again = pipe.readerFromFd(native().fcntl(reader.fd, F_DUPFD_CLOEXEC, 3));
    assert.throws(() => signal.notify(again), { code: 'EBUSY' }, 'it belongs to all who share the end');
  }
  const wrong: [unknown, string, RegExp][] = [
    [{ to: 0 }, 'ERR_INTERPROC_RANGE', /^to must be a whole number from 1/],
    [{ to: { group: -1 } }, 'ERR_INTERPROC_RANGE', /^to\.group must be/],
    [{ to: { thread: 1.5 } }, 'ERR_INTERPROC_RANGE', /^to\.thread must be/],
    [
      { to: { process: 1 } },
      'ERR_INTERPROC_ARGUMENT',
      /^to must be a pid, \{ group \} or \{ thread \}, got \{ process: 1 \}/,
    ],
    [{ to: null }, 'ERR_INTERPROC_ARGUMENT', /^to must be a pid.*got null/],
    [{ sig: 'SIGOI' }, 'ERR_INTERPROC_NAME', /no signal named "SIGOI"/],
    [{ sgi: 'SIGIO' }, 'ERR_INTERPROC_ARGUMENT', /unknown option 'sgi' \(did you mean sig\?\)/],
  ];
  for (const [options, code, message] of wrong) {
    assert.throws(() => signal.notify(reader, options as signal.NotifyOptions), { code, message });
  }
  assert.throws(() => signal.notify(3 as never), { code: 'ERR_INTERPROC_ARGUMENT', message: /a handle .*, got 3/ });
  writer.close();
  assert.throws(() => signal.notify(writer), { code: 'ERR_INTERPROC_CLOSED' });
});
