/**
 * The accessor object of a struct. Each layout has a class of its own for memory that can be written and one for memory
 * that is only for reading; their fields are accessors of the prototype. The classes are made with the first view.
 */
import { inspect } from 'node:util';
import { codecOf } from './codec.js';
import { isArray, isAtomic, isBytes, isStruct } from './kinds.js';
import { MOVE, type Movable, moveParts } from './movable.js';
import { liveProperty, readOnlyProperty } from './properties.js';
import { LiveRegion, type ReadOnlyRegion, type Region } from './region.js';
import type { PlacedField, Struct } from './struct.js';

/**
 * A view of memory that can be written. It **is** a DataView: a field is then one call of a method of `this`, and once V8 has
 * compiled that into its caller nothing is left of it but the access, whatever other layouts the program has. See
 * docs/design/layout.md for what else was measured.
 *
 * `@base` is where the struct begins in the DataView: other than 0 in nested ones and in those that move. `@parts` holds
 * what was made for its fields: nested views, arrays. Both names cannot be those of a field.
 */
export class LiveView extends DataView<ArrayBufferLike> implements Movable {
  declare '@base': number;
  declare '@parts': (object | undefined)[];
  readonly #struct: Struct;
  readonly #region: LiveRegion;

  constructor(struct: Struct, region: LiveRegion, base: number, parts: number) {
    super(region.buffer, region.start, region.length);
    this.#struct = struct;
    this.#region = region;
    Object.defineProperty(this, '@base', { value: base, writable: true });
    if (parts > 0) Object.defineProperty(this, '@parts', { value: new Array(parts).fill(undefined) });
  }

  [MOVE](by: number): void {
    this['@base'] += by;
    const parts = this['@parts'];
    if (parts !== undefined) moveParts(parts, by);
  }

  [inspect.custom](_depth: number, options: object): string {
    return shownView(this, options);
  }

  static placeOf(view: LiveView): Place {
    return { struct: view.#struct, region: view.#region, at: view['@base'] };
  }
}

/** A view of memory that is only for reading: each getter copies, each setter throws. */
export class ReadOnlyView implements Movable {
  declare '@base': number;
  declare '@parts': (object | undefined)[];
  readonly #struct: Struct;
  readonly #region: ReadOnlyRegion;

  constructor(struct: Struct, region: ReadOnlyRegion, base: number, parts: number) {
    this.#struct = struct;
    this.#region = region;
    Object.defineProperty(this, '@base', { value: base, writable: true });
    if (parts > 0) Object.defineProperty(this, '@parts', { value: new Array(parts).fill(undefined) });
  }

  [MOVE](by: number): void {
    this['@base'] += by;
    const parts = this['@parts'];
    if (parts !== undefined) moveParts(parts, by);
  }

  [inspect.custom](_depth: number, options: object): string {
    return shownView(this, options);
  }

  static placeOf(view: ReadOnlyView): Place {
    return { struct: view.#struct, region: view.#region, at: view['@base'] };
  }
}

/** What a view is of, and where it stands. */
export interface Place {
  readonly struct: Struct;
  readonly region: Region;
  readonly at: number;
}

/** What a view is of, and where; undefined for what is no view. */
export function placeOf(view: unknown): Place | undefined {
  if (view instanceof LiveView) return LiveView.placeOf(view);
  if (view instanceof ReadOnlyView) return ReadOnlyView.placeOf(view);
  return undefined;
}

/** A struct as plain values; memory that is only for reading is copied once, as a whole. */
export function plainOf({ struct, region, at }: Place): unknown {
  if (!region.readOnly) return codecOf(struct).plain(region, at);
  return codecOf(struct).plain(region.copy(at, struct.byteLength), 0);
}

function shownView(view: LiveView | ReadOnlyView, options: object): string {
  const place = placeOf(view) as Place;
  const { struct, region } = place;
  const name = struct.name ?? 'View';
  const closed = region.readOnly ? region.mapping.closed : region.gone;
  return closed ? `${name} (closed)` : `${name} ${inspect(plainOf(place), options)}`;
}

interface Classes {
  readonly live: new (region: LiveRegion, at: number) => LiveView;
  readonly readOnly: new (region: ReadOnlyRegion, at: number) => ReadOnlyView;
}

/** Whether the field has an accessor that is made once for each view. */
const hasPart = ({ kind }: PlacedField): boolean => isStruct(kind) || isArray(kind) || isAtomic(kind) || isBytes(kind);

const classes = new WeakMap<Struct, Classes>();

function makeClasses(struct: Struct): Classes {
  const withParts = struct.fields.filter(hasPart);
  const parts = withParts.length;
  const live = class extends LiveView {
    constructor(region: LiveRegion, at: number) {
      super(struct, region, at, parts);
    }
  };
  const readOnly = class extends ReadOnlyView {
    constructor(region: ReadOnlyRegion, at: number) {
      super(struct, region, at, parts);
    }
  };
  for (const field of struct.fields) {
    const part = withParts.indexOf(field);
    Object.defineProperty(live.prototype, field.name, liveProperty(field, part));
    Object.defineProperty(readOnly.prototype, field.name, readOnlyProperty(field, part));
  }
  return { live, readOnly };
}

/** A view of a struct at a place of a region. */
export function viewAt(struct: Struct, region: Region, at: number): LiveView | ReadOnlyView {
  let made = classes.get(struct);
  if (made === undefined) {
    made = makeClasses(struct);
    classes.set(struct, made);
  }
  if (region.readOnly) return new made.readOnly(region, at);
  region.use();
  return new made.live(region, at);
}
