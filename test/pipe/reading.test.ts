import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import * as pipe from '../../src/pipe/index.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (read: Uint8Array | null | undefined): string => new TextDecoder().decode(read ?? undefined);

test('nothing now is undefined, the end is null, in every form', async () => {
  const { reader, writer } = pipe.create();
  const buffer = new Uint8Array(8);
  assert.equal(reader.tryRead(), undefined);
  assert.equal(reader.tryReadInto(buffer), undefined);
  writer.close();
  assert.equal(reader.tryRead(), null);
  assert.equal(reader.tryReadInto(buffer), null);
  assert.equal(reader.readSync(), null);
  assert.equal(reader.readIntoSync(buffer), null);
  assert.equal(await reader.read(), null);
  assert.equal(await reader.readInto(buffer), null);
  reader.close();
});

test('everything that was written before the end is read before it', async () => {
  const { reader, writer } = pipe.create();
  writer.writeSync(bytes('last words'));
  writer.close();
  assert.equal(text(await reader.read({ maxBytes: 4 })), 'last');
  assert.equal(text(await reader.read()), ' words');
  assert.equal(await reader.read(), null);
  reader.close();
});

test('a read that waits gets what comes, in the order of the reads', async () => {
  using ends = pipe.create();
  const first = ends.reader.read({ maxBytes: 3 });
  const second = ends.reader.read({ maxBytes: 3 });
  ends.writer.writeSync(bytes('onetwo'));
  assert.equal(text(await first), 'one');
  assert.equal(text(await second), 'two');
});

test('the end wakes everybody who waits', async () => {
  const { reader, writer } = pipe.create();
  const waits = [reader.read(), reader.readInto(new Uint8Array(1)), reader.read()];
  writer.close();
  assert.deepEqual(await Promise.all(waits), [null, null, null]);
  reader.close();
});

test('maxBytes above 64 KiB reads in one piece what a larger pipe holds', () => {
  using ends = pipe.create({ capacity: 1 << 20 });
  const sent = Uint8Array.from({ length: 300_000 }, (_, index) => index);
  ends.writer.writeSync(sent);
  const read = ends.reader.readSync({ maxBytes: 1 << 20 });
  assert.deepEqual(read, sent);
});

test('what was read is an array of its own', () => {
  using ends = pipe.create();
  ends.writer.writeSync(bytes('first'));
  const first = ends.reader.readSync();
  ends.writer.writeSync(bytes('other'));
  ends.reader.readSync();
  assert.equal(text(first), 'first');
});

test('an abort ends the wait and loses nothing', async () => {
  using ends = pipe.create();
  const abort = new AbortController();
  const read = ends.reader.read({ signal: abort.signal });
  const reason = new Error('enough');
  abort.abort(reason);
  await assert.rejects(read, { name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  ends.writer.writeSync(bytes('still here'));
  assert.equal(text(await ends.reader.read()), 'still here');
  await assert.rejects(ends.reader.read({ signal: abort.signal }), { code: 'ABORT_ERR' });
  assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
});

test('aborts aimed at the arrival lose no byte in 10,000 rounds', async () => {
  using ends = pipe.create();
  const { reader, writer } = ends;
  let received = 0;
  const rounds = 10_000;
  for (let round = 0; round < rounds; round++) {
    const abort = new AbortController();
    const read = reader.read({ signal: abort.signal });
    const turn = round % 3;
    if (turn === 0) abort.abort();
    writer.writeSync(bytes('x'));
    if (turn === 1) abort.abort();
    if (turn === 2) setImmediate(() => abort.abort());
    const got = await read.catch(() => undefined);
    received += got?.length ?? 0;
  }
  assert.equal(received + reader.available, rounds);
});

test('a time-out is ETIMEDOUT after at least the time, in both forms that wait', async () => {
  using ends = pipe.create();
  for (const wait of [() => ends.reader.read({ timeoutMs: 30 }), async () => ends.reader.readSync({ timeoutMs: 30 })]) {
    const before = performance.now();
    await assert.rejects(wait, { code: 'ETIMEDOUT', syscall: 'read' });
    assert.ok(performance.now() - before >= 29.9);
  }
  assert.throws(() => ends.reader.readIntoSync(new Uint8Array(1), { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  await assert.rejects(ends.reader.readInto(new Uint8Array(1), { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
});

test('a wait that is pending at close() rejects', async () => {
  const { reader, writer } = pipe.create();
  const read = reader.read();
  reader.close();
  await assert.rejects(read, { code: 'ERR_INTERPROC_CLOSED', message: /the read end of a pipe is closed/ });
  writer.close();
});

test('the loop over chunks ends with the pipe, and leaving it early leaves the end open', async () => {
  const { reader, writer } = pipe.create();
  writer.writeSync(bytes('one'));
  for await (const chunk of reader) {
    assert.equal(text(chunk), 'one');
    break;
  }
  writer.writeSync(bytes('two'));
  writer.close();
  const rest: string[] = [];
  for await (const chunk of reader) rest.push(text(chunk));
  assert.deepEqual(rest, ['two']);
  reader.close();
});

test('mistakes of the caller are named before anything is read', async () => {
  using ends = pipe.create();
  ends.writer.writeSync(bytes('kept'));
  const { reader } = ends;
  const range = { code: 'ERR_INTERPROC_RANGE' };
  const argument = { code: 'ERR_INTERPROC_ARGUMENT' };
  assert.throws(() => reader.tryRead({ maxBytes: 0 }), range);
  assert.throws(() => reader.readSync({ timeoutMs: Number.NaN }), range);
  assert.throws(() => reader.readSync({ timeoutMs: -1 }), range);
  await assert.rejects(reader.read({ timeoutMs: -1 }), range);
  await assert.rejects(reader.read({ signal: 15 as never }), argument);
  await assert.rejects(reader.read({ timeout: 3 } as never), /unknown option 'timeout'/);
  assert.throws(() => reader.readSync({ signal: undefined } as never), /unknown option 'signal'/);
  assert.throws(() => reader.tryReadInto([] as never), argument);
  assert.throws(() => reader.tryReadInto(null as never), argument);
  assert.throws(() => reader.tryReadInto(new Float64Array(3) as never), argument);
  assert.throws(() => reader.tryReadInto(new Uint8Array(0)), range);
  assert.equal(text(reader.tryRead()), 'kept');
});
