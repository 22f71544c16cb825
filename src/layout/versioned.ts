/**
 * A header at the start of an object, so that whoever opens it knows before the first access whether it is what is expected: a
 * magic text, a version, the digest of the layout, and how large the object is.
 */
import { inspect } from 'node:util';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError, codedError, rangeError } from '../core/errors.js';
import { toC } from './c.js';
import type { StructArray } from './fieldArray.js';
import { atomic, bytes } from './kinds.js';
import { Layout, layout } from './layout.js';
import { alignUp } from './place.js';
import { toPython } from './python.js';
import { readOnlyError, type Region, regionOf } from './region.js';
import type { Struct } from './struct.js';
import { takeText } from './text.js';
import type { Fields, Memory, ValueOf, View } from './types.js';

const MOST_MAGIC = 8;
const MOST_VERSION = 0xffffffff;
const DIGEST_BYTES = 16;
/** More than any object has; a size beyond is nonsense. */
const MOST_SIZE = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * The header, 64 bytes: a cache line. It is written once, before anybody else looks at the object; after that only `size` changes, and
 * only upwards.
 *
 * - `magic`: 1 to 8 bytes of text and NULs, as one word, stored last: there is a whole header, or zeros. Zeros: nothing is there yet.
 *   A maker that dies before leaves zeros.
 * - `version`: the caller's.
 * - `headerBytes`: 64, where the body begins.
 * - `size`: bytes of the whole object, header included. Who grows the object stores it when the memory is there.
 * - `digest`: of the layouts behind the header.
 * - `reserved`: zeros.
 */
const Header = layout(
  {
    magic: atomic('u64'),
    version: 'u32',
    headerBytes: 'u32',
    size: atomic('u64'),
    digest: bytes(DIGEST_BYTES),
    reserved: bytes(24),
  },
  { name: 'interproc_header' },
);

/** What a versioned object is. */
export interface VersionedOptions<I extends Fields> {
  /** What kind of object it is, 1 to 8 bytes of text: whoever opens something else is told so. */
  magic: string;
  /** 0 to 2^32 - 1: count it up when the meaning changes. That the fields have changed is seen by their digest. */
  version: number;
  /** What comes behind the body, as often as there is room: the part that grows. */
  items?: Layout<I>;
}

/** What the header of an object says. */
export interface HeaderFacts {
  readonly magic: string;
  readonly version: number;
  readonly digest: string;
  /** Bytes of the whole object; it has grown if that is more than is mapped here. */
  readonly size: number;
}

function wordOf(magic: string): bigint {
  const bytes = Buffer.alloc(MOST_MAGIC);
  bytes.write(magic);
  return bytes.readBigUInt64LE();
}

function textOf(word: bigint): string {
  const bytes = Buffer.alloc(MOST_MAGIC);
  bytes.writeBigUInt64LE(word);
  return bytes.toString('latin1').replace(/\0+$/, '');
}

/**
 * An object with a header, a body and perhaps items behind it. It holds no memory.
 *
 * Memory is input: the header is copied once, checked, and only the copy is used.
 */
export class Versioned<F extends Fields, I extends Fields> {
  /** What kind of object it is. */
  readonly magic: string;
  /** Which version of it. */
  readonly version: number;
  /** What comes behind the header. */
  readonly body: Layout<F>;
  /** What comes behind the body, as often as there is room. */
  readonly items: Layout<I> | undefined;
  /** 32 hexadecimal digits for the layouts of body and items. */
  readonly digest: string;
  /** Where the body begins: 64. */
  readonly bodyOffset = Header.byteLength;
  /** Where the items begin. */
  readonly itemsOffset: number;

  /** @internal */
  constructor(body: Layout<F>, { magic, version, items }: VersionedOptions<I>) {
    this.magic = magic;
    this.version = version;
    this.body = body;
    this.items = items;
    this.digest = items === undefined ? body.digest : layout({ body, items }).digest;
    this.itemsOffset = alignUp(this.bodyOffset + body.byteLength, items?.alignment ?? 1);
  }

  /** Bytes of the object without items: the least size of the memory. */
  get byteLength(): number {
    return this.itemsOffset;
  }

  /** Bytes of the object with `count` items. */
  byteLengthFor(count: number): number {
    checkInteger('count', count, 0, Number.MAX_SAFE_INTEGER);
    return this.itemsOffset + count * this.#itemsLayout().byteLength;
  }

  /**
   * Writes the header of fresh memory, which must be zeros: `prepare: (memory) => Prices.format(memory)` of `shm.create`. The whole
   * of the memory is the object.
   *
   * @throws Error ERR_INTERPROC_LAYOUT if there is something already, and nothing is written
   */
  format(memory: Memory): void {
    const region = this.#headerOf(memory);
    if (region.readOnly) throw readOnlyError(region);
    const header = Header.view(memory);
    if (
      Header.fields.some(({ offset, byteLength }) =>
        region.bytes.subarray(offset, offset + byteLength).some((byte) => byte !== 0),
      )
    ) {
      throw codedError(
        'ERR_INTERPROC_LAYOUT',
        `the memory is not fresh: it has ${this.#found(Header.read(memory))} in it`,
      );
    }
    header.version = this.version;
    header.headerBytes = this.bodyOffset;
    header.digest.set(Buffer.from(this.digest, 'hex'));
    header.size.store(BigInt(memory.byteLength));
    header.magic.store(wordOf(this.magic)); // the last: from here on it is there
    region.mapping?.checkIntact();
  }

  /**
   * Looks at the header; writes nothing.
   *
   * @throws Error ERR_INTERPROC_LAYOUT, naming both sides, if the object is of another kind or version, or of other layouts, or none at all
   */
  check(memory: Memory): HeaderFacts {
    this.#headerOf(memory);
    const header = Header.read(memory);
    const refuse = (why: string): Error =>
      codedError(
        'ERR_INTERPROC_LAYOUT',
        `${why}: the memory has ${this.#found(header)}, and this program ${this.#own()}`,
      );
    if (header.magic === 0n)
      throw codedError('ERR_INTERPROC_LAYOUT', `the memory has no header yet, and this program wants ${this.#own()}`);
    if (header.magic !== wordOf(this.magic)) throw refuse('another kind of object');
    if (header.version !== this.version) throw refuse('another version');
    if (Buffer.from(header.digest).toString('hex') !== this.digest) throw refuse('other fields');
    if (header.headerBytes !== this.bodyOffset) throw refuse(`a header of ${header.headerBytes} bytes`);
    if (header.size < this.byteLength || header.size > MOST_SIZE) throw refuse(`a size of ${header.size} bytes`);
    return { magic: this.magic, version: this.version, digest: this.digest, size: Number(header.size) };
  }

  /** Checks the header and gives a view of the body. */
  open(memory: Memory): View<F> {
    this.check(memory);
    return this.body.view(memory, this.bodyOffset);
  }

  /**
   * Checks the header and gives the items: as many as the object has and are mapped here.
   *
   * @returns undefined if there is no room for one
   */
  list(memory: Memory): StructArray<I> | undefined {
    const items = this.#itemsLayout();
    const { size } = this.check(memory);
    const count = Math.floor((Math.min(size, memory.byteLength) - this.itemsOffset) / items.byteLength);
    return count < 1 ? undefined : items.list(memory, this.itemsOffset, count);
  }

  /** Whether the object has become larger than what is mapped here: map it anew to see the rest. */
  hasGrown(memory: Memory): boolean {
    return this.check(memory).size > memory.byteLength;
  }

  /**
   * Says in the header that the object is now as large as this memory. Who has made the memory larger and mapped all of it calls it; a size that
   * is larger already stays.
   *
   * @returns the size now
   */
  grow(memory: Memory): number {
    this.check(memory);
    const region = this.#headerOf(memory);
    if (region.readOnly) throw readOnlyError(region);
    const { size } = Header.view(memory);
    const wanted = BigInt(memory.byteLength);
    for (;;) {
      const before = size.load();
      if (before >= wanted || size.compareExchange(before, wanted) === before) break;
    }
    return this.check(memory).size;
  }

  /** A C header of the whole: `struct NAME { header; body; }`, the struct of the items, and what the header must say. */
  toC(name: string): string {
    return toC(
      this.#whole(),
      name,
      [
        ['MAGIC', `UINT64_C(0x${wordOf(this.magic).toString(16).padStart(16, '0')})`],
        ['VERSION', `UINT32_C(${this.version})`],
        ['DIGEST', `"${this.digest.replaceAll(/../g, '\\x$&')}"`],
        ['ITEMS_OFFSET', `${this.itemsOffset}`],
      ],
      this.items,
    );
  }

  /** A Python module of the whole, likewise. */
  toPython(name: string): string {
    return toPython(
      this.#whole(),
      name,
      [
        ['MAGIC', `0x${wordOf(this.magic).toString(16).padStart(16, '0')}`],
        ['VERSION', `${this.version}`],
        ['DIGEST', `bytes.fromhex("${this.digest}")`],
        ['ITEMS_OFFSET', `${this.itemsOffset}`],
      ],
      this.items,
    );
  }

  #whole(): Struct {
    return layout({ header: Header, body: this.body });
  }

  #itemsLayout(): Layout<I> {
    if (this.items === undefined) throw argumentError(`${this.magic} has no items`);
    return this.items;
  }

  #headerOf(memory: Memory): Region {
    const whole = { alignment: Math.max(Header.alignment, this.body.alignment), name: this.magic };
    return regionOf(memory, 0, this.byteLength, whole);
  }

  #own(): string {
    return described(this.magic, this.version, this.digest);
  }

  #found({ magic, version, digest }: ValueOf<typeof Header>): string {
    return magic === 0n ? 'something else' : described(textOf(magic), version, Buffer.from(digest).toString('hex'));
  }
}

function described(magic: string, version: number, digest: string): string {
  return `${inspect(magic)} version ${version} (digest ${digest})`;
}

/**
 * Puts a header before a layout: magic, version, digest and size. Whoever opens such an object is told before the first access that it is
 * another, instead of reading nonsense.
 *
 * @param body what comes behind the header, once
 *
 * @example
 * const Prices = versioned(Summary, { magic: 'PRICES', version: 3, items: Tick });
 * const memory = shm.create('/prices', { size: Prices.byteLengthFor(1000), prepare: (fresh) => Prices.format(fresh) });
 * using mapping = memory.map();
 * const summary = Prices.open(mapping);
 */
export function versioned<F extends Fields, I extends Fields = never>(
  body: Layout<F>,
  options: VersionedOptions<I>,
): Versioned<F, I> {
  if (!(body instanceof Layout)) throw argumentError(`body must be a layout, got ${inspect(body, { depth: 0 })}`);
  checkOptions(options, ['magic', 'version', 'items']);
  const { magic, version, items } = options ?? {};
  takeText('magic', magic, MOST_MAGIC);
  if (magic === '') throw rangeError('magic must have 1 to 8 bytes, got none');
  checkInteger('version', version, 0, MOST_VERSION);
  if (items !== undefined && !(items instanceof Layout)) {
    throw argumentError(`items must be a layout, got ${inspect(items, { depth: 0 })}`);
  }
  return new Versioned(body, options);
}
