/**
 * One way through a buffer of the kernel, one message for each blocking call, by the mechanism itself.
 *
 *   --mechanism pipe|fifo|unix|unixgram|unixpacket|mq|msgq
 */
import { startOther } from '../support/pair.js';
import { Check, Stock, stamp, stockBytes } from '../support/payload.js';
import { now, readOptions, reportOneWay, workArguments } from '../support/report.js';
import { makeWay, openSend, type Receive } from './kernel.js';
import { alignedMemory } from './memory.js';

function receiveUntil(receive: Receive, check: Check, message: Uint8Array, words: Int32Array, until: number): void {
  while (check.count < until) {
    receive(message);
    check.seeWords(words, 0);
  }
}

async function main(): Promise<void> {
  const { work, text, words } = readOptions(1_000_000);
  if (words[0] === 'send') {
    const send = openSend(words[1]!);
    // One array is sent again and again, as who allocates nothing does it.
    const [message] = new Stock(work.size, alignedMemory(stockBytes(work.size))).messages;
    const fields = new Int32Array(message!.buffer, 0, work.size >>> 2);
    for (let n = 0; n < work.total; n++) {
      stamp(fields, n);
      send(message!);
    }
    return;
  }
  const way = makeWay(text('mechanism', 'pipe'), work.size, 'send', 0);
  const descriptors = way.descriptor === undefined ? [] : [way.descriptor];
  const sender = startOther(import.meta.url, ['send', way.name, ...workArguments(work)], descriptors);
  way.started();
  const receive = way.receive();
  const message = new Uint8Array(alignedMemory(work.size));
  const fields = new Int32Array(message.buffer, 0, work.size >>> 2);
  const check = new Check(work.size);
  receiveUntil(receive, check, message, fields, work.warmup);
  const start = now();
  receiveUntil(receive, check, message, fields, work.total);
  const end = now();
  const ended = await sender.ended;
  reportOneWay(work.size, work.count, start, end, ended && check.passed(work.total));
}

await main();
