/** Text in a field of a fixed number of bytes: UTF-8, with NULs after it. */
import { inspect } from 'node:util';
import { argumentError, rangeError } from '../core/errors.js';

/** Up to the first NUL, or all of it. What is no UTF-8 comes as U+FFFD. */
export function readText(bytes: Buffer, at: number, length: number): string {
  const most = at + length;
  let end = at;
  while (end < most && bytes[end] !== 0) end++;
  return bytes.toString('utf8', at, end);
}

/** The text, if it can be stored and read again as it is. */
export function takeText(name: string, value: unknown, length: number): string {
  if (typeof value !== 'string') throw argumentError(`${name} must be a string, got ${inspect(value, { depth: 0 })}`);
  if (value.includes('\0')) throw argumentError(`${name} must not contain a NUL, which would end it`);
  if (/\p{Surrogate}/u.test(value))
    throw argumentError(`${name} has half of a surrogate pair, which UTF-8 cannot hold`);
  const needed = Buffer.byteLength(value);
  if (needed > length) {
    const shown = inspect(value, { maxStringLength: 80 });
    throw rangeError(`${name} has room for ${length} bytes, and ${shown} takes ${needed} in UTF-8`);
  }
  return value;
}

/** Stores text that was taken, and NULs up to the end of the field. */
export function writeText(bytes: Buffer, at: number, length: number, value: string): void {
  const written = bytes.write(value, at, length, 'utf8');
  bytes.fill(0, at + written, at + length);
}
