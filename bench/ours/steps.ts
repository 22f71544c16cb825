/**
 * What each step of a message costs in one process, in nanoseconds: the least of many rounds, so that it can be asked
 * of a busy machine. No other process takes part, so nothing waits for a cache line; docs/design/ring.md uses it.
 *
 *   node dist/bench/ours/steps.js [--size BYTES]     a multiple of 8, 8 to 1024, 64 if omitted
 */
import * as channel from '../../src/channel/index.js';
import { ringConsumer } from '../../src/channel/ring/consumer.js';
import { formatRing, ringBytes } from '../../src/channel/ring/memory.js';
import { ringProducer } from '../../src/channel/ring/producer.js';
import * as mmap from '../../src/mmap/index.js';
import { readOptions } from '../support/report.js';
import { CAPACITY } from './memory.js';

const MESSAGES = 800;
const ROUNDS = 3000;
const BATCH = 32;

/** The least time of each step, by its name. */
class Steps {
  readonly #best = new Map<string, number>();

  note(name: string, begun: bigint): void {
    const each = Number(process.hrtime.bigint() - begun) / MESSAGES;
    if (each < (this.#best.get(name) ?? Infinity)) this.#best.set(name, each);
  }

  time(name: string, step: () => void): void {
    const begun = process.hrtime.bigint();
    step();
    this.note(name, begun);
  }

  print(): void {
    for (const [name, each] of this.#best) process.stdout.write(`${each.toFixed(1).padStart(7)} ns  ${name}\n`);
  }
}

function ringSteps(steps: Steps, size: number): void {
  using memory = mmap.anonymous(ringBytes(CAPACITY), { shared: false });
  formatRing(memory, CAPACITY);
  const producer = ringProducer(memory.buffer, CAPACITY);
  const consumer = ringConsumer(memory.buffer, CAPACITY);
  const same = new Uint8Array(size);
  const others = Array.from({ length: BATCH }, () => new Uint8Array(size));
  const into = new Uint8Array(size);
  const words = memory.int32;
  const pop = (): void => {
    while (consumer.popInto(into) >= 0);
    consumer.release();
  };
  const send = (write: (n: number) => void, last: () => void, batch: number) => (): void => {
    for (let n = 0; n < MESSAGES; n++) {
      write(n);
      if (n % batch === batch - 1) last();
    }
  };
  const show = (): void => void producer.show();
  const publish = (): void => void producer.publish();
  const inPlace = (n: number): void => {
    words[producer.claim(size) >> 2] = n;
    producer.commit();
  };
  const ways: [string, () => void][] = [
    [`push the same array, show by ${BATCH}`, send(() => producer.push(same), show, BATCH)],
    [`push another array each time, show by ${BATCH}`, send((n) => producer.push(others[n % BATCH]!), show, BATCH)],
    [`claim, write one word, commit, show by ${BATCH}`, send(inPlace, show, BATCH)],
    ['push the same array, show each', send(() => producer.push(same), show, 1)],
    ['push the same array, publish each', send(() => producer.push(same), publish, 1)],
  ];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, way] of ways) {
      steps.time(`ring: ${name}`, way);
      steps.time('ring: pop into an array', pop);
    }
  }
}

async function channelSteps(steps: Steps, url: string, size: number): Promise<void> {
  const [sender, receiver] = await Promise.all([channel.sender(url), channel.receiver(url)]);
  const scheme = url.slice(0, url.indexOf(':'));
  const message = new Uint8Array(size);
  let seen = 0;
  const fill = async (): Promise<void> => {
    steps.time(`${scheme}: trySend`, () => {
      for (let n = 0; n < MESSAGES; n++) if (!sender.trySend(message)) throw new Error('no room');
    });
    await sender.flush();
  };
  const visit = (_bytes: Buffer, start: number, end: number): void => {
    seen += end - start;
  };
  for (let round = 0; round < ROUNDS / 10; round++) {
    await fill();
    steps.time(`${scheme}: tryDrain`, () => {
      while (receiver.tryDrain(visit) !== undefined);
    });
    await fill();
    steps.time(`${scheme}: tryReceive`, () => {
      for (let message = receiver.tryReceive(); message; message = receiver.tryReceive()) seen += message.length;
    });
    const awaited = process.hrtime.bigint();
    for (let n = 0; n < MESSAGES; n++) await sender.send(message);
    steps.note(`${scheme}: await send`, awaited);
    await sender.flush();
    const received = process.hrtime.bigint();
    let left = MESSAGES;
    for await (const { length } of receiver) {
      seen += length;
      if (--left === 0) break;
    }
    steps.note(`${scheme}: for await`, received);
  }
  if (seen !== 3 * Math.floor(ROUNDS / 10) * MESSAGES * size) throw new Error('not all of it came');
  await sender.close();
  await receiver.close();
}

async function main(): Promise<void> {
  const { size } = readOptions(1).work;
  if (size % 8 !== 0 || size < 8 || size > 1024) throw new RangeError('--size must be a multiple of 8, from 8 to 1024');
  const steps = new Steps();
  ringSteps(steps, size);
  await channelSteps(steps, `shm:bench-${process.pid}`, size);
  if (size <= 64) await channelSteps(steps, `unix:@bench-${process.pid}`, size);
  steps.print();
}

await main();
