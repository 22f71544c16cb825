/** One view that goes over many elements. */
import { checkInteger } from '../core/arguments.js';
import { MOVE, type Movable } from './movable.js';

/**
 * A view that moves. `view` is always the same object, and stands at the element that `moveTo` named last; so do the nested views
 * and atomics taken from it. Moving costs an addition, and makes nothing.
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
  readonly #movable: Movable;
  readonly #stride: number;
  readonly #length: number;
  readonly #name: string;
  #index = 0;

  /** @internal */
  constructor(view: Movable, stride: number, length: number, name: string) {
    this.view = view as V;
    this.#movable = view;
    this.#stride = stride;
    this.#length = length;
    this.#name = name;
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
    if (!(index >= 0 && index < this.#length && Math.floor(index) === index)) {
      checkInteger(`the index of ${this.#name}`, index, 0, this.#length - 1);
    }
    this.#movable[MOVE]((index - this.#index) * this.#stride);
    this.#index = index;
    return this.view;
  }
}
