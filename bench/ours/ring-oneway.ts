/**
 * One way through the ring, without the channel: both sides look again and again, and none calls the kernel.
 *
 *   --mechanism shm|posixshm   where the memory comes from
 *   --publish N                the producer publishes after every N messages (default 1)
 *   --mode copy|place          copied in and out (default), or its fields written and read in the ring as 32-bit integers
 */
import { type RingConsumer, ringConsumer } from '../../src/channel/ring/consumer.js';
import { type RingProducer, ringProducer } from '../../src/channel/ring/producer.js';
import type { Mapping } from '../../src/mmap/index.js';
import { startOther } from '../support/pair.js';
import { Check, type SmallCheck, Stock, smallCheck, stamp } from '../support/payload.js';
import { now, readOptions, reportOneWay, type Work, workArguments } from '../support/report.js';
import { CAPACITY, makeRings, openRing } from './memory.js';

const MIX = 0x9e3779b1 | 0;
const rested = new Int32Array(1);

/** One array is sent again and again, as who allocates nothing does it. A block is the stock of a single message. */
function sendCopied(ring: RingProducer, work: Work, publish: number): void {
  const [message] = new Stock(work.size).messages;
  const words = new Int32Array(message!.buffer, 0, work.size >>> 2);
  let left = publish;
  for (let n = 0; n < work.total; n++) {
    stamp(words, n);
    if (!ring.push(message!)) {
      ring.show();
      while (!ring.push(message!));
    }
    if (--left === 0) {
      ring.show();
      left = publish;
    }
  }
  ring.show();
}

function sendInPlace(ring: RingProducer, words: Int32Array, work: Work, publish: number): void {
  if (work.size !== 64) throw new RangeError('--mode place is for messages of 64 bytes');
  let left = publish;
  for (let n = 0; n < work.total; n++) {
    let at = ring.claim(64);
    if (at < 0) {
      ring.show();
      do at = ring.claim(64);
      while (at < 0);
    }
    const field = at >> 2;
    words[field] = n;
    words[field + 1] = MIX;
    words[field + 2] = Math.imul(2, MIX);
    words[field + 3] = Math.imul(3, MIX);
    words[field + 4] = Math.imul(4, MIX);
    words[field + 5] = Math.imul(5, MIX);
    words[field + 6] = Math.imul(6, MIX);
    words[field + 7] = Math.imul(7, MIX);
    words[field + 8] = Math.imul(8, MIX);
    words[field + 9] = Math.imul(9, MIX);
    words[field + 10] = Math.imul(10, MIX);
    words[field + 11] = Math.imul(11, MIX);
    words[field + 12] = Math.imul(12, MIX);
    words[field + 13] = Math.imul(13, MIX);
    words[field + 14] = Math.imul(14, MIX);
    words[field + 15] = Math.imul(15, MIX);
    ring.commit();
    if (--left === 0) {
      ring.show();
      left = publish;
    }
  }
  ring.show();
}

/**
 * Waits until there is something. C pauses between two looks with an instruction; here it is arithmetic, and longer the
 * longer nothing comes, up to a microsecond: a look takes the line with the tail from the producer, which then
 * waits for it, so that who looks at once after each message gets them one by one.
 */
function rest(ring: RingConsumer, more: boolean): void {
  let pause = 16;
  let idle = 1;
  while (more && !ring.ready()) {
    for (let i = 0; i < pause; i++) idle = (Math.imul(idle, MIX) + i) | 0;
    if (pause < 1024) pause *= 2;
  }
  rested[0] = idle; // else V8 would see that nobody wants to know
}

/** Receives until so many messages have come; room is given back as in `bench/c/ring-oneway.c`. */
function receiveSmall(ring: RingConsumer, message: Uint8Array, check: SmallCheck, until: number): void {
  const eighth = CAPACITY >> 3;
  let left = until - check.count();
  while (left > 0) {
    while (left > 0) {
      const length = ring.popInto(message);
      if (length !== 64) {
        if (length < 0) break;
        throw new Error(`a message of ${length} bytes`);
      }
      check.see(0);
      left--;
      if (ring.unreleased() >= eighth) ring.release();
    }
    ring.release();
    rest(ring, left > 0);
  }
}

function receiveInPlace(ring: RingConsumer, check: SmallCheck, until: number): void {
  const eighth = CAPACITY >> 3;
  let left = until - check.count();
  while (left > 0) {
    while (left > 0) {
      const at = ring.peek();
      if (at < 0) break;
      if (ring.length() !== 64) throw new Error(`a message of ${ring.length()} bytes`);
      check.see(at >> 3);
      ring.skip();
      left--;
      if (ring.unreleased() >= eighth) ring.release();
    }
    ring.release();
    rest(ring, left > 0);
  }
}

function receiveLarge(ring: RingConsumer, message: Uint8Array, check: Check, until: number): void {
  const words = new Int32Array(message.buffer);
  const eighth = CAPACITY >> 3;
  while (check.count < until) {
    while (check.count < until) {
      const length = ring.popInto(message);
      if (length < 0) break;
      if (length !== check.size) throw new Error(`a message of ${length} bytes`);
      check.seeWords(words, 0);
      if (ring.unreleased() >= eighth) ring.release();
    }
    ring.release();
    rest(ring, check.count < until);
  }
}

interface Receiving {
  until: (count: number) => void;
  passed: (total: number) => boolean;
}

function receiving(memory: Mapping, size: number, mode: string): Receiving {
  const ring = ringConsumer(memory.buffer, CAPACITY);
  const message = new Uint8Array(new ArrayBuffer(Math.max(size, 256)), 0, size);
  if (size !== 64) {
    const check = new Check(size);
    return { until: (count) => receiveLarge(ring, message, check, count), passed: (total) => check.passed(total) };
  }
  const check = smallCheck(mode === 'copy' ? message.buffer : memory.buffer);
  return {
    until: (count) =>
      mode === 'copy' ? receiveSmall(ring, message, check, count) : receiveInPlace(ring, check, count),
    passed: (total) => check.passed(total),
  };
}

async function main(): Promise<void> {
  const { work, text, number, words } = readOptions(20_000_000);
  const publish = number('publish', 1);
  const mode = text('mode', 'copy');
  if (words[0] === 'send') {
    const memory = openRing(words[1]!);
    const ring = ringProducer(memory.buffer, CAPACITY);
    if (mode === 'copy') sendCopied(ring, work, publish);
    else sendInPlace(ring, memory.int32, work, publish);
    return;
  }
  const mechanism = text('mechanism', 'shm');
  const { rings, names, descriptors, forget } = makeRings(mechanism, 1);
  const memory = rings[0]!;
  const args = ['send', names[0]!, '--publish', String(publish), '--mode', mode, ...workArguments(work)];
  const sender = startOther(import.meta.url, args, descriptors);
  const receive = receiving(memory, work.size, mode);
  receive.until(work.warmup);
  const start = now();
  receive.until(work.total);
  const end = now();
  const ended = await sender.ended;
  forget();
  reportOneWay(work.size, work.count, start, end, ended && receive.passed(work.total));
}

await main();
