/** What System V objects are found by: keys, and ftok(3) that makes one of a path. */
import { randomInt } from 'node:crypto';
import { inspect } from 'node:util';
import { native } from '../sys/index.js';
import { checkInteger, checkString } from '../core/arguments.js';
import { argumentError, check, rangeError } from '../core/errors.js';

/**
 * A number of 32 bits, negative or not (-1 and 0xffffffff are the same key), or `'private'` (IPC_PRIVATE) for an object
 * without a key, which others find by its id.
 */
export type Key = number | 'private';

/** The key of an object that has none: the same as `'private'`. */
export const IPC_PRIVATE = 0;

const LEAST = -0x8000_0000;
const MOST = 0xffff_ffff;

/** A key as ipcs(1) shows it. */
export function keyName(key: number): string {
  return `0x${key.toString(16).padStart(8, '0')}`;
}

/** The key as a number from 0 to 2^32 - 1, where 0 is a private one. */
export function checkKey(key: unknown): number {
  if (key === 'private') return IPC_PRIVATE;
  if (typeof key !== 'number') {
    throw argumentError(`key must be a number of 32 bits or 'private', got ${inspect(key, { depth: 0 })}`);
  }
  if (!Number.isInteger(key) || key < LEAST || key > MOST) {
    throw rangeError(`key must be a whole number of 32 bits, from ${LEAST} to ${MOST}, got ${key}`);
  }
  return key >>> 0;
}

/** A key with which something can be found: not a private one. */
export function checkPublicKey(key: unknown): number {
  const checked = checkKey(key);
  if (checked === IPC_PRIVATE) {
    throw argumentError('a private object has no key by which it could be found: use fromId() with its id');
  }
  return checked;
}

/** A key that is not private. */
export function randomKey(): number {
  return randomInt(1, MOST + 1);
}

/**
 * The key that a path and a number stand for (ftok(3)), 0 to 2^32 - 1, the same in every language.
 *
 * It is weak: the key has 8 bits of `projectId`, 8 of the file's device and 16 of its inode. Two files whose inodes
 * differ by a multiple of 65,536 have the same key, and a file that is deleted and made again has another one. Take a file that
 * stays, and look at what is found. A symbolic link is followed.
 *
 * @param path of a file that exists
 * @param projectId 1 to 255; 1 if omitted
 * @throws IpcError ENOENT, EACCES, ENOTDIR, as stat(2)
 */
export function ftok(path: string, projectId = 1): number {
  checkString('path', path);
  checkInteger('projectId', projectId, 1, 255);
  return check(native().ftok(path, projectId), 'ftok', { path });
}
