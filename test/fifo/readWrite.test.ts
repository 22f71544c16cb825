import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { test } from 'node:test';
import { spawn } from '../../src/proc/index.js';
import * as fifo from '../../src/fifo/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { start } from '../support/program.js';
import { bytes, newFifo, text } from './support.js';

test('opening for reading and writing waits for nobody, and what is written is read again', async (t) => {
  using both = fifo.openReadWrite(newFifo(t));
  assert.equal(flagsOf(both.fd) & 3, constants.O_RDWR);
  assert.ok(flagsOf(both.fd) & 0o2000000, 'close-on-exec');
  await both.write(bytes('one'));
  both.writeSync(bytes('two'));
  assert.equal(both.tryWrite(bytes('three')), 5);
  assert.equal(both.available, 11);
  assert.equal(text(await both.read({ maxBytes: 3 })), 'one');
  assert.equal(text(both.readSync({ maxBytes: 3 })), 'two');
  const room = new Uint8Array(2);
  assert.equal(both.tryReadInto(room), 2);
  assert.equal(await both.readInto(room), 2);
  assert.equal(both.readIntoSync(room), 1);
  assert.equal(both.tryRead(), undefined);
});

test('it lets others open either side at once, and never reads the end', async (t) => {
  const path = newFifo(t);
  using both = fifo.openReadWrite(path);
  for (let round = 0; round < 3; round++) {
    const writer = await fifo.openWriter(path);
    await writer.write(bytes(`round ${round}`));
    writer.close();
    assert.equal(text(both.tryRead()), `round ${round}`);
    assert.equal(both.tryRead(), undefined);
    await assert.rejects(both.read({ timeoutMs: 1 }), { code: 'ETIMEDOUT', syscall: 'read', path });
  }
  using reader = await fifo.openReader(path);
  const waiting = reader.read();
  await both.write(bytes('to the other'));
  assert.equal(text(await waiting), 'to the other');
});

test('reads and writes wait on it at once, each for its own side', async (t) => {
  using both = fifo.openReadWrite(newFifo(t));
  const reading = both.read();
  const large = new Uint8Array(200_000).map((_, index) => index % 251);
  const writing = both.write(large);
  const chunks = [await reading];
  for (let read = chunks[0]?.length ?? 0; read < large.length; read += chunks.at(-1)?.length ?? 0) {
    chunks.push(await both.read());
  }
  await writing;
  assert.ok(Buffer.concat(chunks as Uint8Array[]).equals(large));
});

test('an aborted read has taken nothing, and leaving a loop leaves it open', async (t) => {
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  const both = fifo.openReadWrite(path);
  const abort = new AbortController();
  const reading = both.read({ signal: abort.signal });
  abort.abort();
  await assert.rejects(reading, { code: 'ABORT_ERR' });
  both.writeSync(bytes('still there'));
  for await (const chunk of both) {
    assert.equal(text(chunk), 'still there');
    break;
  }
  assert.equal(both.closed, false);
  const pending = both.read();
  both.close();
  await assert.rejects(pending, { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => both.tryWrite(bytes('x')), { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(countDescriptors(), before);
});

test('a child gets it in blocking mode, and both of its directions', async (t) => {
  using both = fifo.openReadWrite(newFifo(t));
  await both.write(bytes('a line\n')); // non-blocking from here on
  const child = spawn('sh', ['-c', 'read line; echo "child: $line"'], { fds: { 0: both, 1: both } });
  assert.equal(flagsOf(both.fd) & constants.O_NONBLOCK, 0);
  assert.equal((await child.wait()).code, 0);
  assert.equal(text(both.readSync()), 'child: a line\n');
});

test('cat reads what it writes, and the shell’s echo writes what it reads', async (t) => {
  const path = newFifo(t);
  using both = fifo.openReadWrite(path);
  const echo = start(t, 'sh', ['-c', 'echo from outside > "$1"', 'sh', path]);
  assert.equal(text(await both.read()), 'from outside\n');
  await echo.ended;
  const cat = start(t, 'cat', [path]);
  await both.write(bytes('from inside\n'));
  assert.equal(await cat.line(), 'from inside');
});
