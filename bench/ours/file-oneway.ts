/**
 * One way through the channel `file:`, through the page cache: the sender appends each message by itself, the receiver
 * follows by asking again until more has come.
 *
 *   --durable 1    each message is on the disk before the next is written
 *   --directory D  where (default: the directory for temporary files)
 */
import { join } from 'node:path';
import * as channel from '../../src/channel/index.js';
import { scratchDirectory, startOther } from '../support/pair.js';
import { Check, Stock } from '../support/payload.js';
import { now, readOptions, reportOneWay, type Work, workArguments } from '../support/report.js';

async function send(url: string, work: Work): Promise<void> {
  await using sender = await channel.sender(url, { coalesce: false });
  const stock = new Stock(work.size);
  for (let n = 0; n < work.total; n++) {
    sender.sendSync(stock.messages[stock.slot(n)]!);
    stock.renew(n);
  }
}

function receive(receiver: channel.Receiver, check: Check, until: number): void {
  let view: DataView = new DataView(new ArrayBuffer(0));
  while (check.count < until) {
    const message = receiver.tryReceive();
    if (message === undefined) continue;
    if (message === null || message.length !== check.size) throw new Error('the end, or a message of another length');
    if (message.buffer !== view.buffer) view = new DataView(message.buffer);
    check.seeView(view, message.byteOffset);
  }
}

async function main(): Promise<void> {
  const { work, text, number, words } = readOptions(500_000);
  if (words[0] === 'send') {
    await send(words[1]!, work);
    return;
  }
  const folder = text('directory', '') || scratchDirectory();
  const path = join(folder, `bench-${process.pid}.log`);
  const url = `file:${path}${number('durable', 0) === 0 ? '' : '?sync'}`;
  await using receiver = await channel.receiver(url, { temporary: true });
  const sender = startOther(import.meta.url, ['send', url, ...workArguments(work)]);
  const check = new Check(work.size);
  receive(receiver, check, work.warmup);
  const start = now();
  receive(receiver, check, work.total);
  const end = now();
  const ended = await sender.ended;
  reportOneWay(work.size, work.count, start, end, ended && check.passed(work.total));
}

await main();
