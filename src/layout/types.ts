/** What TypeScript makes of a layout: the types of its fields as they are seen through a view, and as plain values. */
import type { Mapping } from '../mmap/index.js';
import type { AtomicField } from './atomicField.js';
import type { FieldArray, StructArray } from './fieldArray.js';
import type { Layout } from './layout.js';

/** Kinds of 8 to 32 bits and floating point: a `number`. */
export type NumberScalar = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64';

/** Kinds of 64 bits: a `bigint`. */
export type BigScalar = 'u64' | 'i64';

/** The kinds that are one value: integers by their width, `u` without and `i` with a sign; `f32`, `f64`; `bool` of one byte. */
export type Scalar = NumberScalar | BigScalar | 'bool';

/** The kinds that can be atomic. */
export type AtomicScalar = Exclude<Scalar, 'f32' | 'f64' | 'bool'>;

/** Text in UTF-8 with NULs after it, made by `chars()`. */
export interface Chars {
  readonly kind: 'chars';
  /** Bytes. */
  readonly length: number;
}

/** Bytes, made by `bytes()`. */
export interface Bytes {
  readonly kind: 'bytes';
  /** Bytes. */
  readonly length: number;
}

/** Several of one kind, made by `array()`. */
export interface ArrayOf<K extends Kind> {
  readonly kind: 'array';
  /** What each is. */
  readonly of: K;
  /** How many. */
  readonly length: number;
}

/** An atomic integer, made by `atomic()`. */
export interface AtomicOf<S extends AtomicScalar> {
  readonly kind: 'atomic';
  /** The integer's kind. */
  readonly of: S;
}

/** What a field can be. */
export type Kind = Scalar | Chars | Bytes | AtomicOf<AtomicScalar> | ArrayOf<Any> | Layout<Any>;

// An array of arrays of … is a type that contains itself; checkKind() looks at what is in it.
// biome-ignore lint/suspicious/noExplicitAny: the one place where the circle is cut
type Any = any;

/** The fields of a layout, in the order in which they lie in memory. */
export type Fields = Readonly<Record<string, Kind>>;

type ScalarValue<S> = S extends BigScalar
  ? bigint
  : S extends 'bool'
    ? boolean
    : S extends NumberScalar
      ? number
      : never;

interface TypedArrays {
  u8: Uint8Array;
  i8: Int8Array;
  u16: Uint16Array;
  i16: Int16Array;
  u32: Uint32Array;
  i32: Int32Array;
  u64: BigUint64Array;
  i64: BigInt64Array;
  f32: Float32Array;
  f64: Float64Array;
}

/** A field as a view shows it. */
export type Accessed<K> = K extends Scalar
  ? ScalarValue<K>
  : K extends Chars
    ? string
    : K extends Bytes
      ? Uint8Array
      : K extends AtomicOf<infer S>
        ? AtomicField<ScalarValue<S>>
        : K extends ArrayOf<infer E>
          ? E extends keyof TypedArrays
            ? TypedArrays[E]
            : E extends Layout<infer F>
              ? StructArray<F>
              : FieldArray<Accessed<E>, Plain<E>>
          : K extends Layout<infer F>
            ? View<F>
            : never;

/** A field as a plain value, a copy: what `read()` and `toObject()` give, and `write()` takes. */
export type Plain<K> = K extends Scalar
  ? ScalarValue<K>
  : K extends Chars
    ? string
    : K extends Bytes
      ? Uint8Array
      : K extends AtomicOf<infer S>
        ? ScalarValue<S>
        : K extends ArrayOf<infer E>
          ? Plain<E>[]
          : K extends Layout<infer F>
            ? PlainOf<F>
            : never;

type Fixed = AtomicOf<AtomicScalar> | ArrayOf<Any>;

/**
 * The accessor object of a layout: a property for each field, which reads and writes the memory itself. Fields that are
 * atomic or arrays are changed by what the property gives; all others can be assigned.
 */
export type View<F extends Fields> = {
  -readonly [N in keyof F as F[N] extends Fixed ? never : N]: Accessed<F[N]>;
} & {
  readonly [N in keyof F as F[N] extends Fixed ? N : never]: Accessed<F[N]>;
};

/** A layout's fields as plain values. */
export type PlainOf<F extends Fields> = { -readonly [N in keyof F]: Plain<F[N]> };

/** The view of a layout, by the layout's own type: `ViewOf<typeof Tick>`. */
export type ViewOf<L> = L extends Layout<infer F> ? View<F> : never;

/** The plain value of a layout, by the layout's own type: `ValueOf<typeof Tick>`. */
export type ValueOf<L> = L extends Layout<infer F> ? PlainOf<F> : never;

/** What a layout can be laid over: a mapping, or any other memory. */
export type Memory = Mapping | ArrayBufferLike | Uint8Array;
