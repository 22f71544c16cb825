/**
 * The accessor object of a struct. Each layout has a class of its own for memory that can be written and one for memory
 * that is only for reading; their fields are accessors of the prototype. The classes are made with the first view.
 */
import { inspect } from 'node:util';
import { codecOf } from './codec.js';
import { isArray, isAtomic, isNumbers, isStruct } from './kinds.js';
import { carefulProperty, liveProperty, readOnlyProperty, slotName } from './properties.js';
import { type Cell, type LiveRegion, movedIn, type ReadOnlyRegion, type Region } from './region.js';
import type { PlacedField, Struct } from './struct.js';

/**
 * A view of memory that can be written. It **is** a DataView: a field is then one call of a method of `this`, and once V8 has
 * compiled that into its caller nothing is left of it but the access, whatever other layouts the program has. See
 * docs/design/layout.md for what else was measured.
 *
 * Its DataView begins where the struct does, and that of a view that moves where the region does: there `@base` is where the struct is now. `@0`, `@1` and
 * so on hold what belongs to its fields: nested views, atomics, arrays. They are made with the view and never replaced, so V8 knows what
 * each is. No field can have these names.
 */
export class LiveView extends DataView<ArrayBufferLike> {
  declare '@base': number;
  [slot: `@${number}`]: unknown;
  readonly #struct: Struct;
  readonly #region: LiveRegion;
  readonly #at: number;

  constructor(struct: Struct, region: LiveRegion, at: number, kept: readonly PlacedField[]) {
    if (region.cell === undefined) super(region.buffer, region.start + at, struct.byteLength);
    else super(region.buffer, region.start, region.length);
    this.#struct = struct;
    this.#region = region;
    this.#at = at;
    fill(this, region, at, kept);
  }

  [inspect.custom](_depth: number, options: object): string {
    return shownView(this, options);
  }

  static placeOf(view: LiveView): Place {
    return { struct: view.#struct, region: view.#region, at: view.#at + movedIn(view.#region) };
  }
}

/** A view of memory that is only for reading: each getter copies, each setter throws. */
export class ReadOnlyView {
  [slot: `@${number}`]: unknown;
  readonly #struct: Struct;
  readonly #region: ReadOnlyRegion;
  readonly #at: number;

  constructor(struct: Struct, region: ReadOnlyRegion, at: number, kept: readonly PlacedField[]) {
    this.#struct = struct;
    this.#region = region;
    this.#at = at;
    fill(this, region, at, kept);
  }

  [inspect.custom](_depth: number, options: object): string {
    return shownView(this, options);
  }

  static placeOf(view: ReadOnlyView): Place {
    return { struct: view.#struct, region: view.#region, at: view.#at + movedIn(view.#region) };
  }
}

/** Of views that move: where they began, and how far they have gone since. */
interface Moving {
  '@start': number;
  '@cell': Cell;
}

const BASE_OF_MOVING = {
  get(this: Moving): number {
    return this['@start'] + (this['@cell'][0] as number);
  },
};

function fill(view: LiveView | ReadOnlyView, region: Region, at: number, kept: readonly PlacedField[]): void {
  for (const [slot, { name, kind, offset }] of kept.entries()) {
    Object.defineProperty(view, slotName(slot), { value: codecOf(kind).show(region, at + offset, name) });
  }
  if (region.readOnly || region.cell === undefined) return;
  Object.defineProperty(view, '@start', { value: at });
  Object.defineProperty(view, '@cell', { value: region.cell });
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

type Class<V, R> = new (region: R, at: number) => V;

/** The classes of a layout; for memory that can be written one of views that stay and one of those that move. */
interface Classes {
  readonly live: Class<LiveView, LiveRegion>;
  readonly liveMoving: Class<LiveView, LiveRegion>;
  readonly readOnly: Class<ReadOnlyView, ReadOnlyRegion>;
}

/** Whether there is an accessor for the field that can go with a view that moves. */
const canMove = ({ kind }: PlacedField): boolean =>
  isStruct(kind) || isAtomic(kind) || (isArray(kind) && !isNumbers(kind));

const classes = new WeakMap<Struct, Classes>();

let isCareful = false;
/** The layouts whose properties take no care; those that nobody has any more are dropped now and then. */
let careless: WeakRef<Struct>[] = [];
let manyCareless = 64;

function rememberCareless(struct: Struct): void {
  if (careless.length >= manyCareless) {
    careless = careless.filter((reference) => reference.deref() !== undefined);
    manyCareless = Math.max(64, 2 * careless.length);
  }
  careless.push(new WeakRef(struct));
}

/**
 * From the first time on that a mapping goes away under views, the properties look what a DataView's error means. Before that it can mean
 * nothing else than a wrong value.
 */
function beCareful(): void {
  isCareful = true;
  for (const reference of careless.splice(0)) {
    const struct = reference.deref();
    const made = struct && classes.get(struct);
    if (struct === undefined || made === undefined) continue;
    for (const { prototype } of [made.live, made.liveMoving]) {
      for (const field of struct.fields) {
        const property = Object.getOwnPropertyDescriptor(prototype, field.name) as PropertyDescriptor;
        Object.defineProperty(prototype, field.name, carefulProperty(field, property));
      }
    }
  }
}

function liveClass(struct: Struct, kept: readonly PlacedField[], moves: boolean): Class<LiveView, LiveRegion> {
  const Own = class extends LiveView {
    constructor(region: LiveRegion, at: number) {
      super(struct, region, at, kept);
    }
  };
  for (const field of struct.fields) {
    const property = liveProperty(field, kept.indexOf(field), moves);
    Object.defineProperty(Own.prototype, field.name, isCareful ? carefulProperty(field, property) : property);
  }
  return Own;
}

function readOnlyClass(struct: Struct, kept: readonly PlacedField[]): Class<ReadOnlyView, ReadOnlyRegion> {
  const Own = class extends ReadOnlyView {
    constructor(region: ReadOnlyRegion, at: number) {
      super(struct, region, at, kept);
    }
  };
  for (const field of struct.fields) {
    Object.defineProperty(Own.prototype, field.name, readOnlyProperty(field, kept.indexOf(field)));
  }
  return Own;
}

function makeClasses(struct: Struct): Classes {
  const movable = struct.fields.filter(canMove);
  const all = struct.fields.filter((field) => canMove(field) || isNumbers(field.kind));
  const made = {
    live: liveClass(struct, all, false),
    liveMoving: liveClass(struct, movable, true),
    readOnly: readOnlyClass(struct, movable),
  };
  Object.defineProperty(made.liveMoving.prototype, '@base', BASE_OF_MOVING);
  return made;
}

/**
 * A view of a struct at a place of a region.
 *
 * @param at where it stands before it moves, if the region's views do
 */
export function viewAt(struct: Struct, region: Region, at: number): LiveView | ReadOnlyView {
  let made = classes.get(struct);
  if (made === undefined) {
    made = makeClasses(struct);
    classes.set(struct, made);
    if (!isCareful) rememberCareless(struct);
  }
  if (region.readOnly) return new made.readOnly(region, at);
  region.use();
  if (region.mapping !== undefined) region.mapping.whenDetached = beCareful;
  return new made[region.cell === undefined ? 'live' : 'liveMoving'](region, at);
}
