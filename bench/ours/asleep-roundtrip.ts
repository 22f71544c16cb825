/**
 * Round trips between two event loops that sleep until the message comes.
 *
 *   --way channel   `await send` and `await receive` of a two-way channel `shm:` with `?spin=0` (default)
 *   --way raw       the same rings, eventfds and loops without the channel: what its promises cost is the difference
 */

import * as channel from '../../src/channel/index.js';
import { type RingConsumer, ringConsumer } from '../../src/channel/ring/consumer.js';
import { type RingProducer, ringProducer } from '../../src/channel/ring/producer.js';
import { EventfdWakeup } from '../../src/channel/ring/wakeup.js';
import { keepAlive, letGo } from '../../src/core/loop.js';
import * as eventfd from '../../src/eventfd/index.js';
import { startOther } from '../support/pair.js';
import { Check, Stock } from '../support/payload.js';
import { now, readOptions, reportRoundTrips, type Work, workArguments } from '../support/report.js';
import { CAPACITY, makeRings, openRing } from './memory.js';

async function answer(url: string, work: Work): Promise<void> {
  await using connection = await channel.connect(url);
  const { sender, receiver } = connection;
  for (let n = 0; n < work.total; n++) {
    const message = await receiver.receive();
    if (message === null) throw new Error('the other side ended');
    await sender.send(message);
  }
  await receiver.receive();
}

async function ask(url: string, work: Work, check: Check, samples: Float64Array, start: () => void): Promise<void> {
  await using listener = await channel.listen(url);
  start();
  await using connection = await listener.accept();
  const { sender, receiver } = connection;
  const stock = new Stock(work.size);
  let last = now();
  for (let n = 0; n < work.total; n++) {
    await sender.send(stock.messages[stock.slot(n)]!);
    stock.renew(n);
    const message = await receiver.receive();
    if (message === null) throw new Error('the other side ended');
    check.seeWords(new Int32Array(message.buffer, message.byteOffset, message.length >> 2), 0);
    const t = now();
    if (n >= work.warmup) samples[n - work.warmup] = t - last;
    last = t;
  }
}

/** One side without the channel: `visit` is called for each message that comes. */
class RawSide {
  readonly #to: RingProducer;
  readonly #from: RingConsumer;
  readonly #wakeup: EventfdWakeup;
  readonly #message: Uint8Array;

  constructor(to: ArrayBuffer, from: ArrayBuffer, wakeup: EventfdWakeup, message: Uint8Array) {
    this.#to = ringProducer(to, CAPACITY);
    this.#from = ringConsumer(from, CAPACITY);
    this.#wakeup = wakeup;
    this.#message = message;
  }

  put(message: Uint8Array): void {
    while (!this.#to.push(message));
    if (this.#to.publish()) this.#wakeup.ringPeer();
  }

  each(visit: () => void): void {
    const come = (): void => {
      do {
        while (this.#from.popInto(this.#message) >= 0) {
          this.#from.release();
          visit();
        }
      } while (!this.#from.sleep());
    };
    this.#wakeup.listen(come);
    come();
  }
}

function answerRaw(names: readonly string[], work: Work): void {
  const [there, back] = names.map(openRing);
  const message = new Uint8Array(new ArrayBuffer(work.size));
  const wakeup = new EventfdWakeup(5, 6);
  const side = new RawSide(back!.buffer, there!.buffer, wakeup, message);
  let left = work.total;
  keepAlive();
  side.each(() => {
    side.put(message);
    if (--left > 0) return;
    letGo();
    wakeup.close();
  });
}

async function askRaw(work: Work, check: Check, samples: Float64Array): Promise<boolean> {
  const { rings, names, descriptors, forget } = makeRings('shm', 2);
  const toAnswer = eventfd.create();
  const toAsk = eventfd.create();
  const args = ['answer', ...names, '--way', 'raw', ...workArguments(work)];
  const other = startOther(import.meta.url, args, [...descriptors, toAnswer.fd, toAsk.fd]);
  const message = new Uint8Array(new ArrayBuffer(work.size));
  const words = new Int32Array(message.buffer);
  const side = new RawSide(rings[0]!.buffer, rings[1]!.buffer, new EventfdWakeup(toAsk.fd, toAnswer.fd), message);
  const stock = new Stock(work.size);
  let last = now();
  const next = (): void => {
    side.put(stock.messages[stock.slot(check.count)]!);
    stock.renew(check.count);
  };
  side.each(() => {
    check.seeWords(words, 0);
    const t = now();
    if (check.count > work.warmup) samples[check.count - work.warmup - 1] = t - last;
    last = t;
    if (check.count < work.total) next();
  });
  next();
  const ended = await other.ended;
  forget();
  return ended;
}

async function main(): Promise<void> {
  const { work, text, words } = readOptions(60_000);
  const way = text('way', 'channel');
  if (words[0] === 'answer') {
    if (way === 'raw') answerRaw(words.slice(1), work);
    else await answer(words[1]!, work);
    return;
  }
  const check = new Check(work.size);
  const samples = new Float64Array(work.count);
  let ended = true;
  if (way === 'raw') {
    ended = await askRaw(work, check, samples);
  } else {
    const url = `shm:bench-${process.pid}?spin=0`;
    await ask(url, work, check, samples, () => {
      startOther(import.meta.url, ['answer', url, ...workArguments(work)]);
    });
  }
  reportRoundTrips(work.size, samples, 1, ended && check.passed(work.total));
}

await main();
