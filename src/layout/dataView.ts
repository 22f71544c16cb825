/** Scalars in any memory by their kind: the way that need not be the fastest. */
import type { Scalar } from './types.js';

interface Access {
  get(data: DataView, at: number): unknown;
  set(data: DataView, at: number, value: never): void;
}

/** How a scalar of each kind is loaded and stored, little-endian. */
export const SCALAR_ACCESS: Readonly<Record<Scalar, Access>> = {
  u8: { get: (data, at) => data.getUint8(at), set: (data, at, value) => data.setUint8(at, value) },
  i8: { get: (data, at) => data.getInt8(at), set: (data, at, value) => data.setInt8(at, value) },
  u16: { get: (data, at) => data.getUint16(at, true), set: (data, at, value) => data.setUint16(at, value, true) },
  i16: { get: (data, at) => data.getInt16(at, true), set: (data, at, value) => data.setInt16(at, value, true) },
  u32: { get: (data, at) => data.getUint32(at, true), set: (data, at, value) => data.setUint32(at, value, true) },
  i32: { get: (data, at) => data.getInt32(at, true), set: (data, at, value) => data.setInt32(at, value, true) },
  u64: { get: (data, at) => data.getBigUint64(at, true), set: (data, at, value) => data.setBigUint64(at, value, true) },
  i64: { get: (data, at) => data.getBigInt64(at, true), set: (data, at, value) => data.setBigInt64(at, value, true) },
  f32: { get: (data, at) => data.getFloat32(at, true), set: (data, at, value) => data.setFloat32(at, value, true) },
  f64: { get: (data, at) => data.getFloat64(at, true), set: (data, at, value) => data.setFloat64(at, value, true) },
  bool: { get: (data, at) => data.getUint8(at) !== 0, set: (data, at, value) => data.setUint8(at, value ? 1 : 0) },
};
