/** Accessors that go along when the view they belong to moves to another element. */

/** The method's name; a symbol, so that it is no field. */
export const MOVE: unique symbol = Symbol('move');

/** Something that stands at a place of a region. */
export interface Movable {
  /** Goes `by` bytes further. */
  [MOVE](by: number): void;
}

/** Moves what a view has made for its fields. Typed arrays cannot be moved: they are made again when they are asked for. */
export function moveParts(parts: (object | undefined)[], by: number): void {
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index];
    if (part === undefined) continue;
    if (MOVE in part) (part as Movable)[MOVE](by);
    else parts[index] = undefined;
  }
}
