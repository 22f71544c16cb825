import assert from 'node:assert/strict';
import { test } from 'node:test';
import { receiver, type Sender, sender } from '../../src/channel/index.js';
import { F_DUPFD_CLOEXEC, native } from '../../src/sys/index.js';
import * as pipe from '../../src/pipe/index.js';

/** A channel over a pipe of one page, whose reading end we keep to look at the bytes. */
async function overPage(): Promise<{ to: Sender; reader: pipe.PipeReader }> {
  const { reader, writer } = pipe.create({ capacity: 4096 });
  const to = await sender(`fd:${pipeDuplicate(writer)}`);
  writer.close();
  return { to, reader };
}

/** The channel takes its descriptor over, so it gets one of its own. */
function pipeDuplicate(end: pipe.PipeReader | pipe.PipeWriter): number {
  return native().fcntl(end.fd, F_DUPFD_CLOEXEC, 0);
}

async function readExactly(reader: pipe.PipeReader, length: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let have = 0; have < length; ) {
    const part = await reader.read({ maxBytes: Math.min(65536, length - have) });
    assert.ok(part !== null, `the end after ${have} of ${length} bytes`);
    parts.push(part);
    have += part.length;
  }
  return Buffer.concat(parts);
}

test('a long message whose length alone fits into the pipe has its length sent once', async () => {
  for (let room = 1; room <= 8; room++) {
    const { to, reader } = await overPage();
    const filler = Buffer.alloc(4096 - 4 - room, 1);
    await to.send(filler);
    await to.flush();
    const long = Buffer.alloc(70_000, 2);
    long[0] = 9;
    const sending = to.send(long);
    const closing = sending.then(() => to.close());
    const frames = await readExactly(reader, 4 + filler.length + 4 + long.length + 4);
    await closing;
    assert.equal(frames.readUInt32LE(0), filler.length);
    const at = 4 + filler.length;
    assert.equal(frames.readUInt32LE(at), long.length, `with room for ${room} bytes`);
    assert.equal(Buffer.compare(frames.subarray(at + 4, at + 4 + long.length), long), 0);
    assert.equal(frames.readUInt32LE(at + 4 + long.length), 0xffffffff, 'the end mark');
    reader.close();
  }
});

test('messages of every length around the buffer come out whole while the reader is slow', async () => {
  const { reader, writer } = pipe.create({ capacity: 4096 });
  const [to, from] = await Promise.all([
    sender(`fd:${pipeDuplicate(writer)}`, { highWaterMark: 1 << 24 }),
    receiver(`fd:${pipeDuplicate(reader)}`),
  ]);
  writer.close();
  reader.close();
  const lengths = [0, 1, 4091, 4092, 4093, 65531, 65532, 65533, 65535, 65536, 65537, 131072, 200_001, 3, 0, 65532];
  const sending = (async () => {
    for (const [index, length] of lengths.entries()) await to.send(Buffer.alloc(length, index));
    await to.close();
  })();
  for (const [index, length] of lengths.entries()) {
    const message = await from.receive();
    assert.equal(message?.length, length);
    assert.ok(
      message.every((byte) => byte === index),
      `message ${index}`,
    );
  }
  assert.equal(await from.receive(), null);
  await sending;
  await from.close();
});

test('an aborted send of a long message that is under way is sent nevertheless', async () => {
  const { to, reader } = await overPage();
  const controller = new AbortController();
  const long = Buffer.alloc(70_000, 3);
  const sending = to.send(long, { signal: controller.signal });
  const withdrawn = to.send(Buffer.from('never'), { signal: controller.signal });
  controller.abort();
  await assert.rejects(withdrawn, { name: 'AbortError' });
  const frames = readExactly(reader, 4 + long.length + 4);
  await sending;
  await to.close();
  assert.equal((await frames).readUInt32LE(4 + long.length), 0xffffffff);
  reader.close();
});

test('bytes that are not frames are an error that says what would receive them', async () => {
  const { reader, writer } = pipe.create();
  const from = await receiver(`fd:${pipeDuplicate(reader)}`);
  reader.close();
  writer.writeSync(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await assert.rejects(from.receive(), { code: 'EBADMSG', hint: /\?raw/ });
  await assert.rejects(from.receive(), { code: 'EBADMSG' });
  writer.close();
  await from.close();
});

test('raw receives bytes as they are, and ends with the stream', async () => {
  const { reader, writer } = pipe.create();
  const from = await receiver(`fd:${pipeDuplicate(reader)}?raw`);
  reader.close();
  writer.writeSync(Buffer.from('plain text'));
  assert.equal(String(await from.receive()), 'plain text');
  writer.close();
  assert.equal(await from.receive(), null);
  await from.close();
});

test('a descriptor that is neither a pipe nor a socket is refused', async () => {
  await assert.rejects(receiver('fd:999999'), { code: 'EBADF' });
  await assert.rejects(receiver('fd:x'), { code: 'ERR_INTERPROC_URL' });
});
