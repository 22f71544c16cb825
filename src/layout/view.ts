/**
 * The accessor object of a struct. Each layout has a class of its own for memory that can be written and one for memory
 * that is only for reading; their fields are accessors of the prototype. The classes are made with the first view.
 */
import { inspect } from 'node:util';
import { codecOf } from './codec.js';
import { isArray, isAtomic, isNumbers, isStruct } from './kinds.js';
import { MOVE, type Movable } from './movable.js';
import { liveProperty, readOnlyProperty, slotName } from './properties.js';
import type { LiveRegion, ReadOnlyRegion, Region } from './region.js';
import type { PlacedField, Struct } from './struct.js';

/**
 * A view of memory that can be written. It **is** a DataView: a field is then one call of a method of `this`, and once V8 has
 * compiled that into its caller nothing is left of it but the access, whatever other layouts the program has. See
 * docs/design/layout.md for what else was measured.
 *
 * `@base` is where the struct begins in the DataView: other than 0 in nested ones and in those that move. `@0`, `@1` and so on hold
 * what belongs to its fields: nested views, atomics, arrays. They are made with the view and never replaced, so V8 knows what each is. No
 * field can have these names.
 */
export class LiveView extends DataView<ArrayBufferLike> implements Movable {
  declare '@base': number;
  [slot: `@${number}`]: unknown;
  readonly #struct: Struct;
  readonly #region: LiveRegion;

  constructor(struct: Struct, region: LiveRegion, base: number, kept: readonly PlacedField[]) {
    super(region.buffer, region.start, region.length);
    this.#struct = struct;
    this.#region = region;
    fill(this, region, base, kept);
  }

  [MOVE](by: number): void {
    this['@base'] += by;
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
  [slot: `@${number}`]: unknown;
  readonly #struct: Struct;
  readonly #region: ReadOnlyRegion;

  constructor(struct: Struct, region: ReadOnlyRegion, base: number, kept: readonly PlacedField[]) {
    this.#struct = struct;
    this.#region = region;
    fill(this, region, base, kept);
  }

  [MOVE](by: number): void {
    this['@base'] += by;
  }

  [inspect.custom](_depth: number, options: object): string {
    return shownView(this, options);
  }

  static placeOf(view: ReadOnlyView): Place {
    return { struct: view.#struct, region: view.#region, at: view['@base'] };
  }
}

function fill(view: LiveView | ReadOnlyView, region: Region, base: number, kept: readonly PlacedField[]): void {
  Object.defineProperty(view, '@base', { value: base, writable: true });
  for (const [slot, { name, kind, offset }] of kept.entries()) {
    Object.defineProperty(view, slotName(slot), { value: codecOf(kind).show(region, base + offset, name) });
  }
}

/** What is nested in a view, at any depth, and has to move with it. */
export function nestedIn(view: LiveView | ReadOnlyView): Movable[] {
  const nested: Movable[] = [];
  const { struct } = placeOf(view) as Place;
  for (const slot of struct.fields.filter(isMovable).keys()) {
    const one = view[slotName(slot)] as Movable;
    nested.push(one);
    if (one instanceof LiveView || one instanceof ReadOnlyView) nested.push(...nestedIn(one));
  }
  return nested;
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
  /** For memory that can be written. */
  readonly live: new (
    region: LiveRegion,
    at: number,
  ) => LiveView;
  /** The same for views that move: they keep no typed arrays, which cannot move. */
  readonly moving: new (
    region: LiveRegion,
    at: number,
  ) => LiveView;
  readonly readOnly: new (region: ReadOnlyRegion, at: number) => ReadOnlyView;
}

const classes = new WeakMap<Struct, Classes>();

/** Whether there is an accessor for the field that can be moved. */
const isMovable = ({ kind }: PlacedField): boolean =>
  isStruct(kind) || isAtomic(kind) || (isArray(kind) && !isNumbers(kind));

function makeClasses(struct: Struct): Classes {
  const movable = struct.fields.filter(isMovable);
  const all = struct.fields.filter((field) => isMovable(field) || isNumbers(field.kind));
  const live = class extends LiveView {
    constructor(region: LiveRegion, at: number) {
      super(struct, region, at, all);
    }
  };
  const moving = class extends LiveView {
    constructor(region: LiveRegion, at: number) {
      super(struct, region, at, movable);
    }
  };
  const readOnly = class extends ReadOnlyView {
    constructor(region: ReadOnlyRegion, at: number) {
      super(struct, region, at, movable);
    }
  };
  const slotIn = (kept: readonly PlacedField[], field: PlacedField): number | undefined => {
    const slot = kept.indexOf(field);
    return slot < 0 ? undefined : slot;
  };
  for (const field of struct.fields) {
    Object.defineProperty(live.prototype, field.name, liveProperty(field, slotIn(all, field)));
    Object.defineProperty(moving.prototype, field.name, liveProperty(field, slotIn(movable, field)));
    Object.defineProperty(readOnly.prototype, field.name, readOnlyProperty(field, slotIn(movable, field)));
  }
  return { live, moving, readOnly };
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
  return region.moving ? new made.moving(region, at) : new made.live(region, at);
}
