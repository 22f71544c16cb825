/**
 * The fields of a view as properties. Those of scalars are the fast way: one call of a DataView's method, in a function of 25 to
 * 31 bytes of bytecode: up to 27 V8 compiles it into its caller however many there are, and of larger ones 920 bytes. They are written out, since a function that looked its method
 * up by name would not be, and nothing may be added to them: see docs/design/layout.md.
 */
import { codecOf } from './codec.js';
import { isNumbers } from './kinds.js';
import { readOnlyError } from './region.js';
import type { PlacedField } from './struct.js';
import type { Scalar } from './types.js';
import { type LiveView, type Place, placeOf, type ReadOnlyView } from './view.js';

type Getter = (this: LiveView | ReadOnlyView) => unknown;
type Setter = (this: LiveView | ReadOnlyView, value: unknown) => void;
type ScalarProperty = { get(this: LiveView): unknown; set(this: LiveView, value: never): void };

// Small signed ones are stored by the method for unsigned ones, which stores the same bits: V8 of Node 24 compiles setInt8 and setInt16
// so that their first call throws the code away, and then calls them (20 ns).
const SCALAR_PROPERTIES: Readonly<Record<Scalar, (offset: number) => ScalarProperty>> = {
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

/** What a view has made for its fields is in properties of these names; the first eight have getters of their own, since each is then one load. */
export const slotName = (slot: number): `@${number}` => `@${slot}`;

const KEPT: readonly Getter[] = [
  function () {
    return this['@0'];
  },
  function () {
    return this['@1'];
  },
  function () {
    return this['@2'];
  },
  function () {
    return this['@3'];
  },
  function () {
    return this['@4'];
  },
  function () {
    return this['@5'];
  },
  function () {
    return this['@6'];
  },
  function () {
    return this['@7'];
  },
];

function kept(slot: number): Getter {
  const name = slotName(slot);
  return (
    KEPT[slot] ??
    function () {
      return this[name];
    }
  );
}

function shown({ name, kind, offset }: PlacedField): Getter {
  return function () {
    const { region, at } = placeOf(this) as Place;
    return codecOf(kind).show(region, at + offset, name);
  };
}

function stored({ name, kind, offset }: PlacedField): Setter {
  return function (value) {
    const { region, at } = placeOf(this) as Place;
    if (region.readOnly) throw readOnlyError(region);
    const codec = codecOf(kind);
    codec.store(region, at + offset, codec.take(name, value));
  };
}

/**
 * The property of a field of memory that can be written.
 *
 * @param slot where the view keeps what was made for the field; negative if it keeps nothing
 */
export function liveProperty(field: PlacedField, slot: number): PropertyDescriptor {
  const property =
    typeof field.kind === 'string'
      ? SCALAR_PROPERTIES[field.kind](field.offset)
      : { get: slot < 0 ? shown(field) : kept(slot), set: stored(field) };
  return { ...property, configurable: true };
}

/**
 * The same property where memory may be gone: a DataView's own error then becomes `ERR_INTERPROC_CLOSED`, and so does a typed array that
 * is empty. It costs nothing either, but is so large that V8 compiles only some fifteen of them into one function.
 */
export function carefulProperty({ kind }: PlacedField, { get, set }: PropertyDescriptor): PropertyDescriptor {
  const checkFirst = isNumbers(kind);
  return {
    configurable: true,
    get(this: LiveView): unknown {
      try {
        if (checkFirst) this.getUint8(0);
        return (get as Getter).call(this);
      } catch (error) {
        throw explained(this, error);
      }
    },
    set(this: LiveView, value: unknown) {
      try {
        (set as Setter).call(this, value);
      } catch (error) {
        throw explained(this, error);
      }
    },
  };
}

function explained(view: LiveView, error: unknown): unknown {
  const { region } = placeOf(view) as Place;
  if (!region.readOnly) region.use();
  return error;
}

/** The property of a field of memory that is only for reading: a copy, or an accessor that makes copies. */
export function readOnlyProperty(field: PlacedField, slot: number): PropertyDescriptor {
  return { get: slot < 0 ? shown(field) : kept(slot), set: stored(field) };
}
