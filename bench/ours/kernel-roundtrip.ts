/**
 * Round trips through two buffers of the kernel, both sides blocking, by the mechanism itself.
 *
 *   --mechanism pipe|fifo|unix|unixgram|unixpacket|mq|msgq
 */
import { startOther } from '../support/pair.js';
import { Check, Stock, stockBytes } from '../support/payload.js';
import { now, readOptions, reportRoundTrips, workArguments } from '../support/report.js';
import { makeWay, openReceive, openSend } from './kernel.js';
import { alignedMemory } from './memory.js';

async function main(): Promise<void> {
  const { work, text, words } = readOptions(100_000);
  const message = new Uint8Array(alignedMemory(work.size));
  if (words[0] === 'answer') {
    const receive = openReceive(words[1]!);
    const send = openSend(words[2]!);
    for (let n = 0; n < work.total; n++) {
      receive(message);
      send(message);
    }
    return;
  }
  const mechanism = text('mechanism', 'pipe');
  const there = makeWay(mechanism, work.size, 'receive', 0);
  const back = makeWay(mechanism, work.size, 'send', 1);
  const descriptors = [there, back].map((way) => way.descriptor).filter((fd) => fd !== undefined);
  const other = startOther(import.meta.url, ['answer', there.name, back.name, ...workArguments(work)], descriptors);
  there.started();
  back.started();
  const send = there.send();
  const receive = back.receive();
  const fields = new Int32Array(message.buffer, 0, work.size >>> 2);
  const stock = new Stock(work.size, alignedMemory(stockBytes(work.size)));
  const check = new Check(work.size);
  const samples = new Float64Array(work.count);
  let last = now();
  for (let n = 0; n < work.total; n++) {
    send(stock.messages[stock.slot(n)]!);
    stock.renew(n);
    receive(message);
    check.seeWords(fields, 0);
    const t = now();
    if (n >= work.warmup) samples[n - work.warmup] = t - last;
    last = t;
  }
  const ended = await other.ended;
  reportRoundTrips(work.size, samples, 1, ended && check.passed(work.total));
}

await main();
