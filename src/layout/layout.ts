/** The layout itself: what users make once and lay over memory. */
import { inspect } from 'node:util';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError } from '../core/errors.js';
import { toC } from './c.js';
import { codecOf } from './codec.js';
import { StructArray } from './fieldArray.js';
import { canonical, digestOf, place } from './place.js';
import { LiveRegion, readOnlyError, regionOf } from './region.js';
import { Struct } from './struct.js';
import { toPython } from './python.js';
import type { Fields, Memory, PlainOf, View } from './types.js';
import { placeOf, plainOf, viewAt } from './view.js';
import { checkTypeName } from './words.js';

/** Options of a layout. */
export interface LayoutOptions {
  /** What it is called in C and Python where it is nested in another, and in messages. */
  name?: string;
}

/**
 * Fields at the places where a C compiler puts them. It holds no memory; `view()` and the others lay it over some.
 */
export class Layout<F extends Fields = Fields> extends Struct {
  #digest: string | undefined;

  /** @internal */
  constructor(fields: F, options: LayoutOptions) {
    const { fields: placed, byteLength, alignment } = place(fields);
    super(options.name, placed, byteLength, alignment);
  }

  /** Bytes from the beginning to this field: `offsetof` in C. */
  offsetOf(field: keyof F & string): number {
    const found = this.fields.find(({ name }) => name === field);
    if (found === undefined) {
      const known = this.fields.map(({ name }) => name).join(', ');
      throw argumentError(`there is no field ${inspect(field)} in ${this.name ?? 'this layout'}; there are ${known}`);
    }
    return found.offset;
  }

  /**
   * 32 hexadecimal digits that stand for the names, kinds and places of all fields, nested ones too. Two layouts with the same
   * describe the same bytes. It does not depend on the layout's name, nor on the version of interproc.
   */
  get digest(): string {
    this.#digest ??= digestOf(this);
    return this.#digest;
  }

  /**
   * An accessor object over memory: a property for each field, which reads and writes the memory itself. Make it once and keep it.
   *
   * Scalars are stored as a DataView stores them: numbers cut to the width of the field. Everything else is checked.
   * On a mapping that is only for reading each getter copies, and each setter throws `ERR_INTERPROC_READ_ONLY`. Once the mapping is
   * closed every property throws `ERR_INTERPROC_CLOSED`.
   *
   * @param memory a mapping, an ArrayBuffer or a Uint8Array
   * @param offset bytes from its beginning, a multiple of `alignment`
   * @throws RangeError ERR_INTERPROC_RANGE for an offset that is not, or if the memory is too small
   */
  view(memory: Memory, offset = 0): View<F> {
    return viewAt(this, regionOf(memory, offset, this.byteLength, this), 0) as unknown as View<F>;
  }

  /**
   * An array of this layout over memory, each element `byteLength` after the one before. `get(index)` makes a view that stays;
   * `cursor()` is one that moves, for loops.
   *
   * @param offset bytes, a multiple of `alignment`
   * @param count how many, from 1
   */
  list(memory: Memory, offset: number, count: number): StructArray<F> {
    checkInteger('count', count, 1, Number.MAX_SAFE_INTEGER);
    const region = regionOf(memory, offset, this.byteLength * count, this);
    return new StructArray<F>(this, region, 0, count, this.name ?? 'list', false);
  }

  /**
   * All fields as plain values, from one copy of the bytes.
   *
   * @throws Error ERR_INTERPROC_TRUNCATED if the file behind a mapping has been cut
   */
  read(memory: Memory, offset = 0): PlainOf<F> {
    const region = regionOf(memory, offset, this.byteLength, this, true);
    const copy = region.readOnly ? region.copy(0, this.byteLength) : copyOf(region);
    region.mapping?.checkIntact();
    return codecOf(this).plain(copy, 0) as PlainOf<F>;
  }

  /**
   * Stores all fields. Every value is checked first; nothing is stored if one is missing or cannot be. What lies between
   * fields is left as it is.
   *
   * @throws TypeError, RangeError naming the field; Error ERR_INTERPROC_READ_ONLY, ERR_INTERPROC_TRUNCATED
   */
  write(memory: Memory, values: PlainOf<F>, offset = 0): void {
    const region = regionOf(memory, offset, this.byteLength, this);
    const taken = codecOf(this).take(this.name ?? 'value', values);
    if (region.readOnly) throw readOnlyError(region);
    codecOf(this).store(region, 0, taken);
    region.mapping?.checkIntact();
  }

  /** The fields of a view as plain values; memory that is only for reading is copied once. */
  toObject(view: View<F>): PlainOf<F> {
    return plainOf(this.#placeOf(view)) as PlainOf<F>;
  }

  /** Stores some fields through a view. Every value is checked first, other than by assigning each; nothing is stored if one cannot be. */
  assign(view: View<F>, values: Partial<PlainOf<F>>): void {
    const { region, at } = this.#placeOf(view);
    const taken = codecOf(this).takeSome(this.name ?? 'value', values);
    if (region.readOnly) throw readOnlyError(region);
    region.use();
    codecOf(this).store(region, at, taken);
  }

  #placeOf(view: View<F>): NonNullable<ReturnType<typeof placeOf>> {
    const found = placeOf(view);
    if (found === undefined || found.struct !== this) {
      throw argumentError(`view must be a view of ${this.name ?? 'this layout'}, got ${inspect(view, { depth: 0 })}`);
    }
    return found;
  }

  /**
   * A C header that describes the same bytes, for C11 and C++11: it asserts the size, the alignment and each offset.
   *
   * @param name of the struct
   * @throws TypeError ERR_INTERPROC_NAME for a field whose name means something in C or C++
   */
  toC(name: string): string {
    return toC(this, name);
  }

  /**
   * A Python module with a `ctypes.LittleEndianStructure` that describes the same bytes and asserts the size and each offset.
   * ctypes knows no atomics: there such a field is a plain integer.
   *
   * @param name of the class
   * @throws TypeError ERR_INTERPROC_NAME for a field whose name means something in Python or ctypes
   */
  toPython(name: string): string {
    return toPython(this, name);
  }

  /** @internal */
  [inspect.custom](): string {
    return `Layout ${this.name === undefined ? '' : `${this.name} `}${canonical(this)}`;
  }
}

function copyOf(region: LiveRegion): LiveRegion {
  const copy = new Uint8Array(region.bytes);
  return new LiveRegion(copy.buffer, 0, copy.length);
}

/**
 * Lays out fields as a C compiler does on x86-64 and arm64, little-endian: in the order given, each at the next multiple of its
 * alignment.
 *
 * @param fields names and kinds: `'u32'` and other scalars, `chars(16)`, `bytes(32)`, `array('f64', 8)`, `atomic('i32')`, another layout
 * @throws TypeError ERR_INTERPROC_ARGUMENT for what is no kind, or no fields at all; ERR_INTERPROC_NAME for names that cannot be
 *
 * @example
 * const Tick = layout({ id: 'u32', price: 'f64', name: chars(16), ready: atomic('i32') });
 * using memory = shm.create('/tick', { size: Tick.byteLength });
 * using mapping = memory.map();
 * const tick = Tick.view(mapping);
 * tick.price = 1.0873;
 * tick.ready.store(1);
 */
export function layout<const F extends Fields>(fields: F, options: LayoutOptions = {}): Layout<F> {
  checkOptions(options, ['name']);
  if (options.name !== undefined) checkTypeName(options.name);
  return new Layout(fields, options);
}
