/** The fields of a view as properties. */
import { codecOf } from './codec.js';
import { FIXED_SCALARS } from './fixedScalars.js';
import { isNumbers } from './kinds.js';
import { MOVING_SCALARS } from './movingScalars.js';
import { readOnlyError } from './region.js';
import type { PlacedField } from './struct.js';
import { type LiveView, type Place, placeOf, type ReadOnlyView } from './view.js';

type Getter = (this: LiveView | ReadOnlyView) => unknown;
type Setter = (this: LiveView | ReadOnlyView, value: unknown) => void;

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
 * @param moves whether it is for views that move
 */
export function liveProperty(field: PlacedField, slot: number, moves: boolean): PropertyDescriptor {
  const property =
    typeof field.kind === 'string'
      ? (moves ? MOVING_SCALARS : FIXED_SCALARS)[field.kind](field.offset)
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
