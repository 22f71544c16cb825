/** Accessors that go along when the view they belong to moves to another element. */

/** The method's name; a symbol, so that it is no field. */
export const MOVE: unique symbol = Symbol('move');

/** Something that stands at a place of a region. */
export interface Movable {
  /** Goes `by` bytes further. */
  [MOVE](by: number): void;
}
