/**
 * One way through a channel, as users have it: both ends by URL, two event loops.
 *
 *   --scheme shm|posixshm|unix|fifo|mq
 *   --way batch     `trySend` until it says false, then `await send`; received by `drain` (memory) or `batches()`
 *   --way each      `await send` and `for await`, one message a time
 */
import { join } from 'node:path';
import * as channel from '../../src/channel/index.js';
import { scratchDirectory, startOther } from '../support/pair.js';
import { Check, Stock } from '../support/payload.js';
import { now, readOptions, reportOneWay, type Work, workArguments } from '../support/report.js';

function urlOf(scheme: string): string {
  if (scheme === 'shm') return `shm:bench-${process.pid}`;
  if (scheme === 'posixshm' || scheme === 'mq') return `${scheme}:/bench-${process.pid}`;
  if (scheme === 'unix' || scheme === 'fifo') return `${scheme}:${join(scratchDirectory(), 'way')}`;
  throw new RangeError(`--scheme must be shm, posixshm, unix, fifo or mq, not ${scheme}`);
}

async function sendBatches(sender: channel.Sender, work: Work): Promise<void> {
  const stock = new Stock(work.size);
  for (let n = 0; n < work.total; n++) {
    const message = stock.messages[stock.slot(n)]!;
    if (!sender.trySend(message)) await sender.send(message);
    stock.renew(n);
  }
}

async function sendEach(sender: channel.Sender, work: Work): Promise<void> {
  const stock = new Stock(work.size);
  for (let n = 0; n < work.total; n++) {
    await sender.send(stock.messages[stock.slot(n)]!);
    stock.renew(n);
  }
}

/** Looks at messages of which many lie in one buffer. Node 20 takes 12 ns to tell which one that is, so it is asked once. */
class Cuts {
  readonly #check: Check;
  #memory: ArrayBufferLike | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  constructor(check: Check) {
    this.#check = check;
  }

  see(message: Uint8Array): void {
    const memory = message.buffer;
    if (memory !== this.#memory) {
      this.#memory = memory;
      this.#view = new DataView(memory);
    }
    if (message.length !== this.#check.size) throw new Error(`a message of ${message.length} bytes`);
    this.#check.seeView(this.#view, message.byteOffset);
  }
}

/** Receives all; `seen` is called after each message or batch. */
async function receiveEach(receiver: channel.Receiver, check: Check, seen: () => void): Promise<void> {
  const cuts = new Cuts(check);
  for await (const message of receiver) {
    cuts.see(message);
    seen();
  }
}

async function receiveBatches(receiver: channel.Receiver, check: Check, seen: () => void): Promise<void> {
  const cuts = new Cuts(check);
  for await (const batch of receiver.batches()) {
    for (const message of batch) cuts.see(message);
    seen();
  }
}

async function receiveInPlace(receiver: channel.Receiver, check: Check, seen: () => void): Promise<void> {
  let ring: Buffer | undefined;
  let words: Int32Array = new Int32Array(0);
  const visit = (bytes: Buffer, start: number, end: number): void => {
    if (end - start !== check.size) throw new Error(`a message of ${end - start} bytes`);
    if (bytes !== ring) {
      ring = bytes;
      words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    }
    check.seeWords(words, start >> 2);
  };
  while ((await receiver.drain(visit)) !== null) seen();
}

function receiveAs(scheme: string, way: string): typeof receiveEach {
  if (way === 'each') return receiveEach;
  return scheme === 'shm' || scheme === 'posixshm' ? receiveInPlace : receiveBatches;
}

async function main(): Promise<void> {
  const { work, text, words } = readOptions(10_000_000);
  const way = text('way', 'batch');
  if (words[0] === 'send') {
    await using sender = await channel.sender(words[1]!, { temporary: true });
    await (way === 'each' ? sendEach(sender, work) : sendBatches(sender, work));
    return;
  }
  const scheme = text('scheme', 'shm');
  const url = urlOf(scheme);
  startOther(import.meta.url, ['send', url, '--way', way, ...workArguments(work)]);
  await using receiver = await channel.receiver(url, { temporary: true });
  const check = new Check(work.size);
  let start = 0;
  let before = 0;
  let end = 0;
  await receiveAs(scheme, way)(receiver, check, () => {
    if (start === 0 && check.count >= work.warmup) {
      start = now();
      before = check.count;
    }
    if (check.count === work.total) end = now();
  });
  reportOneWay(work.size, check.count - before, start, end, check.passed(work.total));
}

await main();
