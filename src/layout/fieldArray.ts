/** Arrays of what is no number: texts, booleans, atomics, structs, arrays. */
import { inspect } from 'node:util';
import { checkInteger } from '../core/arguments.js';
import { type Codec, codecOf, elementsOf } from './codec.js';
import { type Cursor, cursorOver } from './cursor.js';
import { type LiveRegion, movedIn, type Region, readOnlyError } from './region.js';
import type { Struct } from './struct.js';
import type { Fields, PlainOf, View } from './types.js';

/**
 * An array in memory. `get` and `set` look at the memory itself. Elements that are accessors (structs, atomics, arrays) stay where
 * they are; they are made once, except in a view that moves. Iterating gives what `get` gives.
 */
export class FieldArray<V, P = V> implements Iterable<V> {
  /** How many elements there are; that never changes. */
  readonly length: number;
  readonly #codec: Codec;
  readonly #region: Region;
  readonly #still: Region;
  readonly #name: string;
  readonly #made: (object | undefined)[] = [];
  readonly #at: number;

  /** @internal */
  constructor(codec: Codec, region: Region, at: number, length: number, name: string) {
    this.length = length;
    this.#codec = codec;
    this.#region = region;
    this.#still = region.cell === undefined ? region : region.movedBy(undefined);
    this.#at = at;
    this.#name = name;
  }

  /** Where it begins. @internal */
  protected get at(): number {
    return this.#at + movedIn(this.#region);
  }

  #placeOf(index: number): number {
    checkInteger(`the index of ${this.#name}`, index, 0, this.length - 1);
    return this.at + index * this.#codec.size;
  }

  /**
   * The element at `index`.
   *
   * @throws RangeError ERR_INTERPROC_RANGE for an index from `length` on
   */
  get(index: number): V {
    const at = this.#placeOf(index);
    const known = this.#made[index];
    if (known !== undefined && !('length' in known && known.length === 0)) return known as V;
    const shown = this.#codec.show(this.#still, at, `${this.#name}[${index}]`);
    if (this.keeps && typeof shown === 'object' && shown !== null) this.#made[index] = shown;
    return shown as V;
  }

  /** Whether accessors that were made are kept for the next `get`. @internal */
  protected get keeps(): boolean {
    return !this.#region.readOnly && this.#region.cell === undefined;
  }

  /** Stores a value in the element at `index`; checked first, and nothing is stored if it is none. */
  set(index: number, value: P | V): void {
    const at = this.#placeOf(index);
    const region = this.#writable();
    this.#codec.store(region, at, this.#codec.take(`${this.#name}[${index}]`, value));
  }

  #writable(): LiveRegion {
    if (this.#region.readOnly) throw readOnlyError(this.#region);
    this.#region.use();
    return this.#region;
  }

  /** Stores exactly `length` values, of an array or another `FieldArray`; all are checked first. */
  assign(values: readonly P[] | FieldArray<V, P>): void {
    const taken = elementsOf(this.#name, values, this.length).map((value, index) =>
      this.#codec.take(`${this.#name}[${index}]`, value),
    );
    const region = this.#writable();
    for (const [index, value] of taken.entries()) this.#codec.store(region, this.#placeOf(index), value);
  }

  /** Copies of all elements, without any memory behind them. */
  toArray(): P[] {
    const { size } = this.#codec;
    const region = this.#region.readOnly ? this.#region.copy(this.at, size * this.length) : this.#region;
    const at = this.#region.readOnly ? 0 : this.at;
    return Array.from({ length: this.length }, (_, index) => this.#codec.plain(region, at + index * size) as P);
  }

  *[Symbol.iterator](): Iterator<V> {
    for (let index = 0; index < this.length; index++) yield this.get(index);
  }

  /** @internal */
  [inspect.custom](_depth: number, options: object): string {
    return `${this.#name}[${this.length}] ${inspect(this.toArray(), options)}`;
  }
}

/** An array of structs in memory. */
export class StructArray<F extends Fields> extends FieldArray<View<F>, PlainOf<F>> {
  readonly #struct: Struct;
  readonly #start: (first: number) => Cursor<View<F>>;
  readonly #keeps: boolean;

  /** @internal */
  constructor(struct: Struct, region: Region, at: number, length: number, name: string, keeps: boolean) {
    super(codecOf(struct), region, at, length, name);
    this.#struct = struct;
    this.#keeps = keeps;
    this.#start = (first) => cursorOver<View<F>>(struct, region, first, length);
  }

  /** @internal */
  protected override get keeps(): boolean {
    return this.#keeps && super.keeps;
  }

  /**
   * A view that goes from element to element without another being made: for loops over many. It stands at the first.
   */
  cursor(): Cursor<View<F>> {
    return this.#start(this.at);
  }

  /** Bytes from one element to the next. */
  get stride(): number {
    return this.#struct.byteLength;
  }
}
