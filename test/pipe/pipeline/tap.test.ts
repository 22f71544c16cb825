import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as pipe from '../../../src/pipe/index.js';
import * as unix from '../../../src/unix/index.js';
import { countDescriptors, openPoller } from '../../support/descriptors.js';
import { temporaryFolder } from '../../support/folder.js';
import { isAlive, stateOf, until } from '../../support/proc.js';
import { ends, run, started } from './support.js';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('a tap counts exactly what passes, and the bytes arrive as they were', async () => {
  const bytes = randomBytes(5_000_011);
  const running = pipe.pipeline('cat | cat | cat', { input: bytes, output: 'buffer', taps: true });
  const { output, stages } = await running.wait();
  assert.equal(sha256(output as Uint8Array), sha256(bytes));
  assert.deepEqual(
    stages.map(({ bytesOut, countedBy }) => [bytesOut, countedBy]),
    [
      [bytes.length, 'tap'],
      [bytes.length, 'tap'],
      [bytes.length, 'io'],
    ],
  );
  assert.equal(running.edges[0]?.bytes, bytes.length);
  assert.ok((running.edges[1]?.bytesPerSecond ?? 0) > 0);
});

test('a tap counts what the kernel does not: bytes that a stage moves by splice', async (t) => {
  const running = started(t, 'cat | cat', { input: 'pipe', output: 'null', taps: { 0: true } });
  await running.input?.write(new Uint8Array(1000));
  await until('1000 bytes have passed', () => running.edges[0]?.bytes === 1000);
  await running.input?.write(new Uint8Array(1));
  await until('one more has passed', () => running.edges[0]?.bytes === 1001);
  running.input?.close();
  await running.wait();
});

test('a tap gives a copy to a file, a pipe or a socket', async (t) => {
  const bytes = randomBytes(3_000_000);
  const path = join(temporaryFolder(t), 'copy');
  const file = openSync(path, 'w');
  const first = await run('cat | cat', { input: bytes, taps: { 0: { copyTo: file } } });
  closeSync(file);
  assert.equal(sha256(first.output as Uint8Array), sha256(bytes));
  assert.equal(sha256(readFileSync(path)), sha256(bytes));

  const through = pipe.create();
  const pair = unix.stream.pair();
  const running = pipe.pipeline('cat | cat | cat', {
    input: bytes,
    output: 'buffer',
    taps: { 0: { copyTo: through.writer }, 1: { copyTo: pair.first } },
  });
  through.writer.close();
  pair.first.close();
  const copy = async (from: AsyncIterable<Uint8Array>): Promise<string> => {
    const hash = createHash('sha256');
    for await (const chunk of from) hash.update(chunk);
    return hash.digest('hex');
  };
  const [piped, sent, { output }] = await Promise.all([copy(through.reader), copy(pair.second), running.wait()]);
  assert.deepEqual([piped, sent, sha256(output as Uint8Array)], Array(3).fill(sha256(bytes)));
  through.reader.close();
  pair.second.close();
});

test('a copy that nobody reads any more ends alone, and the flow goes on', async () => {
  const bytes = randomBytes(2_000_000);
  const through = pipe.create();
  const running = pipe.pipeline('cat | cat', {
    input: bytes,
    output: 'buffer',
    taps: { 0: { copyTo: through.writer } },
  });
  through.close();
  const { output } = await running.wait();
  assert.equal(sha256(output as Uint8Array), sha256(bytes));
  assert.equal(running.edges[0]?.copyError, 'EPIPE');
});

test('a copy to a full disk ends alone, and says why', async () => {
  const full = openSync('/dev/full', 'w');
  const running = pipe.pipeline('seq 100000 | wc -l', {
    input: 'null',
    output: 'buffer',
    taps: { 0: { copyTo: full } },
  });
  closeSync(full);
  const { output } = await running.wait();
  assert.equal(
    Buffer.from(output as Uint8Array)
      .toString()
      .trim(),
    '100000',
  );
  assert.equal(running.edges[0]?.copyError, 'ENOSPC');
});

test('a copy that is read slowly holds the flow up and loses nothing', async () => {
  const bytes = randomBytes(500_000);
  const through = pipe.create();
  const running = pipe.pipeline('cat | cat', {
    input: bytes,
    output: 'buffer',
    taps: { 0: { copyTo: through.writer } },
  });
  through.writer.close();
  await until('the flow stands', () => (running.edges[0]?.bytes ?? 0) >= 65536 && through.reader.available === 65536);
  assert.ok((running.edges[0]?.bytes ?? 0) <= 4 * 65536);
  const copied: Uint8Array[] = [];
  for await (const chunk of through.reader) copied.push(chunk);
  assert.equal(sha256(Buffer.concat(copied)), sha256(bytes));
  assert.equal(sha256((await running.wait()).output as Uint8Array), sha256(bytes));
  through.reader.close();
});

test('with taps, too, an early end of the last stage ends those before it by SIGPIPE', async () => {
  assert.deepEqual(ends(await run('yes | cat | head -c 4', { taps: true })), ['SIGPIPE', 'SIGPIPE', 0]);
});

test('an abort ends taps, and nothing of them is left', async () => {
  openPoller();
  const before = countDescriptors();
  const stop = new AbortController();
  const running = pipe.pipeline('yes | cat | cat', { output: 'null', taps: true, signal: stop.signal });
  await until('a megabyte has passed', () => (running.edges[1]?.bytes ?? 0) > 1_000_000);
  stop.abort();
  await assert.rejects(running.wait(), { name: 'AbortError' });
  await until('every descriptor is closed', () => countDescriptors() === before);
});

test('what a stage has left behind, with the pipe still open, keeps neither the tap nor the pipeline', async (t) => {
  const { ok, text } = await run("sh -c 'sleep 1000 & echo $!' | head -n 1", { taps: true });
  const left = Number(text);
  t.after(() => process.kill(left, 'SIGKILL'));
  assert.equal(ok, true);
  assert.equal(isAlive(left), true);
});

test('a writer learns at once that the stage behind a tap has gone', async (t) => {
  const running = started(t, 'cat | true', { input: 'pipe', output: 'null', taps: true });
  await until('the second has ended', () => stateOf(running.stages[1]!.pid) === 'Z');
  // As soon as the tap has ended, a byte more ends the first stage; then nobody reads its input either.
  const isBroken = (): boolean => {
    try {
      return running.input?.tryWrite(new Uint8Array(1)) === undefined;
    } catch (why) {
      return (why as NodeJS.ErrnoException).code === 'EPIPE';
    }
  };
  await until('the first has ended', isBroken);
  assert.deepEqual(ends(await running.wait()), ['SIGPIPE', 0]);
  assert.equal(running.edges[0]?.bytes, 0);
});
