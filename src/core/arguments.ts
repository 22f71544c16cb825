/** Checks of what a caller passes, made before any system call; each names what it got. */
import { inspect, types } from 'node:util';
import { argumentError, rangeError } from './errors.js';
import { nearest } from './nearest.js';

function shown(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 80, maxArrayLength: 3, breakLength: Infinity });
}

/** Bytes to send or to fill. */
export function checkBytes(name: string, value: unknown): asserts value is Uint8Array {
  if (!types.isUint8Array(value)) {
    throw argumentError(`${name} must be a Uint8Array (a Buffer is one), got ${shown(value)}`);
  }
}

/** A whole number from `least` to `most`. */
export function checkInteger(name: string, value: unknown, least: number, most: number): asserts value is number {
  if (typeof value !== 'number') throw argumentError(`${name} must be a number, got ${shown(value)}`);
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw rangeError(`${name} must be a whole number from ${least} to ${most}, got ${shown(value)}`);
  }
}

/** A string without a NUL, which would cut it short in the kernel. */
export function checkString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw argumentError(`${name} must be a string, got ${shown(value)}`);
  if (value.length === 0) throw argumentError(`${name} must not be empty`, 'ERR_INTERPROC_NAME');
  if (value.includes('\0'))
    throw argumentError(`${name} must not contain a NUL, got ${shown(value)}`, 'ERR_INTERPROC_NAME');
}

/** Options: a plain object whose every key is known. */
export function checkOptions(options: object | undefined, known: readonly string[]): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null) {
    throw argumentError(`options must be an object, got ${shown(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      const like = nearest(key, known);
      const meant = like === undefined ? '' : ` (did you mean ${like}?)`;
      throw argumentError(`unknown option ${shown(key)}${meant}; known are ${known.join(', ')}`);
    }
  }
}

/** A mode as open(2) takes it: permission bits only. */
export function checkMode(mode: unknown): asserts mode is number {
  checkInteger('mode', mode, 0, 0o7777);
}

/** The value that goes with a signal, as C takes it: an int32, or 64 bits. */
export function checkSignalValue(value: unknown): number | bigint {
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(64, value) !== value && BigInt.asUintN(64, value) !== value) {
      throw rangeError(`value must fit 64 bits, got ${value}`);
    }
    return BigInt.asIntN(64, value);
  }
  if (typeof value !== 'number') throw argumentError(`value must be a number or a bigint, got ${String(value)}`);
  checkInteger('value', value, -0x80000000, 0x7fffffff);
  return value;
}
