/**
 * What can be done with a field of each kind, the same for all memory: look at it, set it, check a value for it, copy it
 * out. The fast way of a view's own scalars is `properties.ts`; everything else goes through here.
 */
import { inspect, types } from 'node:util';
import { argumentError, rangeError } from '../core/errors.js';
import { LiveAtomic, ReadOnlyAtomic } from './atomicField.js';
import { SCALAR_ACCESS } from './dataView.js';
import { FieldArray, StructArray } from './fieldArray.js';
import { isArray, isAtomic, isBytes, isChars, isStruct } from './kinds.js';
import { INTEGER_ARRAYS, type LiveRegion, type Region } from './region.js';
import { SCALARS } from './scalars.js';
import type { Struct } from './struct.js';
import { readText, takeText, writeText } from './text.js';
import type { ArrayOf, AtomicScalar, Kind, Scalar } from './types.js';
import { viewAt } from './view.js';

/** The operations on a kind. `at` counts from the beginning of the region, `name` is the field's, for messages. */
export interface Codec {
  /** Bytes. */
  readonly size: number;
  /** What a view shows: a value, or an accessor that stays at this place. */
  show(region: Region, at: number, name: string): unknown;
  /** What `store` takes, each part of it read once; throws for what cannot be stored. */
  take(name: string, value: unknown): unknown;
  /** Stores what was taken. */
  store(region: LiveRegion, at: number, value: unknown): void;
  /** A copy without any memory behind it. */
  plain(region: LiveRegion, at: number): unknown;
}

const shown = (value: unknown): string =>
  inspect(value, { depth: 0, maxStringLength: 80, maxArrayLength: 3, breakLength: Infinity });

/** The region with the bytes at `at`, and where they are in it: the memory itself, or a copy where it is only for reading. */
function loaded(region: Region, at: number, size: number): [LiveRegion, number] {
  return region.readOnly ? [region.copy(at, size), 0] : [region, at];
}

function takeScalar(kind: Scalar, name: string, value: unknown): unknown {
  const { range, size } = SCALARS[kind];
  if (kind === 'bool') {
    if (typeof value !== 'boolean') throw argumentError(`${name} must be a boolean, got ${shown(value)}`);
    return value;
  }
  const wanted = range !== undefined && size === 8 ? 'bigint' : 'number';
  if (typeof value !== wanted) throw argumentError(`${name} must be a ${wanted}, got ${shown(value)}`);
  if (range === undefined) return value;
  const number = value as number | bigint;
  if (number < range[0] || number > range[1] || (wanted === 'number' && !Number.isInteger(number))) {
    throw rangeError(`${name} must be a whole number from ${range[0]} to ${range[1]}, got ${number}`);
  }
  return value;
}

function scalarCodec(kind: Scalar): Codec {
  const { size } = SCALARS[kind];
  const { get, set } = SCALAR_ACCESS[kind];
  return {
    size,
    show(region, at) {
      const [from, place] = loaded(region, at, size);
      return get(from.data, place);
    },
    take: (name, value) => takeScalar(kind, name, value),
    store: (region, at, value) => set(region.data, at, value as never),
    plain: (region, at) => get(region.data, at),
  };
}

function charsCodec(size: number): Codec {
  return {
    size,
    show(region, at) {
      const [from, place] = loaded(region, at, size);
      return readText(from.bytes, place, size);
    },
    take: (name, value) => takeText(name, value, size),
    store: (region, at, value) => writeText(region.bytes, at, size, value as string),
    plain: (region, at) => readText(region.bytes, at, size),
  };
}

function bytesCodec(size: number): Codec {
  return {
    size,
    show(region, at) {
      const [from, place] = loaded(region, at, size);
      from.use();
      return new Uint8Array(from.buffer, from.start + place, size);
    },
    take(name, value) {
      if (!types.isUint8Array(value)) throw argumentError(`${name} must be a Uint8Array, got ${shown(value)}`);
      if (value.length !== size) throw rangeError(`${name} has ${size} bytes, and ${value.length} were given`);
      return value;
    },
    store: (region, at, value) => region.bytes.set(value as Uint8Array, at),
    plain: (region, at) => Uint8Array.from(region.bytes.subarray(at, at + size)),
  };
}

function atomicCodec(kind: AtomicScalar): Codec {
  const { size } = SCALARS[kind];
  const words = (region: LiveRegion): Int32Array => region.atomics(kind) as Int32Array;
  return {
    size,
    show: (region, at, name) =>
      region.readOnly ? new ReadOnlyAtomic(region, at, kind) : new LiveAtomic(region, at, kind, name),
    take: (name, value) => takeScalar(kind, name, value),
    store: (region, at, value) => void Atomics.store(words(region), at / size, value as number),
    plain: (region, at) => Atomics.load(words(region), at / size),
  };
}

const NUMBERS = { ...INTEGER_ARRAYS, f32: Float32Array, f64: Float64Array } as const;

/** The elements of what has exactly `length` of them in order. */
export function elementsOf(name: string, value: unknown, length: number): unknown[] {
  if (!Array.isArray(value) && !types.isTypedArray(value) && !(value instanceof FieldArray)) {
    throw argumentError(`${name} must be an array of ${length}, got ${shown(value)}`);
  }
  const elements = Array.from<unknown>(value as Iterable<unknown>);
  if (elements.length !== length) throw rangeError(`${name} has ${length} elements, and ${elements.length} were given`);
  return elements;
}

function arrayCodec({ of, length }: ArrayOf<Kind>): Codec {
  const inner = codecOf(of);
  const size = inner.size * length;
  const values: Omit<Codec, 'show'> = {
    size,
    take: (name, value) =>
      elementsOf(name, value, length).map((element, index) => inner.take(`${name}[${index}]`, element)),
    store(region, at, value) {
      for (const [index, element] of (value as unknown[]).entries())
        inner.store(region, at + index * inner.size, element);
    },
    plain: (region, at) => Array.from({ length }, (_, index) => inner.plain(region, at + index * inner.size)),
  };
  if (typeof of === 'string' && of !== 'bool') {
    const Numbers = NUMBERS[of];
    return {
      ...values,
      show(region, at) {
        const [from, place] = loaded(region, at, size);
        from.use();
        return new Numbers(from.buffer as ArrayBuffer, from.start + place, length);
      },
    };
  }
  return {
    ...values,
    show: (region, at, name) =>
      isStruct(of)
        ? new StructArray(of, region, at, length, name, true)
        : new FieldArray(inner, region, at, length, name),
  };
}

/** The value of each field, with all of it there and nothing else. */
function takeStruct(struct: Struct, name: string, value: unknown, mayLack: boolean): Record<string, unknown> {
  const called = struct.name ?? 'its layout';
  if (typeof value !== 'object' || value === null) {
    throw argumentError(`${name} must be an object with the fields of ${called}, got ${shown(value)}`);
  }
  for (const key of Object.keys(value)) {
    if (struct.fields.every((field) => field.name !== key)) {
      const known = struct.fields.map((field) => field.name).join(', ');
      throw argumentError(`${name} has no field ${inspect(key)}; there are ${known}`);
    }
  }
  const taken: Record<string, unknown> = {};
  for (const { name: field, kind } of struct.fields) {
    if (field in value) {
      taken[field] = codecOf(kind).take(`${name}.${field}`, (value as Record<string, unknown>)[field]);
    } else if (!mayLack) {
      throw argumentError(`${name}.${field} is missing`);
    }
  }
  return taken;
}

/** The codec of a struct. */
export interface StructCodec extends Codec {
  /** As `take`, but fields may be missing; those stay as they are. */
  takeSome(name: string, value: unknown): unknown;
}

function structCodec(struct: Struct): StructCodec {
  return {
    size: struct.byteLength,
    show: (region, at) => viewAt(struct, region, at),
    take: (name, value) => takeStruct(struct, name, value, false),
    takeSome: (name, value) => takeStruct(struct, name, value, true),
    store(region, at, value) {
      const taken = value as Record<string, unknown>;
      for (const { name, kind, offset } of struct.fields) {
        if (Object.hasOwn(taken, name)) codecOf(kind).store(region, at + offset, taken[name]);
      }
    },
    plain(region, at) {
      const value: Record<string, unknown> = {};
      for (const { name, kind, offset } of struct.fields) value[name] = codecOf(kind).plain(region, at + offset);
      return value;
    },
  };
}

const ofScalars = new Map<string, Codec>();
const ofObjects = new WeakMap<object, Codec>();

function make(kind: Kind | Struct): Codec {
  if (typeof kind === 'string') return scalarCodec(kind);
  if (isChars(kind)) return charsCodec(kind.length);
  if (isBytes(kind)) return bytesCodec(kind.length);
  if (isAtomic(kind)) return atomicCodec(kind.of);
  if (isArray(kind)) return arrayCodec(kind);
  return structCodec(kind as Struct);
}

/** The operations on this kind. */
export function codecOf(kind: Struct): StructCodec;
export function codecOf(kind: Kind): Codec;
export function codecOf(kind: Kind | Struct): Codec {
  const known = typeof kind === 'string' ? ofScalars.get(kind) : ofObjects.get(kind);
  if (known !== undefined) return known;
  const made = make(kind);
  if (typeof kind === 'string') ofScalars.set(kind, made);
  else ofObjects.set(kind, made);
  return made;
}
