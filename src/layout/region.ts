/**
 * A part of memory under a view: of memory that can be written, or of a mapping that is only for reading. For the second
 * there is no ArrayBuffer, since whatever has one can write; each access copies what it needs by a system call's price.
 */
import { inspect, types } from 'node:util';
import { checkInteger } from '../core/arguments.js';
import { argumentError, closedError, codedError, rangeError } from '../core/errors.js';
import { Mapping } from '../mmap/index.js';
import { SCALARS } from './scalars.js';
import type { Struct } from './struct.js';
import type { AtomicScalar, Memory } from './types.js';

type AtomicArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** The typed array of each kind of integer. */
export const INTEGER_ARRAYS = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
} as const;

/** Memory that can be written. Offsets count from its beginning. */
export class LiveRegion {
  readonly readOnly = false;
  readonly buffer: ArrayBufferLike;
  readonly start: number;
  readonly length: number;
  readonly mapping: Mapping | undefined;
  /** How far its views have moved, which a cursor says; undefined for views that stay. */
  readonly cell: Cell | undefined;
  #data: DataView | undefined;
  #bytes: Buffer | undefined;
  #atomics: Partial<Record<AtomicScalar, AtomicArray>> = {};

  constructor(buffer: ArrayBufferLike, start: number, length: number, mapping?: Mapping, cell?: Cell) {
    this.buffer = buffer;
    this.start = start;
    this.length = length;
    this.mapping = mapping;
    this.cell = cell;
  }

  /** The same memory for views that move as this says. */
  movedBy(cell: Cell | undefined): LiveRegion {
    return new LiveRegion(this.buffer, this.start, this.length, this.mapping, cell);
  }

  /** Throws `ERR_INTERPROC_CLOSED` once the memory is gone: closed, protected or resized, its buffer transferred. */
  use(): void {
    if (this.gone)
      throw closedError(this.mapping?.closed ? this.mapping.describe() : 'the memory that this view was made of');
  }

  /** Whether the memory was unmapped or moved away. Nothing under a view is empty, so the length tells. */
  get gone(): boolean {
    return this.buffer.byteLength === 0;
  }

  get data(): DataView {
    this.use();
    this.#data ??= new DataView(this.buffer, this.start, this.length);
    return this.#data;
  }

  get bytes(): Buffer {
    this.use();
    this.#bytes ??= Buffer.from(this.buffer as ArrayBuffer, this.start, this.length);
    return this.#bytes;
  }

  /** All of it as elements of a kind, for `Atomics`. */
  atomics(kind: AtomicScalar): AtomicArray {
    this.use();
    const found = this.#atomics[kind];
    if (found !== undefined) return found;
    const made = new INTEGER_ARRAYS[kind](
      this.buffer as ArrayBuffer,
      this.start,
      Math.floor(this.length / SCALARS[kind].size),
    );
    this.#atomics[kind] = made;
    return made;
  }
}

/** Memory that is only for reading. */
export class ReadOnlyRegion {
  readonly readOnly = true;
  readonly mapping: Mapping;
  readonly start: number;
  readonly length: number;
  readonly cell: Cell | undefined;

  constructor(mapping: Mapping, start: number, length: number, cell?: Cell) {
    this.mapping = mapping;
    this.start = start;
    this.length = length;
    this.cell = cell;
  }

  /** The same memory for views that move as this says. */
  movedBy(cell: Cell | undefined): ReadOnlyRegion {
    return new ReadOnlyRegion(this.mapping, this.start, this.length, cell);
  }

  /** A copy of `length` bytes at `at`. */
  copy(at: number, length: number): LiveRegion {
    const copy = this.mapping.read(this.start + at, length);
    return new LiveRegion(copy.buffer, copy.byteOffset, length);
  }

  /** Copies `into.length` bytes at `at`. */
  copyInto(at: number, into: Uint8Array): void {
    this.mapping.read(this.start + at, into.length, into);
  }
}

/** How many bytes the views of a region have moved. */
export type Cell = Int32Array | Float64Array;

export type Region = LiveRegion | ReadOnlyRegion;

/** How far the views of a region have moved. */
export const movedIn = ({ cell }: Region): number => (cell === undefined ? 0 : (cell[0] as number));

/** What is thrown where memory that is only for reading would be written. */
export function readOnlyError(region: ReadOnlyRegion): Error {
  return codedError('ERR_INTERPROC_READ_ONLY', `${region.mapping.describe()} is only for reading`);
}

function isBuffer(memory: unknown): memory is ArrayBufferLike {
  return types.isAnyArrayBuffer(memory);
}

/**
 * The region of `length` bytes at `offset` of a memory, checked: what it is, its bounds, its alignment. Where an array itself begins does
 * not matter to who only copies out of it, such as messages that came one after the other.
 */
export function regionOf(
  memory: Memory,
  offset: number,
  length: number,
  { alignment, name }: Pick<Struct, 'alignment' | 'name'>,
  isCopied = false,
): Region {
  const isMapping = memory instanceof Mapping;
  if (!isMapping && !isBuffer(memory) && !types.isUint8Array(memory)) {
    const got = inspect(memory, { depth: 0, maxArrayLength: 3, breakLength: Infinity });
    throw argumentError(`memory must be a Mapping, an ArrayBuffer or a Uint8Array, got ${got}`);
  }
  if (isMapping) memory.use();
  checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
  const within = types.isUint8Array(memory) ? memory.byteOffset : 0;
  const unaligned = isCopied ? offset : within + offset;
  if (length > memory.byteLength || offset > memory.byteLength - length) {
    throw rangeError(
      `${name ?? 'the layout'} needs ${length} bytes at ${offset}, and the memory has ${memory.byteLength}`,
    );
  }
  if (unaligned % alignment !== 0) {
    const where = unaligned === offset ? `${offset}` : `${offset} of an array that begins at ${within} of its buffer`;
    throw rangeError(
      `offset must be a multiple of ${alignment}, the alignment of ${name ?? 'the layout'}, got ${where}`,
    );
  }
  if (!isMapping) return new LiveRegion(isBuffer(memory) ? memory : memory.buffer, within + offset, length);
  if (isReadOnly(memory)) return new ReadOnlyRegion(memory, offset, length);
  return new LiveRegion(memory.buffer, offset, length, memory);
}

function isReadOnly(mapping: Mapping): boolean {
  return mapping.access === 'read';
}
