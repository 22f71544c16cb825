/** Where the fields of a layout lie: what every part of this family knows of one. */
import type { Kind } from './types.js';

/** A field with its place. */
export interface PlacedField {
  readonly name: string;
  readonly kind: Kind;
  /** Bytes from the beginning of the layout. */
  readonly offset: number;
  /** Bytes. */
  readonly byteLength: number;
}

/** The fields of a layout with their places. `Layout` is what users have of it. */
export abstract class Struct {
  /** What it is called in C and Python when it is nested in another, and in messages. */
  readonly name: string | undefined;
  /** The fields, in the order in which they lie in memory. */
  readonly fields: readonly PlacedField[];
  /** Bytes, with those at the end that fill it up to its alignment: `sizeof` in C. */
  readonly byteLength: number;
  /** What the offset in memory must be a multiple of: `_Alignof` in C. */
  readonly alignment: number;

  constructor(name: string | undefined, fields: readonly PlacedField[], byteLength: number, alignment: number) {
    this.name = name;
    this.fields = fields;
    this.byteLength = byteLength;
    this.alignment = alignment;
  }
}
