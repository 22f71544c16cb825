/**
 * The same properties as in fixedScalars.ts for views that move, where the struct begins at `@base` of the DataView. They are a table of their own
 * because the load of `@base` makes setters too large to be always compiled into their callers.
 */
import type { ScalarProperties } from './fixedScalars.js';
import type { LiveView } from './view.js';

/** For views that move. */
export const MOVING_SCALARS: ScalarProperties = {
  u8: (offset) => ({
    get(this: LiveView) {
      return this.getUint8(this['@base'] + offset);
    },
    set(this: LiveView, value: number) {
      this.setUint8(this['@base'] + offset, value);
    },
  }),
  i8: (offset) => ({
    get(this: LiveView) {
      return this.getInt8(this['@base'] + offset);
    },
    set(this: LiveView, value: number) {
      this.setUint8(this['@base'] + offset, value);
    },
  }),
  u16: (offset) => ({
    get(this: LiveView) {
      return this.getUint16(this['@base'] + offset, true);
    },
    set(this: LiveView, value: number) {
      this.setUint16(this['@base'] + offset, value, true);
    },
  }),
  i16: (offset) => ({
    get(this: LiveView) {
      return this.getInt16(this['@base'] + offset, true);
    },
    set(this: LiveView, value: number) {
      this.setUint16(this['@base'] + offset, value, true);
    },
  }),
  u32: (offset) => ({
    get(this: LiveView) {
      return this.getUint32(this['@base'] + offset, true);
    },
    set(this: LiveView, value: number) {
      this.setUint32(this['@base'] + offset, value, true);
    },
  }),
  i32: (offset) => ({
    get(this: LiveView) {
      return this.getInt32(this['@base'] + offset, true);
    },
    set(this: LiveView, value: number) {
      this.setInt32(this['@base'] + offset, value, true);
    },
  }),
  u64: (offset) => ({
    get(this: LiveView) {
      return this.getBigUint64(this['@base'] + offset, true);
    },
    set(this: LiveView, value: bigint) {
      this.setBigUint64(this['@base'] + offset, value, true);
    },
  }),
  i64: (offset) => ({
    get(this: LiveView) {
      return this.getBigInt64(this['@base'] + offset, true);
    },
    set(this: LiveView, value: bigint) {
      this.setBigInt64(this['@base'] + offset, value, true);
    },
  }),
  f32: (offset) => ({
    get(this: LiveView) {
      return this.getFloat32(this['@base'] + offset, true);
    },
    set(this: LiveView, value: number) {
      this.setFloat32(this['@base'] + offset, value, true);
    },
  }),
  f64: (offset) => ({
    get(this: LiveView) {
      return this.getFloat64(this['@base'] + offset, true);
    },
    set(this: LiveView, value: number) {
      this.setFloat64(this['@base'] + offset, value, true);
    },
  }),
  bool: (offset) => ({
    get(this: LiveView) {
      return this.getUint8(this['@base'] + offset) !== 0;
    },
    set(this: LiveView, value: boolean) {
      this.setUint8(this['@base'] + offset, value ? 1 : 0);
    },
  }),
};
