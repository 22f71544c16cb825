import assert from 'node:assert/strict';
import { pbkdf2 } from 'node:crypto';
import { lookup } from 'node:dns';
import { getEventListeners, once } from 'node:events';
import { readFile, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import * as fifo from '../../src/fifo/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';
import { leastProcessorTimeMs, stateOf, syscallOf, threadsOf, until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { steadyClock } from '../support/standstill.js';

const SYS_OPENAT = process.arch === 'x64' ? 257 : 56;

function newFifo(t: TestContext, name = 'f'): string {
  const path = join(temporaryFolder(t), name);
  fifo.create(path);
  return path;
}

/** How many threads of a process sleep in open(2). */
function opening(pid: number): number {
  return threadsOf(pid).filter((thread) => stateOf(pid, thread) === 'S' && syscallOf(pid, thread) === SYS_OPENAT)
    .length;
}

test('sixteen FIFOs opened for reading with no writer hold up neither fs, dns nor crypto, and each can be aborted', async (t) => {
  openPoller();
  const folder = temporaryFolder(t);
  const before = countDescriptors();
  const abort = new AbortController();
  const opens = Array.from({ length: 16 }, (_, index) => {
    const path = join(folder, `f${index}`);
    fifo.create(path);
    return fifo.openReader(path, { signal: abort.signal });
  });
  const settled = Promise.allSettled(opens);
  await until('all sixteen wait in open(2)', () => opening(process.pid) === 16);
  t.after(() => abort.abort()); // so that a failure here is one
  // What is measured is whether the pool's threads are free, so the quickest of a few counts: their first use loads
  // things, and another program may have the processor for a while. Were the threads taken, none would be answered.
  const questions = {
    'fs.readFile': () => promisify(readFile)('/proc/self/status'),
    'dns.lookup': () => promisify(lookup)('localhost').catch(() => {}),
    'crypto.pbkdf2': () => promisify(pbkdf2)('secret', 'salt', 1, 16, 'sha256'),
  };
  for (const [name, ask] of Object.entries(questions)) {
    let quickest = Infinity;
    for (let round = 0; round < 5; round++) {
      const began = performance.now();
      await ask();
      quickest = Math.min(quickest, performance.now() - began);
    }
    assert.ok(quickest < 50, `${name} took ${quickest} ms`);
  }
  abort.abort();
  for (const one of await settled) {
    assert.equal(one.status, 'rejected');
    assert.equal(one.reason.code, 'ABORT_ERR');
  }
  assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
  assert.equal(countDescriptors(), before);
});

test('each of several opens is aborted alone', async (t) => {
  const path = newFifo(t);
  const aborts = [1, 2, 3].map(() => new AbortController());
  const opens = aborts.map(({ signal }) => fifo.openWriter(path, { signal }));
  await until('all three wait in open(2)', () => opening(process.pid) === 3);
  aborts[1]?.abort();
  await assert.rejects(opens[1] as Promise<unknown>, { code: 'ABORT_ERR' });
  assert.equal(opening(process.pid), 2);
  const reader = fifo.tryOpenReader(path);
  for (const open of [opens[0], opens[2]]) (await open)?.close();
  reader.close();
});

test('process.exit() with sixteen opens pending exits', async (t) => {
  const folder = temporaryFolder(t);
  const child = startFixture(t, 'fifo-sixteen', [folder]);
  assert.equal(await child.line(), 'all wait');
  child.say('exit');
  assert.deepEqual(await child.ended, { code: 7, signal: null }, child.errors());
});

test('a time-out ends an open after at least the time, in both forms that wait', async (t) => {
  const clock = await steadyClock(t);
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  const late = { code: 'ETIMEDOUT', syscall: 'open', path };
  const waits = [
    () => fifo.openReader(path, { timeoutMs: 40 }),
    () => fifo.openWriter(path, { timeoutMs: 40 }),
    async () => fifo.openReaderSync(path, { timeoutMs: 40 }),
    async () => fifo.openWriterSync(path, { timeoutMs: 40 }),
  ];
  for (const wait of waits) {
    const [began, steadily] = [performance.now(), clock()];
    await assert.rejects(wait, late);
    const took = performance.now() - began;
    assert.ok(took >= 39.9 && clock() - steadily < 2000, `${took} ms`);
  }
  await assert.rejects(fifo.openReader(path, { timeoutMs: -1 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => fifo.openReaderSync(path, { timeoutMs: Number.NaN }), { code: 'ERR_INTERPROC_RANGE' });
  assert.equal(countDescriptors(), before);
});

test('aborts aimed at the arrival of the writer leave no descriptor in 300 rounds', async (t) => {
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  let delivered = 0;
  for (let round = 0; round < 300; round++) {
    const abort = new AbortController();
    const open = fifo.openReader(path, { signal: abort.signal });
    const writing = until('the reader is there, or gone', () => {
      const writer = fifo.tryOpenWriter(path);
      if (writer !== undefined) abort.abort();
      return writer ?? abort.signal.aborted;
    });
    if (round % 2 === 0) setImmediate(() => abort.abort());
    const reader = await open.catch((why) => assert.equal(why.code, 'ABORT_ERR'));
    if (reader) delivered++;
    reader?.close();
    const writer = await writing;
    if (writer instanceof fifo.PipeWriter) writer.close();
  }
  assert.ok(delivered > 0, 'an open that had succeeded is delivered');
  assert.equal(countDescriptors(), before);
});

for (const kind of ['openReader', 'openReaderSync', 'openWriter', 'openWriterSync']) {
  test(`a worker is terminated in the middle of ${kind}`, async (t) => {
    const before = countDescriptors();
    const worker = new Worker(new URL('../fixtures/waits.js', import.meta.url), {
      workerData: { kind: `fifo.${kind}` },
    });
    worker.on('message', (said) => {
      if (typeof said === 'object') t.after(() => rmSync(said.folder, { recursive: true, force: true }));
    });
    await until('the worker waits in open(2)', () => opening(process.pid) === 1);
    await worker.terminate();
    await until('no thread opens any more', () => opening(process.pid) === 0);
    await until('the descriptors are back', () => countDescriptors() <= before);
  });
}

test('while opens wait for five seconds, less than 1 % of a processor is used', async (t) => {
  const folder = temporaryFolder(t);
  const child = startFixture(t, 'fifo-sixteen', [folder]);
  assert.equal(await child.line(), 'all wait');
  const used = await leastProcessorTimeMs(child.pid, 50, () => start(t, 'sleep', ['5']).ended);
  assert.ok(used < 50, `${used} ms of 5000`);
  child.say('exit');
  await child.ended;
});

test('cat writes and reads through the FIFO, and is gone with it', async (t) => {
  if (!peer(t, 'cat')) return;
  const path = newFifo(t);
  const writing = start(t, 'sh', ['-c', `echo from outside > ${path}`]);
  using reader = await fifo.openReader(path);
  assert.equal(Buffer.from((await reader.read()) as Uint8Array).toString(), 'from outside\n');
  assert.equal(await reader.read(), null);
  await writing.ended;
  const reading = start(t, 'cat', [path]);
  const writer = await fifo.openWriter(path);
  await writer.write(Buffer.from('from inside\n'));
  assert.equal(await reading.line(), 'from inside');
  writer.close();
  assert.equal((await reading.ended).code, 0);
});

test('a python reader that is killed is EPIPE for the writer, and the next reader gets what it left, then what is new', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = newFifo(t);
  const program = `import time\nf = open(${JSON.stringify(path)}, 'rb')\ntime.sleep(1000)`;
  const reading = start(t, 'python3', ['-c', program]);
  using writer = await fifo.openWriter(path);
  const waiting = assert.rejects(writer.write(new Uint8Array(1_000_000)), { code: 'EPIPE' });
  await killed(reading);
  await waiting;
  using next = fifo.tryOpenReader(path);
  const again = writer.write(Buffer.from('again'));
  assert.deepEqual(next.readSync(), new Uint8Array(65_536));
  await again;
  assert.equal(Buffer.from((await next.read()) as Uint8Array).toString(), 'again');
});

test('a worker that blocks in openReaderSync gets the FIFO when a writer comes', async (t) => {
  const path = newFifo(t);
  const worker = new Worker(new URL('../fixtures/fifo-reader.js', import.meta.url), { workerData: { path } });
  const told = once(worker, 'message');
  using writer = await fifo.openWriter(path);
  await writer.write(Buffer.from('for the worker'));
  writer.close();
  assert.deepEqual(await told, ['for the worker']);
});
