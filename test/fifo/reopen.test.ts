/** A reader that outlives the last writer. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as fifo from '../../src/fifo/index.js';
import { countDescriptors, openDescriptors, openPoller } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';
import { leastProcessorTimeMs, until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, newFifo, text } from './support.js';

/** A writer that comes, writes this and goes. */
async function visit(path: string, what: string): Promise<void> {
  const writer = await fifo.openWriter(path);
  await writer.write(bytes(what));
  writer.close();
}

const OPENS = {
  openReader: async (path: string) => {
    const [reader] = await Promise.all([fifo.openReader(path, { reopen: true }), visit(path, 'first')]);
    return reader;
  },
  tryOpenReader: async (path: string) => {
    const reader = fifo.tryOpenReader(path, { reopen: true });
    await visit(path, 'first');
    return reader;
  },
};

for (const [name, open] of Object.entries(OPENS)) {
  test(`after the last writer a reader of ${name} with reopen goes on with the next, in every form of reading`, async (t) => {
    const path = newFifo(t);
    using reader = await open(path);
    assert.equal(text(await reader.read()), 'first');
    assert.equal(reader.tryRead(), undefined, 'not the end');
    assert.throws(() => reader.readSync({ timeoutMs: 1 }), { code: 'ETIMEDOUT' });
    const waiting = reader.read();
    await visit(path, 'second');
    assert.equal(text(await waiting), 'second');
    await visit(path, 'third');
    assert.equal(text(reader.readSync()), 'third');
    const room = new Uint8Array(6);
    await visit(path, 'fourth');
    assert.equal(await reader.readInto(room), 6);
    assert.equal(text(room), 'fourth');
  });
}

test('openReaderSync with reopen waits for the first writer, and goes on with the next', async (t) => {
  const path = newFifo(t);
  const worker = new Worker(new URL('../fixtures/fifo-reader.js', import.meta.url), {
    workerData: { path, reopen: true, until: 'second' },
  });
  const told = once(worker, 'message');
  await visit(path, 'first ');
  await visit(path, 'second');
  assert.deepEqual(await told, ['first second']);
});

test('what several writers left who are gone stands there, in their order, when it is read', async (t) => {
  const path = newFifo(t);
  using reader = fifo.tryOpenReader(path, { reopen: true });
  for (const what of ['one ', 'two ', 'three']) await visit(path, what);
  assert.equal(text(reader.tryRead()), 'one two three');
  assert.equal(reader.tryRead(), undefined);
});

test('without a writer it still waits for the first one to open, or for its time', async (t) => {
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  await assert.rejects(fifo.openReader(path, { reopen: true, timeoutMs: 5 }), { code: 'ETIMEDOUT', path });
  assert.throws(() => fifo.openReaderSync(path, { reopen: true, timeoutMs: 5 }), { code: 'ETIMEDOUT', path });
  assert.equal(fifo.tryOpenWriter(path), undefined, 'nobody is left who reads');
  assert.equal(countDescriptors(), before);
});

test('the write end is that of the FIFO that was opened, also when its name is gone by then or means another', async (t) => {
  const path = newFifo(t);
  using first = fifo.tryOpenReader(path, { reopen: true });
  fifo.unlink(path);
  fifo.create(path);
  assert.equal(fifo.tryOpenWriter(path), undefined, 'nobody reads the new one');
  assert.equal(first.tryRead(), undefined, 'not the end');
  const held = [...openDescriptors().values()].filter((target) => target === `${path} (deleted)`);
  assert.equal(held.length, 2);
});

test('closing it closes its write end, too, and a writer then learns that nobody reads', async (t) => {
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  const reader = fifo.tryOpenReader(path, { reopen: true });
  using writer = await fifo.openWriter(path);
  const reading = reader.read();
  reader.close();
  await assert.rejects(reading, { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => writer.writeSync(bytes('x')), { code: 'EPIPE' });
  writer.close();
  assert.equal(countDescriptors(), before);
});

test('without it, a reader that is opened before the one at its end is closed gets what was written between, and its own end', async (t) => {
  const path = newFifo(t);
  const readers = [fifo.tryOpenReader(path)];
  for (let round = 0; round < 3; round++) {
    await visit(path, `round ${round}`);
    const ended = readers.pop() as fifo.PipeReader;
    assert.equal(text(await ended.read()), `round ${round}`);
    assert.equal(await ended.read(), null);
    if (round === 1) await visit(path, 'between '); // while only the one at its end is open
    readers.push(fifo.tryOpenReader(path));
    ended.close();
    if (round === 1) assert.equal(text(readers[0]?.tryRead()), 'between ');
    assert.equal(readers[0]?.tryRead(), undefined, 'not the end, but the wait for a writer');
  }
  readers[0]?.close();
});

test('as a stream it goes on, too, until it is destroyed', async (t) => {
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  const stream = fifo.tryOpenReader(path, { reopen: true }).toReadable();
  const chunks: string[] = [];
  for (const what of ['one', 'two', 'three']) {
    const arrived = once(stream, 'data');
    await visit(path, what);
    chunks.push(text((await arrived)[0]));
  }
  assert.deepEqual(chunks, ['one', 'two', 'three']);
  assert.equal(stream.readableEnded, false);
  stream.destroy();
  await once(stream, 'close');
  assert.equal(countDescriptors(), before);
});

test('1,000 writers, each a process of its own, come and go one after the other, and no byte is lost', async (t) => {
  const path = newFifo(t);
  // Each writes its number between 1 and 200 times, so that what one left and what the next brings meet in every way.
  const program = `
    number=1
    while [ $number -le 1000 ]; do
      sh -c 'yes "writer $1" | head -n $(($1 % 200 + 1)) > "$2"' sh $number "$1"
      number=$((number + 1))
    done`;
  using reader = fifo.tryOpenReader(path, { reopen: true, owner: 'self' });
  const writers = start(t, 'sh', ['-c', program, 'sh', path]);
  const expected = createHash('sha256');
  let size = 0;
  for (let number = 1; number <= 1000; number++) {
    const lines = `writer ${number}\n`.repeat((number % 200) + 1);
    expected.update(lines);
    size += lines.length;
  }
  const found = createHash('sha256');
  let reads = 0;
  for (let left = size; left > 0; reads++) {
    const chunk = await reader.read({ maxBytes: 1 + ((reads * 7919) % 4096), timeoutMs: 60_000 });
    assert.ok(chunk, 'the end never comes');
    found.update(chunk);
    left -= chunk.length;
    assert.ok(left >= 0, `${-left} bytes too many`);
  }
  assert.equal(found.digest('hex'), expected.digest('hex'));
  assert.equal((await writers.ended).code, 0, writers.errors());
  assert.equal(reader.tryRead(), undefined);
  t.diagnostic(`${size} bytes in ${reads} reads`);
});

test('a writer that is killed in the middle takes nothing with it that it had written', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = newFifo(t);
  using reader = fifo.tryOpenReader(path, { reopen: true });
  for (let round = 0; round < 5; round++) {
    const script = `import os, sys, time\nfd = os.open(sys.argv[1], os.O_WRONLY)\nos.write(fd, b'x' * 5000)\nprint('written', flush=True)\ntime.sleep(1000)`;
    const writer = start(t, 'python3', ['-c', script, path]);
    await writer.line();
    await killed(writer);
    assert.equal((await reader.read())?.length, 5000);
    assert.equal(reader.tryRead(), undefined);
  }
});

test('between two writers it waits without a thread, in less than 1 % of a processor', async (t) => {
  const path = join(temporaryFolder(t), 'f');
  const child = startFixture(t, 'fifo-server', [path]);
  assert.equal(await child.line(), 'open');
  await visit(path, 'first\n');
  assert.equal(await child.line(), 'first');
  const threads = readFileSync(`/proc/${child.pid}/status`, 'utf8').match(/^Threads:\s+(\d+)/m)?.[1];
  const used = await leastProcessorTimeMs(child.pid, 21, () => start(t, 'sleep', ['2']).ended);
  assert.ok(used <= 20, `${used} ms of 2000`);
  assert.equal(readFileSync(`/proc/${child.pid}/status`, 'utf8').match(/^Threads:\s+(\d+)/m)?.[1], threads);
  await visit(path, 'second\n');
  assert.equal(await child.line(), 'second');
  child.say('stop');
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
  await until('the server has removed its name', () => !existsSync(path));
});
