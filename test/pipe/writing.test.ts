import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as pipe from '../../src/pipe/index.js';

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

/** Runs of equal bytes, as [value, length]. */
async function runsOf(reader: pipe.PipeReader): Promise<[number, number][]> {
  const runs: [number, number][] = [];
  for await (const chunk of reader) {
    for (const value of chunk) {
      const last = runs.at(-1);
      if (last?.[0] === value) last[1]++;
      else runs.push([value, 1]);
    }
  }
  return runs;
}

test('writes that are not awaited come out in their order and never mixed, whatever their size', async () => {
  const { reader, writer } = pipe.create();
  const sizes = [100_000, 1, 70_000, 4096, 200_000, 3];
  const writes = sizes.map((size, index) => writer.write(filled(size, index + 1)));
  const read = runsOf(reader);
  await Promise.all(writes);
  writer.close();
  assert.deepEqual(
    await read,
    sizes.map((size, index) => [index + 1, size]),
  );
  reader.close();
});

test('a try or a synchronous write does not overtake one that waits', async () => {
  const { reader, writer } = pipe.create();
  const waiting = writer.write(filled(100_000, 1));
  assert.equal(writer.tryWrite(filled(10, 2)), undefined);
  assert.throws(() => writer.writeSync(filled(10, 2), { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  const read = runsOf(reader);
  await waiting;
  writer.writeSync(filled(10, 3));
  writer.close();
  assert.deepEqual(await read, [
    [1, 100_000],
    [3, 10],
  ]);
  reader.close();
});

test('a try takes what fits, and up to 4096 bytes completely or not at all', () => {
  using ends = pipe.create();
  assert.equal(ends.writer.tryWrite(filled(100_000, 1)), 65_536);
  assert.equal(ends.writer.tryWrite(filled(4096, 2)), undefined);
  ends.reader.readSync({ maxBytes: 4096 });
  assert.equal(ends.writer.tryWrite(filled(4096, 2)), 4096);
});

test('writing nothing succeeds and writes nothing', async () => {
  using ends = pipe.create();
  await ends.writer.write(new Uint8Array(0));
  ends.writer.writeSync(new Uint8Array(0));
  assert.equal(ends.writer.tryWrite(new Uint8Array(0)), 0);
  assert.equal(ends.reader.available, 0);
});

test('an aborted write of which nothing is out is as if never begun', async () => {
  const { reader, writer } = pipe.create();
  writer.writeSync(filled(65_536, 1));
  const abort = new AbortController();
  const given = writer.write(filled(10, 2), { signal: abort.signal });
  const kept = writer.write(filled(10, 3));
  abort.abort();
  await assert.rejects(given, { code: 'ABORT_ERR', bytesWritten: 0 });
  const read = runsOf(reader);
  await kept;
  writer.close();
  assert.deepEqual(await read, [
    [1, 65_536],
    [3, 10],
  ]);
  reader.close();
});

test('of an aborted write whose first byte is out, the rest goes out before anything else', async () => {
  const { reader, writer } = pipe.create();
  const abort = new AbortController();
  const bytes = filled(100_000, 1);
  const given = writer.write(bytes, { signal: abort.signal });
  const later = writer.write(filled(10, 2));
  abort.abort();
  await assert.rejects(given, { code: 'ABORT_ERR', bytesWritten: 65_536 });
  bytes.fill(9); // ours again once the promise has settled
  const read = runsOf(reader);
  await later;
  writer.close();
  assert.deepEqual(await read, [
    [1, 100_000],
    [2, 10],
  ]);
  reader.close();
});

test('the same holds for a time-out, in both forms that wait', async () => {
  const { reader, writer } = pipe.create();
  await assert.rejects(writer.write(filled(70_000, 1), { timeoutMs: 5 }), { code: 'ETIMEDOUT', bytesWritten: 65_536 });
  assert.throws(() => writer.writeSync(filled(10, 2), { timeoutMs: 5 }), { code: 'ETIMEDOUT', bytesWritten: 0 });
  const read = runsOf(reader);
  await writer.write(filled(5, 3));
  writer.close();
  assert.deepEqual(await read, [
    [1, 70_000],
    [3, 5],
  ]);
  reader.close();
});

test('aborts aimed at completion lose and double nothing in 10,000 rounds', async () => {
  using ends = pipe.create({ capacity: 4096 });
  const { reader, writer } = ends;
  let sent = 0;
  let received = 0;
  const drain = (): void => {
    for (let got = reader.tryRead(); got; got = reader.tryRead()) received += got.length;
  };
  for (let round = 0; round < 10_000; round++) {
    sent += writer.tryWrite(filled(4096, 1)) ?? 0;
    const abort = new AbortController();
    const write = writer.write(filled(8, 2), { signal: abort.signal });
    if (round % 2 === 0) abort.abort();
    drain();
    if (round % 2 === 1) setImmediate(() => abort.abort());
    await write.then(
      () => {
        sent += 8;
      },
      (why) => assert.equal(why.code, 'ABORT_ERR'),
    );
    drain();
  }
  assert.equal(received, sent);
});

test('without a reader a write is EPIPE in every form, and the process lives on', async () => {
  const { reader, writer } = pipe.create();
  reader.close();
  const broken = { name: 'IpcError', code: 'EPIPE', errno: -32, syscall: 'write' };
  assert.throws(() => writer.tryWrite(filled(1, 1)), broken);
  assert.throws(() => writer.writeSync(filled(1, 1)), broken);
  await assert.rejects(writer.write(filled(1, 1)), broken);
  writer.close();
});

test('a reader that goes away wakes every write that waits', async () => {
  const { reader, writer } = pipe.create();
  const writes = [writer.write(filled(100_000, 1)), writer.write(filled(1, 2)), writer.write(filled(1, 3))];
  reader.close();
  const ended = await Promise.allSettled(writes);
  assert.deepEqual(
    ended.map((one) => (one.status === 'rejected' ? one.reason.code : one.status)),
    ['EPIPE', 'EPIPE', 'EPIPE'],
  );
  writer.close();
});

test('close() drops what waits, and says so', async () => {
  const { reader, writer } = pipe.create();
  const writes = [writer.write(filled(100_000, 1)), writer.write(filled(1, 2))];
  writer.close();
  for (const write of writes) await assert.rejects(write, { code: 'ERR_INTERPROC_CLOSED' });
  assert.deepEqual(await runsOf(reader), [[1, 65_536]]);
  reader.close();
});

test('mistakes of the caller are named before anything is written', async () => {
  using ends = pipe.create();
  const { writer } = ends;
  const argument = { code: 'ERR_INTERPROC_ARGUMENT' };
  assert.throws(() => writer.tryWrite('text' as never), /bytes must be a Uint8Array \(a Buffer is one\), got 'text'/);
  assert.throws(() => writer.writeSync(undefined as never), argument);
  await assert.rejects(writer.write(new Uint16Array(3) as never), argument);
  await assert.rejects(writer.write(filled(1, 1), { timeoutMs: -1 }), { code: 'ERR_INTERPROC_RANGE' });
  await assert.rejects(writer.write(filled(1, 1), { wait: 1 } as never), /unknown option 'wait'/);
  assert.equal(ends.reader.available, 0);
});
