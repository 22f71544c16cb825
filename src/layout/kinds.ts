/** What a field can be, as the caller says it: `'u32'`, `chars(16)`, `array('f64', 8)`, another layout, `atomic('i32')`. */
import { inspect } from 'node:util';
import { checkInteger } from '../core/arguments.js';
import { argumentError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { ATOMIC_SCALARS, isScalar, SCALARS } from './scalars.js';
import { Struct } from './struct.js';
import type { ArrayOf, AtomicOf, AtomicScalar, Bytes, Chars, Kind } from './types.js';

/** The longest object that a layout can describe: what one mapping can show. */
export const MOST_BYTES = 2 ** 32;

abstract class Named {
  abstract readonly kind: string;

  [inspect.custom](): string {
    return shownKind(this as unknown as Kind);
  }
}

class CharsKind extends Named implements Chars {
  readonly kind = 'chars';
  readonly length: number;

  constructor(length: number) {
    super();
    this.length = length;
  }
}

class BytesKind extends Named implements Bytes {
  readonly kind = 'bytes';
  readonly length: number;

  constructor(length: number) {
    super();
    this.length = length;
  }
}

class ArrayKind<K extends Kind> extends Named implements ArrayOf<K> {
  readonly kind = 'array';
  readonly of: K;
  readonly length: number;

  constructor(of: K, length: number) {
    super();
    this.of = of;
    this.length = length;
  }
}

class AtomicKind<S extends AtomicScalar> extends Named implements AtomicOf<S> {
  readonly kind = 'atomic';
  readonly of: S;

  constructor(of: S) {
    super();
    this.of = of;
  }
}

/** Whether this is text, as `chars()` makes it. */
export const isChars = (kind: unknown): kind is Chars => kind instanceof CharsKind;

/** Whether this is bytes, as `bytes()` makes it. */
export const isBytes = (kind: unknown): kind is Bytes => kind instanceof BytesKind;

/** Whether this is an array, as `array()` makes it. */
export const isArray = (kind: unknown): kind is ArrayOf<Kind> => kind instanceof ArrayKind;

/** Whether this is atomic, as `atomic()` makes it. */
export const isAtomic = (kind: unknown): kind is AtomicOf<AtomicScalar> => kind instanceof AtomicKind;

/** Whether this is a layout, as `layout()` makes it. */
export const isStruct = (kind: unknown): kind is Struct => kind instanceof Struct;

/** Whether it is shown as a typed array: bytes, and arrays of numbers. */
export const isNumbers = (kind: Kind): boolean =>
  isBytes(kind) || (isArray(kind) && typeof kind.of === 'string' && kind.of !== 'bool');

/** A kind as a caller would write it. */
export function shownKind(kind: Kind): string {
  if (typeof kind === 'string') return `'${kind}'`;
  if (isChars(kind) || isBytes(kind)) return `${kind.kind}(${kind.length})`;
  if (isArray(kind)) return `array(${shownKind(kind.of)}, ${kind.length})`;
  if (isAtomic(kind)) return `atomic('${kind.of}')`;
  return (kind as unknown as Struct).name ?? 'layout({…})';
}

/** Throws for what is no kind of a field; says what was probably meant. */
export function checkKind(where: string, kind: unknown): asserts kind is Kind {
  if ([isScalar, isChars, isBytes, isArray, isAtomic, isStruct].some((is) => is(kind))) return;
  const got = inspect(kind, { depth: 0, breakLength: Infinity, maxStringLength: 80 });
  const known = Object.keys(SCALARS);
  const like = typeof kind === 'string' ? nearest(kind, known) : undefined;
  const meant = like === undefined ? '' : ` (did you mean '${like}'?)`;
  throw argumentError(
    `${where} is of no known kind, got ${got}${meant}; known are ${known.join(', ')}, chars(), bytes(), array(), atomic() and layouts`,
  );
}

/**
 * Text of at most `length` bytes of UTF-8, and NUL after it if it is shorter: `char name[length]` in C. A longer text is
 * refused, never cut. Text of exactly `length` bytes has no NUL after it, so C reads it with `strnlen`.
 *
 * @param length bytes, 1 to 2^32
 */
export function chars(length: number): Chars {
  checkInteger('length', length, 1, MOST_BYTES);
  return new CharsKind(length);
}

/**
 * Bytes without a meaning: `uint8_t name[length]` in C. Reading gives a view of the memory itself, from memory that is only
 * for reading a copy; setting copies exactly `length` bytes.
 *
 * @param length bytes, 1 to 2^32
 */
export function bytes(length: number): Bytes {
  checkInteger('length', length, 1, MOST_BYTES);
  return new BytesKind(length);
}

/**
 * `length` of a kind, one after the other: `type name[length]` in C. Numbers come as a typed array over the memory itself,
 * everything else as a `FieldArray`.
 *
 * @param of what each is: a scalar, `chars()`, `bytes()`, an atomic, a layout, an array
 * @param length how many, 1 to 2^32
 */
export function array<const K extends Kind>(of: K, length: number): ArrayOf<K> {
  checkKind('what the array is of', of);
  checkInteger('length', length, 1, MOST_BYTES);
  return new ArrayKind(of, length);
}

/**
 * An integer that several processes change at once, by `Atomics`: `_Atomic type` in C, `std::atomic<type>` in C++. All
 * operations are sequentially consistent.
 *
 * @param of an integer kind, 8 to 64 bits
 */
export function atomic<const S extends AtomicScalar>(of: S): AtomicOf<S> {
  if (!ATOMIC_SCALARS.includes(of)) {
    const got = inspect(of, { depth: 0, breakLength: Infinity, maxStringLength: 80 });
    throw argumentError(`what is atomic must be one of ${ATOMIC_SCALARS.join(', ')}, got ${got}`);
  }
  return new AtomicKind(of);
}
