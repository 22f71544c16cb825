/**
 * The fields of a view as properties. Those of scalars are the fast way: one call of a DataView's method, in a function so
 * small that V8 compiles it into its caller. They are written out, since a function that looked its method up by name would not be.
 */
import { inspect } from 'node:util';
import { argumentError } from '../core/errors.js';
import { codecOf } from './codec.js';
import { isStruct } from './kinds.js';
import { readOnlyError } from './region.js';
import type { PlacedField } from './struct.js';
import type { Scalar } from './types.js';
import { type LiveView, type Place, placeOf, type ReadOnlyView } from './view.js';

/** What a DataView's error means here: the memory is gone, or the value is none for this field. */
function explained(view: LiveView, error: unknown, name: string, ...values: unknown[]): unknown {
  const { region } = placeOf(view) as Place;
  if (!region.readOnly) region.use();
  const wrong = values.findIndex((value) => typeof value !== 'object' && typeof value !== 'function');
  if (wrong < 0) return error;
  return argumentError(`${name} cannot be set to ${inspect(values[wrong])}: ${(error as Error).message}`);
}

type Property = { get(this: LiveView): unknown; set(this: LiveView, value: never): void };

const SCALAR_PROPERTIES: Readonly<Record<Scalar, (name: string, offset: number) => Property>> = {
  u8: (name, offset) => ({
    get(this: LiveView): number {
      try {
        return this.getUint8(this['@base'] + offset);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: number) {
      try {
        this.setUint8(this['@base'] + offset, value);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  i8: (name, offset) => ({
    get(this: LiveView): number {
      try {
        return this.getInt8(this['@base'] + offset);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: number) {
      try {
        this.setInt8(this['@base'] + offset, value);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  u16: (name, offset) => ({
    get(this: LiveView): number {
      try {
        return this.getUint16(this['@base'] + offset, true);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: number) {
      try {
        this.setUint16(this['@base'] + offset, value, true);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  i16: (name, offset) => ({
    get(this: LiveView): number {
      try {
        return this.getInt16(this['@base'] + offset, true);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: number) {
      try {
        this.setInt16(this['@base'] + offset, value, true);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  u32: (name, offset) => ({
    get(this: LiveView): number {
      try {
        return this.getUint32(this['@base'] + offset, true);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: number) {
      try {
        this.setUint32(this['@base'] + offset, value, true);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  i32: (name, offset) => ({
    get(this: LiveView): number {
      try {
        return this.getInt32(this['@base'] + offset, true);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: number) {
      try {
        this.setInt32(this['@base'] + offset, value, true);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  u64: (name, offset) => ({
    get(this: LiveView): bigint {
      try {
        return this.getBigUint64(this['@base'] + offset, true);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: bigint) {
      try {
        this.setBigUint64(this['@base'] + offset, value, true);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  i64: (name, offset) => ({
    get(this: LiveView): bigint {
      try {
        return this.getBigInt64(this['@base'] + offset, true);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: bigint) {
      try {
        this.setBigInt64(this['@base'] + offset, value, true);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  f32: (name, offset) => ({
    get(this: LiveView): number {
      try {
        return this.getFloat32(this['@base'] + offset, true);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: number) {
      try {
        this.setFloat32(this['@base'] + offset, value, true);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  f64: (name, offset) => ({
    get(this: LiveView): number {
      try {
        return this.getFloat64(this['@base'] + offset, true);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: number) {
      try {
        this.setFloat64(this['@base'] + offset, value, true);
      } catch (error) {
        throw explained(this, error, name, value);
      }
    },
  }),
  bool: (name, offset) => ({
    get(this: LiveView): boolean {
      try {
        return this.getUint8(this['@base'] + offset) !== 0;
      } catch (error) {
        throw explained(this, error, name);
      }
    },
    set(this: LiveView, value: boolean) {
      try {
        this.setUint8(this['@base'] + offset, value ? 1 : 0);
      } catch (error) {
        throw explained(this, error, name);
      }
    },
  }),
};

/** What a view has made for a field: made again once the memory is gone, which then says so. */
function partOf(view: LiveView | ReadOnlyView, { name, kind, offset }: PlacedField, part: number): unknown {
  const { region, at } = placeOf(view) as Place;
  const made = codecOf(kind).show(region, at + offset, name);
  view['@parts'][part] = made as object;
  return made;
}

function setSlowly(view: LiveView | ReadOnlyView, { name, kind, offset }: PlacedField, value: unknown): void {
  const { region, at } = placeOf(view) as Place;
  if (region.readOnly) throw readOnlyError(region);
  const codec = codecOf(kind);
  const taken = codec.take(name, value);
  region.use();
  codec.store(region, at + offset, taken);
}

function showSlowly(view: LiveView | ReadOnlyView, { name, kind, offset }: PlacedField): unknown {
  const { region, at } = placeOf(view) as Place;
  return codecOf(kind).show(region, at + offset, name);
}

/** A typed array is empty once its memory is gone. */
const isEmptied = (part: object): boolean => 'length' in part && part.length === 0;

/**
 * The property of a field of memory that can be written.
 *
 * @param part which of the view's parts is this field's; negative if it has none
 */
export function liveProperty(field: PlacedField, part: number): PropertyDescriptor {
  if (typeof field.kind === 'string') return SCALAR_PROPERTIES[field.kind](field.name, field.offset);
  function set(this: LiveView, value: unknown): void {
    setSlowly(this, field, value);
  }
  if (isStruct(field.kind)) {
    return {
      get(this: LiveView): unknown {
        return this['@parts'][part] ?? partOf(this, field, part);
      },
      set,
    };
  }
  if (part < 0) {
    return {
      get(this: LiveView): unknown {
        return showSlowly(this, field);
      },
      set,
    };
  }
  return {
    get(this: LiveView): unknown {
      const made = this['@parts'][part];
      return made === undefined || isEmptied(made) ? partOf(this, field, part) : made;
    },
    set,
  };
}

/** The property of a field of memory that is only for reading: a copy, or an accessor that makes copies. */
export function readOnlyProperty(field: PlacedField, part: number): PropertyDescriptor {
  const isCopied = part < 0 || ['bytes', 'array'].includes((field.kind as { kind: string }).kind);
  return {
    get(this: ReadOnlyView): unknown {
      if (isCopied) return showSlowly(this, field);
      return this['@parts'][part] ?? partOf(this, field, part);
    },
    set(this: ReadOnlyView, value: unknown) {
      setSlowly(this, field, value);
    },
  };
}
