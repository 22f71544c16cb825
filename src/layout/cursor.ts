/** One view that goes over many elements. */
import { checkInteger } from '../core/arguments.js';
import { MOVE, type Movable } from './movable.js';
import type { Region } from './region.js';
import type { Struct } from './struct.js';
import { type LiveView, nestedIn, type ReadOnlyView, viewAt } from './view.js';

/**
 * A view that moves. `view` is always the same object, and stands at the element that `moveTo` named last; so do the nested views,
 * atomics and arrays of structs taken from it. Moving costs an addition and makes nothing. Typed arrays cannot move: `cursor.view.tail` makes one
 * each time it is asked for.
 *
 * @example
 * const cursor = Tick.list(memory, 0, 1000).cursor();
 * const tick = cursor.view;
 * let sum = 0;
 * for (let index = 0; index < 1000; index++) {
 *   cursor.moveTo(index);
 *   sum += tick.price;
 * }
 */
export class Cursor<V> {
  // All declared only: a field that is first undefined can hold anything for V8, and what the view is would not be known.
  /** The view. */
  declare readonly view: V;
  /** Where it stands. */
  declare readonly index: number;
  /** @internal */
  declare readonly '@first': number;
  /** @internal */
  declare readonly '@stride': number;
  /** @internal */
  declare readonly '@length': number;
  /** What moves with the view. @internal */
  declare readonly '@nested': readonly Movable[];

  /** @internal */
  constructor(view: V, first: number, stride: number, length: number) {
    this.view = view;
    this.index = 0;
    Object.defineProperty(this, '@first', { value: first });
    Object.defineProperty(this, '@stride', { value: stride });
    Object.defineProperty(this, '@length', { value: length });
    Object.defineProperty(this, '@nested', { value: nestedIn(view as LiveView | ReadOnlyView) });
  }

  /**
   * Goes to an element.
   *
   * @param index 0 to the length of the array - 1
   * @returns the view, which is always the same
   */
  moveTo(index: number): V {
    if (index >>> 0 !== index || index >= this['@length']) checkInteger('index', index, 0, this['@length'] - 1);
    const view = this.view as LiveView | ReadOnlyView;
    view['@base'] = this['@first'] + index * this['@stride'];
    const nested = this['@nested'];
    if (nested.length > 0) moveAll(nested, (index - this.index) * this['@stride']);
    (this as { index: number }).index = index;
    return this.view;
  }
}

function moveAll(nested: readonly Movable[], by: number): void {
  for (let each = 0; each < nested.length; each++) (nested[each] as Movable)[MOVE](by);
}

const classes = new WeakMap<Struct, typeof Cursor>();

/**
 * A cursor over `length` structs, the first at `first`. Each layout has a class of its own, by which V8 knows what the view is: it
 * is one store then, where it would be a search among all views of the program.
 */
export function cursorOver<V>(struct: Struct, region: Region, first: number, length: number): Cursor<V> {
  let Own = classes.get(struct);
  if (Own === undefined) {
    Own = class<T> extends Cursor<T> {};
    classes.set(struct, Own);
  }
  return new Own(viewAt(struct, region, first) as V, first, struct.byteLength, length);
}
