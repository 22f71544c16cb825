/**
 * Typed layouts: the fields of a C struct, by name, over any memory.
 *
 * @example
 * const Tick = layout.layout({ id: 'u32', price: 'f64', name: layout.chars(16), ready: layout.atomic('i32') });
 */
export type { AtomicField } from './atomicField.js';
export { Cursor } from './cursor.js';
export { FieldArray, StructArray } from './fieldArray.js';
export { array, atomic, bytes, chars } from './kinds.js';
export { Layout, type LayoutOptions, layout } from './layout.js';
export { type PlacedField, Struct } from './struct.js';
export type {
  Accessed,
  ArrayOf,
  AtomicOf,
  AtomicScalar,
  BigScalar,
  Bytes,
  Chars,
  Fields,
  Kind,
  Memory,
  NumberScalar,
  Plain,
  PlainOf,
  Scalar,
  ValueOf,
  View,
  ViewOf,
} from './types.js';
export { type HeaderFacts, Versioned, type VersionedOptions, versioned } from './versioned.js';
