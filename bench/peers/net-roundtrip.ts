/** Round trips through Node's own `net` over a Unix socket: one framed message there, the same one back. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { scratchDirectory, startOther } from '../support/pair.js';
import { Check, Stock } from '../support/payload.js';
import { now, readOptions, reportRoundTrips, type Work, workArguments } from '../support/report.js';

function frame(message: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(4 + message.length);
  bytes.writeUInt32LE(message.length, 0);
  message.copy(bytes, 4);
  return bytes;
}

function onFrames(socket: Socket, see: (message: Buffer) => void): void {
  let rest: Buffer | undefined;
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= 4) {
      const size = bytes.readUInt32LE(at);
      if (bytes.length - at - 4 < size) break;
      see(bytes.subarray(at + 4, at + 4 + size));
      at += 4 + size;
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
  });
}

async function ask(socket: Socket, work: Work): Promise<void> {
  const stock = new Stock(work.size);
  const check = new Check(work.size);
  const samples = new Float64Array(work.count);
  let last = 0;
  let sent = 0;
  const next = (): void => {
    socket.write(frame(stock.messages[stock.slot(sent)]!));
    stock.renew(sent++);
  };
  onFrames(socket, (message) => {
    check.seeCut(message, new DataView(message.buffer, message.byteOffset, message.length));
    const t = now();
    if (check.count > work.warmup) samples[check.count - work.warmup - 1] = t - last;
    last = t;
    if (check.count < work.total) next();
    else socket.end();
  });
  last = now();
  next();
  await once(socket, 'close');
  reportRoundTrips(work.size, samples, 1, check.passed(work.total));
}

async function main(): Promise<void> {
  const { work, words } = readOptions(50_000);
  if (words[0] === 'answer') {
    const socket = connect(words[1]!);
    await once(socket, 'connect');
    onFrames(socket, (message) => {
      socket.write(frame(message));
    });
    await once(socket, 'end');
    socket.end();
    return;
  }
  const path = join(scratchDirectory(), 'socket');
  const server = createServer().listen(path);
  await once(server, 'listening');
  startOther(import.meta.url, ['answer', path, ...workArguments(work)]);
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  await ask(socket, work);
}

await main();
