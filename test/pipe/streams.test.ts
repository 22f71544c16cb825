import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import * as pipe from '../../src/pipe/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';

test('streams of Node carry everything and close both ends', async () => {
  openPoller();
  const before = countDescriptors();
  const { reader, writer } = pipe.create();
  const bytes = randomBytes(1_000_000);
  const chunks: Buffer[] = [];
  await Promise.all([
    pipeline(Readable.from([bytes.subarray(0, 700_000), bytes.subarray(700_000)]), writer.toWritable()),
    pipeline(reader.toReadable(), async (source) => {
      for await (const chunk of source) chunks.push(chunk as Buffer);
    }),
  ]);
  assert.deepEqual(Buffer.concat(chunks), bytes);
  assert.ok(reader.closed && writer.closed);
  assert.equal(countDescriptors(), before);
});

test('destroying a stream in the middle of its wait closes the end', async () => {
  const { reader, writer } = pipe.create();
  const readable = reader.toReadable();
  readable.resume();
  const closed = once(readable, 'close');
  readable.destroy();
  await closed;
  assert.ok(reader.closed);
  writer.close();
});

test('a broken pipe is the error of the stream', async () => {
  const { reader, writer } = pipe.create();
  const writable = writer.toWritable();
  reader.close();
  writable.write('text');
  const [why] = await once(writable, 'error');
  assert.equal(why.code, 'EPIPE');
  assert.ok(writer.closed);
});

test('streams of the web carry everything and close both ends', async () => {
  const { reader, writer } = pipe.create();
  const bytes = randomBytes(500_000);
  const writing = (async () => {
    const into = writer.toWebWritable().getWriter();
    await into.write(bytes.subarray(0, 100));
    await into.write(bytes.subarray(100));
    await into.close();
  })();
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader.toWebReadable()) chunks.push(chunk);
  await writing;
  assert.deepEqual(Buffer.concat(chunks), bytes);
  assert.ok(reader.closed && writer.closed);
});

test('cancelling a web stream closes the end', async () => {
  const { reader, writer } = pipe.create();
  await reader.toWebReadable().cancel();
  assert.ok(reader.closed);
  writer.close();
});
