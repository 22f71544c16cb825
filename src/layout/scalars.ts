/** The kinds that are one value: their size, which is also their alignment (LP64), and their names elsewhere. */
import type { AtomicScalar, Scalar } from './types.js';

/** What is known of a scalar. */
export interface ScalarFacts {
  /** Bytes, and what its offset must be a multiple of. */
  readonly size: number;
  readonly c: string;
  readonly ctypes: string;
  /** What may be stored; undefined where any number may. */
  readonly range?: readonly [least: number | bigint, most: number | bigint];
}

const unsigned = (bits: number): [bigint, bigint] => [0n, (1n << BigInt(bits)) - 1n];
const signed = (bits: number): [bigint, bigint] => [-1n << BigInt(bits - 1), (1n << BigInt(bits - 1)) - 1n];
const small = ([least, most]: [bigint, bigint]): [number, number] => [Number(least), Number(most)];

/** Every scalar. */
export const SCALARS: Readonly<Record<Scalar, ScalarFacts>> = {
  u8: { size: 1, c: 'uint8_t', ctypes: 'c_uint8', range: small(unsigned(8)) },
  i8: { size: 1, c: 'int8_t', ctypes: 'c_int8', range: small(signed(8)) },
  u16: { size: 2, c: 'uint16_t', ctypes: 'c_uint16', range: small(unsigned(16)) },
  i16: { size: 2, c: 'int16_t', ctypes: 'c_int16', range: small(signed(16)) },
  u32: { size: 4, c: 'uint32_t', ctypes: 'c_uint32', range: small(unsigned(32)) },
  i32: { size: 4, c: 'int32_t', ctypes: 'c_int32', range: small(signed(32)) },
  u64: { size: 8, c: 'uint64_t', ctypes: 'c_uint64', range: unsigned(64) },
  i64: { size: 8, c: 'int64_t', ctypes: 'c_int64', range: signed(64) },
  f32: { size: 4, c: 'float', ctypes: 'c_float' },
  f64: { size: 8, c: 'double', ctypes: 'c_double' },
  bool: { size: 1, c: 'bool', ctypes: 'c_bool' },
};

/** Those that can be atomic. */
export const ATOMIC_SCALARS: readonly AtomicScalar[] = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64'];

/** Whether this names a scalar. */
export const isScalar = (kind: unknown): kind is Scalar => typeof kind === 'string' && Object.hasOwn(SCALARS, kind);
