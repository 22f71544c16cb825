/**
 * Round trips over two rings, both sides looking again and again: the parent sends, the child copies the message out
 * and sends it back. Time is taken for groups of 16, as in `bench/c/ring-roundtrip.c`.
 */
import { type RingConsumer, ringConsumer } from '../../src/channel/ring/consumer.js';
import { type RingProducer, ringProducer } from '../../src/channel/ring/producer.js';
import { startOther } from '../support/pair.js';
import { Check, Stock } from '../support/payload.js';
import { now, readOptions, reportRoundTrips, type Work, workArguments } from '../support/report.js';
import { CAPACITY, makeRings, openRing } from './memory.js';

const GROUP = 16;

/** Whole groups, counted and as warm-up. */
function wholeGroups(asked: Work): Work {
  const count = Math.ceil(asked.count / GROUP) * GROUP;
  const warmup = Math.ceil(asked.warmup / GROUP) * GROUP;
  return { ...asked, count, warmup, total: count + warmup };
}

function put(ring: RingProducer, message: Uint8Array): void {
  while (!ring.push(message));
  ring.show();
}

/** Room is given back by eighths of the ring, as the channel does it. */
function take(ring: RingConsumer, message: Uint8Array): void {
  while (ring.popInto(message) < 0);
  if (ring.unreleased() >= CAPACITY >> 3) ring.release();
}

function answer(from: RingConsumer, to: RingProducer, work: Work): void {
  const message = new Uint8Array(new ArrayBuffer(work.size));
  for (let n = 0; n < work.total; n++) {
    take(from, message);
    put(to, message);
  }
}

function ask(to: RingProducer, from: RingConsumer, work: Work, check: Check, samples: Float64Array): void {
  const stock = new Stock(work.size);
  const message = new Uint8Array(new ArrayBuffer(work.size));
  const words = new Int32Array(message.buffer);
  let last = now();
  for (let n = 0; n < work.total; n++) {
    put(to, stock.messages[stock.slot(n)]!);
    stock.renew(n);
    take(from, message);
    check.seeWords(words, 0);
    if (n % GROUP === GROUP - 1) {
      const t = now();
      if (n >= work.warmup) samples[Math.floor((n - work.warmup) / GROUP)] = t - last;
      last = t;
    }
  }
}

async function main(): Promise<void> {
  const { work: asked, text, words } = readOptions(2_000_000);
  const work = wholeGroups(asked);
  if (words[0] === 'answer') {
    const [there, back] = words.slice(1).map(openRing);
    answer(ringConsumer(there!.buffer, CAPACITY), ringProducer(back!.buffer, CAPACITY), work);
    return;
  }
  const { rings, names, descriptors, forget } = makeRings(text('mechanism', 'shm'), 2);
  const [there, back] = rings;
  const other = startOther(import.meta.url, ['answer', ...names, ...workArguments(work)], descriptors);
  const check = new Check(work.size);
  const samples = new Float64Array(work.count / GROUP);
  ask(ringProducer(there!.buffer, CAPACITY), ringConsumer(back!.buffer, CAPACITY), work, check, samples);
  const ended = await other.ended;
  forget();
  reportRoundTrips(work.size, samples, GROUP, ended && check.passed(work.total));
}

await main();
