/**
 * The scalars of a view as properties: the fast way. Each is one call of a DataView's method, in a function of at most 27 bytes of
 * bytecode, which V8 compiles into its caller however many there are. They are written out, since a function that looked its method
 * up by name would not be, and nothing may be added to them: see docs/design/layout.md.
 *
 * Small signed ones are stored by the method for unsigned ones, which stores the same bits: V8 of Node 24 compiles setInt8 and setInt16
 * so that their first call throws the code away, and then calls them (20 ns).
 */
import type { Scalar } from './types.js';
import type { LiveView } from './view.js';

/** A property of a view. */
export type ScalarProperty = { get(this: LiveView): unknown; set(this: LiveView, value: never): void };

/** The property of a scalar at a place of the struct. */
export type ScalarProperties = Readonly<Record<Scalar, (offset: number) => ScalarProperty>>;

/** For views that stay: their DataView begins where the struct does. */
export const FIXED_SCALARS: ScalarProperties = {
  u8: (offset) => ({
    get(this: LiveView) {
      return this.getUint8(offset);
    },
    set(this: LiveView, value: number) {
      this.setUint8(offset, value);
    },
  }),
  i8: (offset) => ({
    get(this: LiveView) {
      return this.getInt8(offset);
    },
    set(this: LiveView, value: number) {
      this.setUint8(offset, value);
    },
  }),
  u16: (offset) => ({
    get(this: LiveView) {
      return this.getUint16(offset, true);
    },
    set(this: LiveView, value: number) {
      this.setUint16(offset, value, true);
    },
  }),
  i16: (offset) => ({
    get(this: LiveView) {
      return this.getInt16(offset, true);
    },
    set(this: LiveView, value: number) {
      this.setUint16(offset, value, true);
    },
  }),
  u32: (offset) => ({
    get(this: LiveView) {
      return this.getUint32(offset, true);
    },
    set(this: LiveView, value: number) {
      this.setUint32(offset, value, true);
    },
  }),
  i32: (offset) => ({
    get(this: LiveView) {
      return this.getInt32(offset, true);
    },
    set(this: LiveView, value: number) {
      this.setInt32(offset, value, true);
    },
  }),
  u64: (offset) => ({
    get(this: LiveView) {
      return this.getBigUint64(offset, true);
    },
    set(this: LiveView, value: bigint) {
      this.setBigUint64(offset, value, true);
    },
  }),
  i64: (offset) => ({
    get(this: LiveView) {
      return this.getBigInt64(offset, true);
    },
    set(this: LiveView, value: bigint) {
      this.setBigInt64(offset, value, true);
    },
  }),
  f32: (offset) => ({
    get(this: LiveView) {
      return this.getFloat32(offset, true);
    },
    set(this: LiveView, value: number) {
      this.setFloat32(offset, value, true);
    },
  }),
  f64: (offset) => ({
    get(this: LiveView) {
      return this.getFloat64(offset, true);
    },
    set(this: LiveView, value: number) {
      this.setFloat64(offset, value, true);
    },
  }),
  bool: (offset) => ({
    get(this: LiveView) {
      return this.getUint8(offset) !== 0;
    },
    set(this: LiveView, value: boolean) {
      this.setUint8(offset, value ? 1 : 0);
    },
  }),
};
