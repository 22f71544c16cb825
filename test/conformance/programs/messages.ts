/**
 * The messages of a conformance run: made from a seed and an index alone, so that the receiver can
 * make each message again and compare every byte.
 */
import { createHash } from 'node:crypto';

/**
 * How long the messages are: all the same, `mixed` (0 bytes to some 300 KiB, with the lengths at
 * which mechanisms split), or `tagged` (8 bytes to some 40 KiB: long enough to hold seed and index).
 */
export type Sizes = number | 'mixed' | 'tagged';

/** Messages `from` (0 if omitted) to `from + count - 1` of a seed. */
export interface Plan {
  seed: number;
  from?: number;
  count: number;
  sizes: Sizes;
}

/** Lengths around which mechanisms change what they do: words, pages, queue messages, pipes, a quarter of a ring. */
const EDGES = [
  0, 1, 7, 8, 9, 63, 64, 65, 4087, 4095, 4096, 4097, 8175, 8183, 8191, 8192, 8193, 65527, 65535, 65536, 65537, 262_127,
  262_135, 262_136, 262_137, 262_144, 262_145,
];

function mix(seed: number, index: number): number {
  let word = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d);
  word = Math.imul(word ^ (word >>> 12), 0x297a2d39);
  return (word ^ (word >>> 15)) >>> 0;
}

/** The length of a message. */
export function sizeOf(plan: Plan, index: number): number {
  if (typeof plan.sizes === 'number') return plan.sizes;
  const chance = mix(plan.seed, index);
  const kind = chance & 15;
  const large = chance >>> 4;
  if (plan.sizes === 'tagged') return 8 + (kind < 12 ? large % 300 : large % 40_000);
  if (kind < 2) return EDGES[large % EDGES.length] as number;
  if (kind < 13) return large % 300;
  return large % 30_000;
}

/** A message of this length: seed and index in the first 8 bytes, where there is room, then numbers that follow from them. */
export function messageOf(plan: Plan, index: number): Buffer {
  const length = sizeOf(plan, index);
  const words = new Uint32Array((length + 3) >> 2);
  let word = mix(plan.seed, index);
  for (let at = 0; at < words.length; at++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) | 0;
    words[at] = word;
  }
  if (length >= 8) {
    words[0] = plan.seed;
    words[1] = index;
  }
  return Buffer.from(words.buffer, 0, length);
}

/** The messages of a plan, one after the other. */
export function* messagesOf(plan: Plan): Generator<Buffer, void, undefined> {
  const from = plan.from ?? 0;
  for (let index = from; index < from + plan.count; index++) yield messageOf(plan, index);
}

/** SHA-256 in hexadecimal digits. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The messages of one seed that were received: `first` to `first + count - 1`, each once and in order. */
export interface Received {
  first: number;
  count: number;
}

/** What arrived, compared with what was sent. */
export class Checker {
  readonly received = new Map<number, Received>();
  /** The first thing that was not as it should be. */
  wrong: string | undefined;
  count = 0;
  readonly #plans: readonly Plan[];

  /**
   * With one plan messages may be of any length; with several, or with none, which means any seed,
   * each must hold its seed and index.
   */
  constructor(plans: readonly Plan[]) {
    this.#plans = plans;
  }

  /** Takes the next message that arrived. */
  take(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    this.count++;
    if (this.wrong !== undefined) return;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    const plan = this.#plans.length === 1 ? this.#plans[0] : this.#planOf(view);
    if (plan === undefined) {
      this.wrong = `message ${this.count - 1}, of ${view.length} bytes, is nobody's`;
      return;
    }
    const known = this.received.get(plan.seed);
    const tagged = this.#plans.length !== 1 || (plan.sizes === 'tagged' && view.length >= 8);
    const index = known === undefined ? (tagged ? view.readUInt32LE(4) : (plan.from ?? 0)) : known.first + known.count;
    if (known === undefined) this.received.set(plan.seed, { first: index, count: 1 });
    else known.count++;
    const expected = messageOf(plan, index);
    if (Buffer.compare(view, expected) === 0) return;
    const tag = view.length >= 8 ? ` that says it is ${view.readUInt32LE(4)} of seed ${view.readUInt32LE(0)}` : '';
    this.wrong = `in place of message ${index} of seed ${plan.seed} (${expected.length} bytes) came one of ${view.length} bytes${tag}`;
    if (view.length === expected.length) {
      const at = view.findIndex((byte, position) => byte !== expected[position]);
      this.wrong += `; they differ from byte ${at} on`;
    }
  }

  #planOf(view: Buffer): Plan | undefined {
    if (view.length < 8) return undefined;
    const seed = view.readUInt32LE(0);
    if (this.#plans.length === 0) return { seed, count: Infinity, sizes: 'tagged' };
    return this.#plans.find((plan) => plan.seed === seed);
  }
}
