/** Which message is meant, and how much of it. */
import { inspect } from 'node:util';
import { MSG_EXCEPT } from '../../sys/index.js';
import { checkBytes, checkInteger, checkOptions } from '../../core/arguments.js';
import { argumentError, rangeError } from '../../core/errors.js';
import { WAIT_OPTIONS } from '../../core/wait.js';

/** Which message is received. */
export interface Select {
  /**
   * As in msgrcv(2): 0 (if omitted) takes the first message, a positive number the first of this type, a negative one the first of
   * the lowest type that is not above its absolute value. A bigint beyond 2^53 - 1.
   */
  type?: number | bigint;
  /** Whether `type`, which is positive then, is the one that is not wanted (MSG_EXCEPT); false if omitted. */
  except?: boolean;
}

/** Which message is received, and how it has to be. */
export interface ReceiveOptions extends Select {
  /** Bytes that it may have at most; any if omitted. A longer one is E2BIG and stays in the queue, or is cut. */
  size?: number;
  /** Whether a longer message is cut to `size`, and the rest of it is lost (MSG_NOERROR); false if omitted. */
  truncate?: boolean;
}

/** The same for bytes of the caller, which are the size. */
export interface ReceiveIntoOptions extends Select {
  /** Whether a longer message is cut, and the rest of it is lost (MSG_NOERROR); false if omitted. */
  truncate?: boolean;
}

/** What msgrcv(2) is told. */
export interface Selection {
  readonly type: number | bigint;
  /** MSG_EXCEPT or nothing. */
  readonly flags: number;
  /** Bytes at most. */
  readonly size: number;
  readonly truncate: boolean;
}

/** The kernel takes a size as an int. */
const ANY_SIZE = 0x7fff_ffff;
const MOST_TYPE = 2n ** 63n - 1n;
const KNOWN = ['type', 'except', 'size', 'truncate', ...WAIT_OPTIONS];
const KNOWN_INTO = ['type', 'except', 'truncate', ...WAIT_OPTIONS];

const ANY: Selection = { type: 0, flags: 0, size: ANY_SIZE, truncate: false };

function refuseType(type: unknown, range: string): never {
  if (typeof type !== 'number' && typeof type !== 'bigint') {
    throw argumentError(`type must be a number or a bigint, got ${inspect(type, { depth: 0 })}`);
  }
  const exact = typeof type === 'number' && Number.isInteger(type) && !Number.isSafeInteger(type);
  throw rangeError(`type must be ${exact ? 'a bigint where it is beyond 2^53 - 1' : range}, got ${inspect(type)}`);
}

/** The type of a message to send. */
export function checkMessageType(type: unknown): asserts type is number | bigint {
  if (typeof type === 'number' ? Number.isSafeInteger(type) && type > 0 : isLong(type) && type > 0n) return;
  refuseType(type, 'a whole number from 1 to 2^63 - 1');
}

function isLong(type: unknown): type is bigint {
  return typeof type === 'bigint' && type <= MOST_TYPE && type >= -MOST_TYPE;
}

function checkFlag(name: string, value: unknown): asserts value is boolean | undefined {
  if (value !== undefined && typeof value !== 'boolean') {
    throw argumentError(`${name} must be true or false, got ${inspect(value, { depth: 0 })}`);
  }
}

/** Checks `type` and `except`. */
function checkSelect({ type = 0, except }: Select): void {
  if (!(typeof type === 'number' ? Number.isSafeInteger(type) : isLong(type))) {
    refuseType(type, 'a whole number of at most 2^63 - 1, positive or negative');
  }
  checkFlag('except', except);
  if (except === true && !(type > 0)) {
    throw argumentError(`except needs the type that is not wanted, a positive one, got ${inspect(type)}`);
  }
}

/** What is meant by these options. */
export function selectionOf(options: ReceiveOptions | undefined): Selection {
  if (options === undefined) return ANY;
  checkOptions(options, KNOWN);
  checkSelect(options);
  const { type = 0, except, size, truncate } = options;
  if (size !== undefined) checkInteger('size', size, 0, ANY_SIZE);
  checkFlag('truncate', truncate);
  if (truncate === true && size === undefined) throw argumentError('truncate needs the size to which it cuts');
  return { type, flags: except === true ? MSG_EXCEPT : 0, size: size ?? ANY_SIZE, truncate: truncate === true };
}

/** As large as the bytes are when the message comes: they may have been transferred meanwhile. */
class Into implements Selection {
  readonly type: number | bigint;
  readonly flags: number;
  readonly truncate: boolean;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, { type = 0, except, truncate }: ReceiveIntoOptions) {
    this.type = type;
    this.flags = except === true ? MSG_EXCEPT : 0;
    this.truncate = truncate === true;
    this.bytes = bytes;
  }

  get size(): number {
    return Math.min(this.bytes.length, ANY_SIZE);
  }
}

const NO_OPTIONS: ReceiveIntoOptions = {};

/** What is meant by these options for the bytes that the message goes to. */
export function selectionInto(bytes: Uint8Array, options: ReceiveIntoOptions = NO_OPTIONS): Selection {
  if (!(bytes instanceof Uint8Array)) checkBytes('bytes', bytes);
  if (options !== NO_OPTIONS) {
    checkOptions(options, KNOWN_INTO);
    checkSelect(options);
    checkFlag('truncate', options.truncate);
  }
  return new Into(bytes, options);
}
