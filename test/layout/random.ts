/** Layouts and values at random, from a seed: all kinds, nested, arrays of everything, and the extremes of every scalar. */
import { array, atomic, bytes, chars, type Kind, type Layout, layout, type Scalar } from '../../src/layout/index.js';

/** Numbers below 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const INTEGERS = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64'] as const;
/** Every scalar. */
export const SCALARS: readonly Scalar[] = [...INTEGERS, 'f32', 'f64', 'bool'];

const bitsOf = (kind: Scalar): number => Number(kind.slice(1));

/** Makes random things of one seed. */
export class Maker {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  kind(depth: number, name: string): Kind {
    const roll = this.below(100);
    if (roll < 50) return this.pick(SCALARS);
    if (roll < 60) return chars(1 + this.below(12));
    if (roll < 67) return bytes(1 + this.below(9));
    if (roll < 75) return atomic(this.pick(INTEGERS));
    if (roll < 90 || depth === 0) return array(this.kind(Math.max(0, depth - 1), name), 1 + this.below(3));
    return this.layout(depth - 1, name);
  }

  layout(depth: number, name: string): Layout {
    const count = 1 + this.below(7);
    const fields: Record<string, Kind> = {};
    for (let index = 0; index < count; index++) {
      // Sometimes the same layout again, which must be written once.
      const before = Object.values(fields).find((kind) => typeof kind === 'object' && 'offsetOf' in kind);
      const again = before !== undefined && this.below(3) === 0;
      fields[`f${index}`] = again ? before : this.kind(depth, `${name}_${index}`);
    }
    return layout(fields, this.below(2) === 0 ? {} : { name });
  }

  /** A plain value of a kind, often an extreme one. */
  value(kind: Kind): unknown {
    if (typeof kind === 'string') return this.#scalar(kind);
    if (!('kind' in kind)) {
      return Object.fromEntries(kind.fields.map(({ name, kind: inner }) => [name, this.value(inner)]));
    }
    if (kind.kind === 'atomic') return this.#scalar(kind.of);
    if (kind.kind === 'array') return Array.from({ length: kind.length }, () => this.value(kind.of));
    if (kind.kind === 'bytes') return Uint8Array.from({ length: kind.length }, () => this.below(256));
    return this.#text(kind.length);
  }

  #text(most: number): string {
    const wanted = this.pick([0, most, this.below(most + 1)]);
    let text = '';
    for (;;) {
      const next = text + this.pick(['a', 'Z', '0', ' ', '\n', '\x7f', 'é', '€', '😀']);
      if (Buffer.byteLength(next) > wanted) return text;
      text = next;
    }
  }

  #scalar(kind: Scalar): unknown {
    if (kind === 'bool') return this.below(2) === 1;
    if (kind === 'f32' || kind === 'f64') {
      const double = this.pick([
        0,
        -0,
        1,
        -1,
        Infinity,
        -Infinity,
        NaN,
        5e-324,
        2 ** -1022,
        Number.MAX_VALUE,
        Math.PI,
        this.#random(),
      ]);
      const single = this.pick([
        0,
        -0,
        Infinity,
        NaN,
        2 ** -149,
        2 ** -126,
        (2 - 2 ** -23) * 2 ** 127,
        this.#random() * 1e9,
      ]);
      return kind === 'f64' ? double : Math.fround(single);
    }
    const bits = bitsOf(kind);
    const isSigned = kind.startsWith('i');
    let raw = 0n;
    for (let filled = 0; filled < bits; filled += 8) raw = (raw << 8n) | BigInt(this.below(256));
    const wild = isSigned ? BigInt.asIntN(bits, raw) : raw;
    const [least, most] = isSigned
      ? [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n]
      : [0n, (1n << BigInt(bits)) - 1n];
    const value = this.pick([least, most, 0n, 1n, wild, wild]);
    return bits === 64 ? value : Number(value);
  }
}
