/**
 * Both ends of a ring, and a third hand on its memory that writes what must not be there: values at
 * the edges, into words of the header and of the records, one at a time while messages go through;
 * and a thread that changes words while they are being read.
 */
import { Worker } from 'node:worker_threads';
import { type Receiver, receiver, type Sender, sender } from '../../../src/channel/index.js';
import type { Mapping } from '../../../src/mmap/index.js';
import * as shm from '../../../src/shm/index.js';
import { receiverUrl, senderUrl, serve } from './control.js';
import { steadyClock } from '../../support/standstill.js';

const HEADER_WORDS = 256;
const VALUES = [
  0, 1, 2, 3, 4, 7, 8, 9, 16, 255, 1000, 1023, 1024, 1025, 4095, 4096, 4097, 65_536, 0x0fffffff, 0x10000000, 0x10000001,
  0x1fffffff, 0x20000008, 0x30000008, 0x40000000, 0x40000008, 0x4fffffff, 0x50000000, 0x7ffffff8, 0x7fffffff,
  -0x80000000, -0x7fffffff, -4096, -1024, -9, -8, -7, -2, -1,
];
/** The words that mean something: of the header, and where records begin. */
const WORDS = [
  0, 1, 2, 3, 4, 5, 32, 64, 96, 128, 160, 256, 257, 258, 259, 260, 264, 268, 272, 276, 280, 320, 384, 511, 1023,
];

const clock = await steadyClock({ after: () => {} });

/** Numbers that follow from a seed. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

/** A channel, and its memory once more. */
interface Ring {
  out: Sender;
  into: Receiver;
  memory: Mapping;
}

const name = senderUrl.slice(senderUrl.indexOf(':') + 1).split('?')[0] as string;

async function openRing(): Promise<Ring> {
  const [out, into] = await Promise.all([sender(senderUrl), receiver(receiverUrl)]);
  const object = shm.open(name);
  const memory = object.map();
  object.close();
  return { out, into, memory };
}

async function closeRing({ out, into, memory }: Ring): Promise<void> {
  out.destroy();
  into.destroy();
  await Promise.allSettled([out.closed, into.closed, out.close(), into.close()]);
  memory.close();
}

const SMALL = Buffer.alloc(40, 0x5a);
const LARGE = Buffer.alloc(900, 0xa5);
const LONG = Buffer.alloc(3000, 0x3c);

/** What may be seen of a ring that was written to: plain data, a time-out, EBADMSG, and what follows from an end. */
const ALLOWED = new Set([
  'EBADMSG',
  'ETIMEDOUT',
  'EPIPE',
  'ECONNRESET',
  'ERR_INTERPROC_CLOSED',
  'ERR_INTERPROC_BACKPRESSURE',
]);

/** What was seen in many rounds. */
class Findings {
  readonly seen: Record<string, number> = {};
  readonly wrong: string[] = [];
  slowestMs = 0;

  note(code: string): void {
    this.seen[code] = (this.seen[code] ?? 0) + 1;
  }

  /** Does something and measures it; true unless the channel is broken now. */
  async does(what: string, action: () => unknown): Promise<boolean> {
    const begun = clock();
    let fine = true;
    try {
      const result = await action();
      this.note(result === null ? 'end' : 'data');
      fine = result !== null;
    } catch (why) {
      const code = (why as { code?: string }).code ?? String(why);
      this.note(code);
      if (!ALLOWED.has(code) && this.wrong.length < 20) this.wrong.push(`${what}: ${(why as Error).stack}`);
      fine = code === 'ETIMEDOUT' || code === 'ERR_INTERPROC_BACKPRESSURE';
    }
    const took = clock() - begun;
    if (took > this.slowestMs) this.slowestMs = took;
    return fine;
  }
}

function visit(bytes: Buffer, start: number, end: number): void {
  if (start < 0 || end < start || end > bytes.length)
    throw new Error(`a view from ${start} to ${end} of ${bytes.length}`);
  if (end > start) bytes[start];
}

/** One thing that a user does. */
function move(ring: Ring, dice: Dice, findings: Findings): Promise<boolean> {
  const { out, into } = ring;
  const kind = dice.below(12);
  if (kind < 3) return findings.does('trySend', () => out.trySend(dice.of([SMALL, LARGE, new Uint8Array()])));
  if (kind === 3) return findings.does('send', () => out.send(dice.of([SMALL, LARGE]), { timeoutMs: 2 }));
  if (kind === 4) return findings.does('sendSync', () => out.sendSync(LARGE, { timeoutMs: 1 }));
  if (kind === 5) return findings.does('flush', () => void out.flush().catch(() => {}));
  if (kind === 6) return findings.does('receive', () => into.receive({ timeoutMs: 2 }));
  if (kind === 7) return findings.does('receiveSync', () => into.receiveSync({ timeoutMs: 1 }));
  if (kind === 8) return findings.does('tryDrain', () => into.tryDrain(visit));
  if (kind === 9) return findings.does('tryReceiveMany', () => into.tryReceiveMany());
  if (kind === 10) {
    // A long message may not be given up once it is under way; destroy() ends it.
    void out.send(LONG).catch(() => {});
    return findings.does('tryReceive', () => into.tryReceive());
  }
  return findings.does('tryReceive', () => into.tryReceive());
}

async function poke(rounds: number, seed: number): Promise<Findings> {
  const dice = new Dice(seed);
  const findings = new Findings();
  let ring = await openRing();
  for (let round = 0; round < rounds; round++) {
    for (let before = dice.below(4); before > 0; before--) await move(ring, dice, findings);
    const words = ring.memory.int32;
    const word = dice.below(3) > 0 ? dice.of(WORDS) : dice.below(Math.min(words.length, HEADER_WORDS + 400));
    const value = dice.below(3) > 0 ? dice.of(VALUES) : dice.below(0xffffffff) | 0;
    Atomics.store(
      words,
      word,
      dice.below(4) === 0 ? (Atomics.load(words, word) + dice.of([-8, -4, -1, 1, 4, 8, 4096])) | 0 : value,
    );
    let fine = true;
    for (let after = 1 + dice.below(5); after > 0; after--) fine = (await move(ring, dice, findings)) && fine;
    if (fine && dice.below(4) > 0) continue;
    await closeRing(ring);
    ring = await openRing();
  }
  await closeRing(ring);
  return findings;
}

/** As `poke`, while a thread changes the same words as fast as it can. */
async function race(rounds: number, seed: number): Promise<Findings> {
  const dice = new Dice(seed);
  const findings = new Findings();
  for (let round = 0; round < rounds; round++) {
    const ring = await openRing();
    const vandal = new Worker(new URL('./vandal.js', import.meta.url), {
      workerData: {
        name,
        word: dice.of([32, 64, 96, 128, 160, 256, 258, 260]),
        values: [dice.of(VALUES), dice.of(VALUES)],
      },
    });
    await new Promise((resolve) => vandal.once('message', resolve));
    for (let step = 0; step < 200; step++) {
      if (!(await move(ring, dice, findings)) && step > 20) break;
    }
    await vandal.terminate();
    await closeRing(ring);
  }
  return findings;
}

await serve({
  poke: ({ rounds, seed }: { rounds: number; seed: number }) => poke(rounds, seed),
  race: ({ rounds, seed }: { rounds: number; seed: number }) => race(rounds, seed),
});
