/** One view that goes over many elements. */
import { checkInteger } from '../core/arguments.js';
import type { Cell, Region } from './region.js';
import type { Struct } from './struct.js';
import { viewAt } from './view.js';

/**
 * A view that moves. `view` is always the same object, and stands at the element that `moveTo` named last; so do the nested views,
 * atomics and arrays of structs taken from it. Moving is one store and makes nothing. Typed arrays cannot move: `cursor.view.tail` makes one
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
  /** The view. */
  readonly view: V;
  readonly #cell: Cell;
  readonly #stride: number;
  readonly #length: number;
  #index = 0;

  /** @internal */
  constructor(view: V, cell: Cell, stride: number, length: number) {
    this.view = view;
    this.#cell = cell;
    this.#stride = stride;
    this.#length = length;
  }

  /** Where it stands. */
  get index(): number {
    return this.#index;
  }

  /**
   * Goes to an element.
   *
   * @param index 0 to the length of the array - 1
   * @returns the view, which is always the same
   */
  moveTo(index: number): V {
    if (index >>> 0 !== index || index >= this.#length) checkInteger('index', index, 0, this.#length - 1);
    this.#cell[0] = index * this.#stride;
    this.#index = index;
    return this.view;
  }
}

/**
 * A cursor over `length` structs, the first at `first`. How far it has gone is in a cell that its views look at: so one store moves all of
 * them, and it is the same store whatever the layout.
 */
export function cursorOver<V>(struct: Struct, region: Region, first: number, length: number): Cursor<V> {
  // Integers are quicker, and bytes beyond 2^31 are rare.
  const cell = struct.byteLength * length <= 0x7fffffff ? new Int32Array(1) : new Float64Array(1);
  return new Cursor(viewAt(struct, region.movedBy(cell), first) as V, cell, struct.byteLength, length);
}
