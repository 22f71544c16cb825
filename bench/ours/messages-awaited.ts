/**
 * One way through a datagram or seqpacket socket, as programs that live in the event loop use it: every call is awaited.
 *
 *   --mechanism unixgram|unixpacket
 *   --way each    send() and receive()
 *   --way many    sendMany() and receiveMany(), 32 messages at a time
 */
import { type DatagramSocket, datagram, type SeqpacketSocket, seqpacket } from '../../src/unix/index.js';
import { startOther } from '../support/pair.js';
import { Check, Stock } from '../support/payload.js';
import { now, readOptions, reportOneWay, type Work, workArguments } from '../support/report.js';

const SOCKETS = { unixgram: datagram, unixpacket: seqpacket };
type Socket = DatagramSocket | SeqpacketSocket;

async function sendEach(socket: Socket, { size, total }: Work): Promise<void> {
  const stock = new Stock(size);
  for (let n = 0; n < total; n++) {
    await socket.send(stock.messages[stock.slot(n)]!);
    stock.renew(n);
  }
}

async function sendMany(socket: Socket, { size, total }: Work): Promise<void> {
  const stock = new Stock(size);
  const batch = stock.messages.length;
  for (let n = 0; n < total; n += batch) {
    const count = Math.min(batch, total - n);
    await socket.sendMany(count === batch ? stock.messages : stock.messages.slice(0, count));
    for (let sent = n; sent < n + count; sent++) stock.renew(sent);
  }
}

async function receiveNext(socket: Socket, way: string): Promise<readonly { data: Uint8Array }[]> {
  if (way === 'many') return (await socket.receiveMany()) ?? [];
  const message = await socket.receive();
  return message === null ? [] : [message];
}

async function main(): Promise<void> {
  const { work, text, words } = readOptions(500_000);
  const mechanism = text('mechanism', 'unixgram') as keyof typeof SOCKETS;
  const way = text('way', 'each');
  if (words[0] === 'send') {
    const socket = SOCKETS[mechanism].fromFd(3);
    await (way === 'many' ? sendMany : sendEach)(socket, work);
    socket.close();
    return;
  }
  const { first, second } = SOCKETS[mechanism].pair();
  const args = ['send', '--mechanism', mechanism, '--way', way, ...workArguments(work)];
  const sender = startOther(import.meta.url, args, [second.handOver()]);
  second.close();
  const check = new Check(work.size);
  let start = 0;
  let before = 0;
  while (check.count < work.total) {
    for (const { data } of await receiveNext(first, way)) {
      check.seeView(new DataView(data.buffer, data.byteOffset, data.length), 0);
    }
    if (start === 0 && check.count >= work.warmup) {
      start = now();
      before = check.count;
    }
  }
  const end = now();
  const ended = await sender.ended;
  reportOneWay(work.size, check.count - before, start, end, ended && check.passed(work.total));
}

await main();
