/**
 * Where a Unix socket is found: a path, or an abstract name, which is no file and vanishes with the
 * socket (unix(7)).
 */
import { checkString } from '../core/arguments.js';
import { argumentError, type ErrorSubject } from '../core/errors.js';

/**
 * A path; or an abstract name, written `'@name'` or as its bytes (without the leading NUL, any byte
 * allowed). Either is at most 107 bytes long, the `@` not counted. A path that begins with `@` is
 * written `'./@name'`.
 */
export type Address = string | Uint8Array;

/** Bytes of the longest path (the 108th of sun_path is its NUL) and of the longest abstract name. */
export const MOST_ADDRESS_BYTES = 107;

/** Bytes of sun_path. */
export const SUN_PATH_BYTES = 108;

/** An address, checked. */
export interface Place {
  /** The bytes of sun_path: a path, or a NUL and an abstract name. */
  name: Uint8Array;
  /** `undefined` for an abstract name. */
  path: string | undefined;
  /** What errors say it is about. */
  subject: ErrorSubject;
  /** The address as it was given. */
  address: Address;
}

const encoder = new TextEncoder();

function checkLength(bytes: Uint8Array, what: string): void {
  if (bytes.length <= MOST_ADDRESS_BYTES) return;
  throw argumentError(
    `${what} of a Unix socket holds at most ${MOST_ADDRESS_BYTES} bytes, got ${bytes.length}; use a shorter folder, or a path relative to it`,
    'ERR_INTERPROC_NAME',
  );
}

function abstractPlace(name: Uint8Array, address: Address): Place {
  const bytes = new Uint8Array(1 + name.length);
  bytes.set(name, 1);
  return { name: bytes, path: undefined, subject: { object: `@${new TextDecoder().decode(name)}` }, address };
}

function checkAbstract(name: Uint8Array): Uint8Array {
  if (name.length === 0) throw argumentError('an abstract name must not be empty', 'ERR_INTERPROC_NAME');
  checkLength(name, 'the abstract name');
  return name;
}

/**
 * Where a socket is that somebody else has bound, from the bytes of its sun_path (getsockname(2)). It may be what we would not
 * bind: a path of 108 bytes, or the abstract name without a byte.
 */
export function placeOf(bound: Uint8Array): Place {
  if (bound[0] === 0) return abstractPlace(bound.slice(1), bound.slice(1));
  const end = bound.indexOf(0);
  const name = end < 0 ? bound.slice() : bound.slice(0, end);
  const path = new TextDecoder().decode(name);
  return { name, path, subject: { path }, address: path.startsWith('@') ? `./${path}` : path };
}

/** What an address stands for. @throws TypeError ERR_INTERPROC_NAME, before any system call */
export function parseAddress(address: Address): Place {
  if (address instanceof Uint8Array) return abstractPlace(checkAbstract(address), address.slice());
  checkString('address', address);
  if (address.startsWith('@')) return abstractPlace(checkAbstract(encoder.encode(address.slice(1))), address);
  const name = encoder.encode(address);
  checkLength(name, 'the path');
  return { name, path: address, subject: { path: address }, address };
}

const exactly = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that these bytes are, `undefined` if `parseAddress` would make other bytes of it, or none. */
function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0 || bytes.includes(0)) return undefined;
  try {
    return exactly.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The address that a name of the kernel's (the bytes of sun_path) stands for, `null` for that of a socket without one. An
 * abstract name is a string if that says the same bytes, else the bytes.
 */
export function addressOf(name: Uint8Array): Address | null {
  if (name.length === 0) return null;
  if (name[0] === 0) {
    const bytes = name.slice(1);
    const text = textOf(bytes);
    return text === undefined ? bytes : `@${text}`;
  }
  const end = name.indexOf(0);
  const path = new TextDecoder().decode(name.subarray(0, end < 0 ? name.length : end));
  return path.startsWith('@') ? `./${path}` : path;
}
