/** Parts of a file, in the whole 64 bits that the kernel has for them. */
import { inspect } from 'node:util';
import { argumentError, rangeError } from '../core/errors.js';

/** Which bytes of a file are locked. They need not exist. */
export interface RangeOptions {
  /** The first byte, 0 to 2^63 - 1; 0 if omitted. A number up to 2^53 - 1, or a bigint. */
  offset?: number | bigint;
  /** How many bytes; 0, or omitted, means to the end, however far the file grows. */
  length?: number | bigint;
}

/** The names of `RangeOptions`, for `checkOptions`. */
export const RANGE_OPTIONS: readonly string[] = ['offset', 'length'];

/** A part of a file; a length of 0 goes to the end. */
export interface Range {
  readonly offset: bigint;
  readonly length: bigint;
}

/** All of a file. */
export const WHOLE: Range = { offset: 0n, length: 0n };

const END = 2n ** 63n;

function place(name: string, value: unknown): bigint {
  if (typeof value === 'bigint') {
    if (value >= 0n && value < END) return value;
  } else if (typeof value !== 'number') {
    throw argumentError(`${name} must be a number or a bigint, got ${inspect(value, { depth: 0 })}`);
  } else if (Number.isSafeInteger(value) && value >= 0) {
    return BigInt(value);
  }
  throw rangeError(`${name} must be a whole number from 0 to 2^63 - 1 (a bigint above 2^53 - 1), got ${value}`);
}

/** The part that options mean; throws for one that cannot be. */
export function rangeOf({ offset = 0, length = 0 }: RangeOptions): Range {
  const range = { offset: place('offset', offset), length: place('length', length) };
  if (range.offset + range.length > END) {
    throw rangeError(`offset and length together must be at most 2^63, got ${range.offset} and ${range.length}`);
  }
  return range;
}

/** Where it ends: the first byte behind it. */
export function endOf({ offset, length }: Range): bigint {
  return length === 0n ? END : offset + length;
}

/** Whether both have a byte in common. */
export function overlap(one: Range, other: Range): boolean {
  return one.offset < endOf(other) && other.offset < endOf(one);
}

/** Whether these parts together hold every byte of `wanted`. */
export function cover(parts: readonly Range[], wanted: Range): boolean {
  let next = wanted.offset;
  for (const part of [...parts].sort((a, b) => (a.offset < b.offset ? -1 : 1))) {
    if (part.offset > next) break;
    const end = endOf(part);
    if (end > next) next = end;
  }
  return next >= endOf(wanted);
}
