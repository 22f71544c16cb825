/**
 * Node's own streams, with a 32-bit length before each message.
 *
 *   --over net    `net` over a Unix socket (default)
 *   --over stdio  the standard output of a child of child_process, which Node calls a pipe
 *
 *   --way each    as users write it: one socket.write for each message; frames cut out with Buffer.subarray
 *   --way batch   by hand: frames gathered into writes of 64 KiB, and read where they lie
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { scratchDirectory, startOther } from '../support/pair.js';
import { Check, Stock } from '../support/payload.js';
import { now, readOptions, reportOneWay, type Work, workArguments } from '../support/report.js';

const BATCH = 65536;

async function sendEach(socket: Writable, work: Work): Promise<void> {
  const stock = new Stock(work.size);
  for (let n = 0; n < work.total; n++) {
    const frame = Buffer.allocUnsafe(4 + work.size);
    frame.writeUInt32LE(work.size, 0);
    stock.messages[stock.slot(n)]!.copy(frame, 4);
    stock.renew(n);
    if (!socket.write(frame)) await once(socket, 'drain');
  }
}

async function sendBatches(socket: Writable, work: Work): Promise<void> {
  const stock = new Stock(work.size);
  const frameWords = 1 + work.size / 4;
  const perBatch = Math.max(1, Math.floor(BATCH / 4 / frameWords));
  for (let n = 0; n < work.total; ) {
    const until = Math.min(n + perBatch, work.total);
    const batch = new Int32Array((until - n) * frameWords);
    for (let at = 0; n < until; n++) {
      const message = stock.words[stock.slot(n)]!;
      batch[at++] = work.size;
      for (let i = 0; i < message.length; i++) batch[at++] = message[i]!;
      stock.renew(n);
    }
    if (!socket.write(Buffer.from(batch.buffer))) await once(socket, 'drain');
  }
}

/** Cuts a chunk into frames and returns what is left of it: the beginning of a frame that has not come as a whole. */
type Cut = (bytes: Buffer, check: Check) => Buffer;

function cutFrames(bytes: Buffer, check: Check): Buffer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (bytes.length - at >= 4) {
    const size = bytes.readUInt32LE(at);
    if (bytes.length - at - 4 < size) break;
    check.seeCut(bytes.subarray(at + 4, at + 4 + size), view);
    at += 4 + size;
  }
  return bytes.subarray(at);
}

function readInPlace(bytes: Buffer, check: Check): Buffer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (bytes.length - at >= 4) {
    const size = view.getUint32(at, true);
    if (bytes.length - at - 4 < size) break;
    if (size !== check.size) throw new Error(`a frame of ${size} bytes`);
    check.seeView(view, at + 4);
    at += 4 + size;
  }
  return bytes.subarray(at);
}

async function receive(stream: Readable, work: Work, cut: Cut): Promise<void> {
  const check = new Check(work.size);
  let rest: Buffer | undefined;
  let start = 0;
  let before = 0;
  let end = 0;
  stream.on('data', (chunk: Buffer) => {
    const left = cut(rest === undefined ? chunk : Buffer.concat([rest, chunk]), check);
    rest = left.length > 0 ? left : undefined;
    if (start === 0 && check.count >= work.warmup) {
      start = now();
      before = check.count;
    }
    if (check.count === work.total) end = now();
  });
  await once(stream, 'end');
  reportOneWay(work.size, check.count - before, start, end, check.passed(work.total));
}

async function main(): Promise<void> {
  const { work, text, words } = readOptions(1_000_000);
  const way = text('way', 'each');
  const cut = way === 'each' ? cutFrames : readInPlace;
  if (words[0] === 'send') {
    const goal = words[1] === 'stdout' ? process.stdout : connect(words[1]!);
    if (goal !== process.stdout) await once(goal, 'connect');
    await (way === 'each' ? sendEach(goal, work) : sendBatches(goal, work));
    goal.end();
    return;
  }
  if (text('over', 'net') === 'stdio') {
    const args = [fileURLToPath(import.meta.url), 'send', 'stdout', '--way', way, ...workArguments(work)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    process.once('exit', () => child.kill('SIGKILL'));
    await receive(child.stdout, work, cut);
    return;
  }
  const path = join(scratchDirectory(), 'socket');
  const server = createServer().listen(path);
  await once(server, 'listening');
  startOther(import.meta.url, ['send', path, '--way', way, ...workArguments(work)]);
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  await receive(socket, work, cut);
  socket.end();
}

await main();
