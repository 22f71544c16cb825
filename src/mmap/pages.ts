/** Parts of a mapping in pages, which is how the kernel sees them, and what can be said of them. */
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DODUMP,
  MADV_DONTDUMP,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  native,
} from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { argumentError, rangeError } from '../core/errors.js';

/** A part of a mapping. */
export interface Range {
  /** Bytes from the beginning of the mapping; 0 if omitted. */
  offset?: number;
  /** Bytes; all that follow if omitted. */
  length?: number;
}

/** The names of the options of a part. */
export const RANGE: readonly string[] = ['offset', 'length'];

/**
 * What is going to be done with the pages, in the words of madvise(2). `'dontneed'`, `'free'` and `'remove'` throw away what
 * private memory, or the file itself (`'remove'`), holds there.
 */
export type Advice =
  | 'normal'
  | 'random'
  | 'sequential'
  | 'willneed'
  | 'dontneed'
  | 'free'
  | 'remove'
  | 'mergeable'
  | 'unmergeable'
  | 'hugepage'
  | 'nohugepage'
  | 'collapse'
  | 'dontdump'
  | 'dodump'
  | 'cold'
  | 'pageout'
  | 'populate-read'
  | 'populate-write';

const ADVICE: Record<Advice, number> = {
  normal: MADV_NORMAL,
  random: MADV_RANDOM,
  sequential: MADV_SEQUENTIAL,
  willneed: MADV_WILLNEED,
  dontneed: MADV_DONTNEED,
  free: MADV_FREE,
  remove: MADV_REMOVE,
  mergeable: MADV_MERGEABLE,
  unmergeable: MADV_UNMERGEABLE,
  hugepage: MADV_HUGEPAGE,
  nohugepage: MADV_NOHUGEPAGE,
  collapse: MADV_COLLAPSE,
  dontdump: MADV_DONTDUMP,
  dodump: MADV_DODUMP,
  cold: MADV_COLD,
  pageout: MADV_PAGEOUT,
  'populate-read': MADV_POPULATE_READ,
  'populate-write': MADV_POPULATE_WRITE,
};

/** The number of an advice. */
export function adviceNumber(advice: unknown): number {
  const number = Object.hasOwn(ADVICE, String(advice)) ? ADVICE[advice as Advice] : undefined;
  if (number === undefined) {
    throw argumentError(`unknown advice ${String(advice)}; known are ${Object.keys(ADVICE).join(', ')}`);
  }
  return number;
}

let size: number | undefined;

/** Bytes of an ordinary page of memory (sysconf(3)): 4096 on x86-64. */
export function pageSize(): number {
  size ??= native().pageSize();
  return size;
}

/** Throws for an offset at which no page begins. */
export function checkPageAligned(name: string, offset: number, page = pageSize()): void {
  if (offset % page !== 0) {
    throw rangeError(`${name} must be a multiple of the page size, ${page}, got ${offset}`);
  }
}

/** Checks a part of `byteLength` bytes and fills in what is left out. */
export function checkRange({ offset = 0, length }: Range, byteLength: number): { offset: number; length: number } {
  checkInteger('offset', offset, 0, byteLength - 1);
  if (length === undefined) return { offset, length: byteLength - offset };
  checkInteger('length', length, 1, byteLength - offset);
  return { offset, length };
}

/** The same, grown to whole pages. */
export function pagesOf(range: Range, byteLength: number): { offset: number; length: number } {
  const { offset, length } = checkRange(range, byteLength);
  const before = offset % pageSize();
  return { offset: offset - before, length: length + before };
}
