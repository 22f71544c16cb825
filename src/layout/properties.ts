/**
 * The fields of a view as properties. Those of scalars are the fast way: one call of a DataView's method, in a function so
 * small that V8 compiles it into its caller. They are written out, since a function that looked its method up by name would not be.
 */
import { inspect } from 'node:util';
import { argumentError } from '../core/errors.js';
import { codecOf } from './codec.js';
import { isNumbers } from './kinds.js';
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

type ScalarProperty = { get(this: LiveView): unknown; set(this: LiveView, value: never): void };

const SCALAR_PROPERTIES: Readonly<Record<Scalar, (name: string, offset: number) => ScalarProperty>> = {
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

type Getter = (this: LiveView | ReadOnlyView) => unknown;

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

/** The same for typed arrays, which do not say so when their memory is gone. A DataView does, and its load costs next to nothing. */
const KEPT_NUMBERS: readonly ((this: LiveView) => unknown)[] = [
  function () {
    try {
      this.getUint8(0);
      return this['@0'];
    } catch (error) {
      throw explained(this, error, '');
    }
  },
  function () {
    try {
      this.getUint8(0);
      return this['@1'];
    } catch (error) {
      throw explained(this, error, '');
    }
  },
  function () {
    try {
      this.getUint8(0);
      return this['@2'];
    } catch (error) {
      throw explained(this, error, '');
    }
  },
  function () {
    try {
      this.getUint8(0);
      return this['@3'];
    } catch (error) {
      throw explained(this, error, '');
    }
  },
  function () {
    try {
      this.getUint8(0);
      return this['@4'];
    } catch (error) {
      throw explained(this, error, '');
    }
  },
  function () {
    try {
      this.getUint8(0);
      return this['@5'];
    } catch (error) {
      throw explained(this, error, '');
    }
  },
  function () {
    try {
      this.getUint8(0);
      return this['@6'];
    } catch (error) {
      throw explained(this, error, '');
    }
  },
  function () {
    try {
      this.getUint8(0);
      return this['@7'];
    } catch (error) {
      throw explained(this, error, '');
    }
  },
];

function keptBeyond(slot: number): Getter {
  const name = slotName(slot);
  return function () {
    const { region } = placeOf(this) as Place;
    if (!region.readOnly) region.use();
    return this[name];
  };
}

function show(view: LiveView | ReadOnlyView, { name, kind, offset }: PlacedField): unknown {
  const { region, at } = placeOf(view) as Place;
  return codecOf(kind).show(region, at + offset, name);
}

function store(view: LiveView | ReadOnlyView, { name, kind, offset }: PlacedField, value: unknown): void {
  const { region, at } = placeOf(view) as Place;
  if (region.readOnly) throw readOnlyError(region);
  const codec = codecOf(kind);
  const taken = codec.take(name, value);
  codec.store(region, at + offset, taken);
}

/**
 * The property of a field of memory that can be written.
 *
 * @param slot where the view keeps what was made for the field; negative if it keeps nothing
 */
export function liveProperty(field: PlacedField, slot: number): PropertyDescriptor {
  if (typeof field.kind === 'string') return SCALAR_PROPERTIES[field.kind](field.name, field.offset);
  const getters = isNumbers(field.kind) ? KEPT_NUMBERS : KEPT;
  return {
    get: slot < 0 ? shown(field) : (getters[slot] ?? keptBeyond(slot)),
    set(this: LiveView, value: unknown) {
      store(this, field, value);
    },
  };
}

/** The property of a field of memory that is only for reading: a copy, or an accessor that makes copies. */
export function readOnlyProperty(field: PlacedField, slot: number): PropertyDescriptor {
  return {
    get: slot < 0 ? shown(field) : (KEPT[slot] ?? keptBeyond(slot)),
    set(this: ReadOnlyView, value: unknown) {
      store(this, field, value);
    },
  };
}

function shown(field: PlacedField): Getter {
  return function () {
    return show(this, field);
  };
}
