/** A field that several processes change at once: `Atomics` on the word of memory itself. */
import { inspect } from 'node:util';
import { argumentError } from '../core/errors.js';
import { type Cell, type LiveRegion, movedIn, type ReadOnlyRegion, readOnlyError } from './region.js';
import { SCALARS } from './scalars.js';
import type { AtomicScalar } from './types.js';

/**
 * An atomic integer in shared memory. Every operation is indivisible and sequentially consistent, for all processes and threads
 * that use this word atomically, in C and C++ too. Values are cut to the width of the field, as by `Atomics`.
 *
 * Those that change it give back what was there before. On memory that is only for reading there is `load()` alone, which copies the word.
 */
export interface AtomicField<V extends number | bigint> {
  /** What is there. */
  load(): V;
  /** Puts a value there. */
  store(value: V): void;
  /** Adds; gives the value before. */
  add(value: V): V;
  /** Subtracts; gives the value before. */
  sub(value: V): V;
  /** And, bit by bit; gives the value before. */
  and(value: V): V;
  /** Or, bit by bit; gives the value before. */
  or(value: V): V;
  /** Exclusive or, bit by bit; gives the value before. */
  xor(value: V): V;
  /** Puts a value there; gives the one before. */
  exchange(value: V): V;
  /** Puts `replacement` there if `expected` is there; gives the value before, which was `expected` if it did. */
  compareExchange(expected: V, replacement: V): V;
}

/** `Atomics` takes arrays of numbers or of bigints; that the values are of the same sort is checked. */
type Words = Int32Array;

const BYTES_OF_BIGINT = 8;

/** The word at a place of memory that can be written. */
export class LiveAtomic implements AtomicField<number> {
  readonly #region: LiveRegion;
  readonly #words: Words;
  readonly #kind: AtomicScalar;
  readonly #name: string;
  readonly #size: number;
  readonly #wants: 'number' | 'bigint';
  readonly #index: number;
  readonly #cell: Cell | undefined;

  constructor(region: LiveRegion, at: number, kind: AtomicScalar, name: string) {
    this.#region = region;
    this.#words = region.atomics(kind) as Words;
    this.#kind = kind;
    this.#name = name;
    this.#size = SCALARS[kind].size;
    this.#wants = this.#size === BYTES_OF_BIGINT ? 'bigint' : 'number';
    this.#index = at / this.#size;
    this.#cell = region.cell;
  }

  /** Where it is now, if its view moves. */
  #moved(cell: Cell): number {
    return this.#index + (cell[0] as number) / this.#size;
  }

  #refuse(value: unknown): never {
    throw argumentError(`${this.#name} takes a ${this.#wants}, got ${inspect(value, { depth: 0 })}`);
  }

  /** The engine's error, unless the memory is gone. */
  #explained(error: unknown): unknown {
    this.#region.use();
    return error;
  }

  load(): number {
    try {
      return Atomics.load(this.#words, this.#cell === undefined ? this.#index : this.#moved(this.#cell));
    } catch (error) {
      throw this.#explained(error);
    }
  }

  store(value: number): void {
    if (this.#wants !== typeof value) this.#refuse(value);
    try {
      Atomics.store(this.#words, this.#cell === undefined ? this.#index : this.#moved(this.#cell), value);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  add(value: number): number {
    if (this.#wants !== typeof value) this.#refuse(value);
    try {
      return Atomics.add(this.#words, this.#cell === undefined ? this.#index : this.#moved(this.#cell), value);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  sub(value: number): number {
    if (this.#wants !== typeof value) this.#refuse(value);
    try {
      return Atomics.sub(this.#words, this.#cell === undefined ? this.#index : this.#moved(this.#cell), value);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  and(value: number): number {
    if (this.#wants !== typeof value) this.#refuse(value);
    try {
      return Atomics.and(this.#words, this.#cell === undefined ? this.#index : this.#moved(this.#cell), value);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  or(value: number): number {
    if (this.#wants !== typeof value) this.#refuse(value);
    try {
      return Atomics.or(this.#words, this.#cell === undefined ? this.#index : this.#moved(this.#cell), value);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  xor(value: number): number {
    if (this.#wants !== typeof value) this.#refuse(value);
    try {
      return Atomics.xor(this.#words, this.#cell === undefined ? this.#index : this.#moved(this.#cell), value);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  exchange(value: number): number {
    if (this.#wants !== typeof value) this.#refuse(value);
    try {
      return Atomics.exchange(this.#words, this.#cell === undefined ? this.#index : this.#moved(this.#cell), value);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  compareExchange(expected: number, replacement: number): number {
    if (this.#wants !== typeof expected) this.#refuse(expected);
    if (this.#wants !== typeof replacement) this.#refuse(replacement);
    try {
      return Atomics.compareExchange(
        this.#words,
        this.#cell === undefined ? this.#index : this.#moved(this.#cell),
        expected,
        replacement,
      );
    } catch (error) {
      throw this.#explained(error);
    }
  }

  [inspect.custom](): string {
    return `atomic('${this.#kind}') ${this.load()}`;
  }
}

/** The word at a place of memory that is only for reading. */
export class ReadOnlyAtomic implements AtomicField<number> {
  readonly #region: ReadOnlyRegion;
  readonly #kind: AtomicScalar;
  readonly #at: number;

  constructor(region: ReadOnlyRegion, at: number, kind: AtomicScalar) {
    this.#region = region;
    this.#kind = kind;
    this.#at = at;
  }

  load(): number {
    const copy = this.#region.copy(this.#at + movedIn(this.#region), SCALARS[this.#kind].size);
    return Atomics.load(copy.atomics(this.#kind) as Words, 0);
  }

  #refuse(): never {
    throw readOnlyError(this.#region);
  }

  store(): void {
    this.#refuse();
  }

  add(): number {
    this.#refuse();
  }

  sub(): number {
    this.#refuse();
  }

  and(): number {
    this.#refuse();
  }

  or(): number {
    this.#refuse();
  }

  xor(): number {
    this.#refuse();
  }

  exchange(): number {
    this.#refuse();
  }

  compareExchange(): number {
    this.#refuse();
  }

  [inspect.custom](): string {
    return `atomic('${this.#kind}') ${this.load()}`;
  }
}
