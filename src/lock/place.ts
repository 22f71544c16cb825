/** A lock's place in mapped memory: which places can have one, how one is made there, and how it is found. */

import { inspect } from 'node:util';
import { checkInteger } from '../core/arguments.js';
import { EAGAIN, EEXIST, EOPNOTSUPP } from '../core/errno.js';
import { argumentError, check, codedError, IpcError, rangeError } from '../core/errors.js';
import { Mapping } from '../mmap/index.js';
import { native } from '../sys/index.js';
import { ALIGNMENT, MAGIC, MAGIC_WORD, OBJECTS, type ObjectName, WHAT, whatWord } from './layout.js';

/** Throws unless an object of so many bytes can be at this place. */
export function checkPlace(mapping: Mapping, offset: number, byteLength: number, alignment = ALIGNMENT): void {
  if (!(mapping instanceof Mapping)) {
    throw argumentError(`mapping must be a Mapping, got ${inspect(mapping, { depth: 0 })}`);
  }
  mapping.use();
  if (mapping.access !== 'read-write') {
    throw argumentError(`a lock needs a mapping with access 'read-write', got '${mapping.access}'`);
  }
  checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
  if (offset % alignment !== 0) throw rangeError(`offset must be a multiple of ${alignment}, got ${offset}`);
  if (offset > mapping.byteLength - byteLength) {
    throw rangeError(
      `the ${byteLength} bytes of the lock at ${offset} would go beyond the ${mapping.byteLength} of ${mapping.describe()}`,
    );
  }
}

/** A 32-bit word of an object. */
export function wordAt(mapping: Mapping, offset: number): number {
  return Atomics.load(mapping.int32, offset / 4);
}

const named = Object.fromEntries(Object.entries(OBJECTS).map(([name, number]) => [number, name]));

function nameOf(what: number): string {
  return named[what & 0xff] ?? 'unknown object';
}

const subject = (name: ObjectName, offset: number): { object: string } => ({ object: `${name} at ${offset}` });

/** While another process writes the object, which it does in less than a microsecond, unless it is stopped there. */
const MOST_ATTEMPTS = 100;
const PAUSE_MS = 10;

function pause(mapping: Mapping, offset: number, seen: number): void {
  native().futexWait(mapping.native, offset, seen, PAUSE_MS);
}

/**
 * Writes a new object there, or answers false if there is one. Of several who do so at once one wins, and everybody sees all of it or
 * nothing; what one who was killed meanwhile has left is written over.
 */
export function format(mapping: Mapping, offset: number, name: ObjectName, image: Int32Array): boolean {
  image[WHAT / 4] = whatWord(name);
  const bytes = new Uint8Array(image.buffer);
  for (let attempts = 0; ; attempts++) {
    const result = native().lockFormat(mapping.native, offset, bytes, MAGIC_WORD);
    mapping.checkIntact();
    if (result === -EEXIST) return false;
    if (result === -EOPNOTSUPP) throw unsupported();
    if (result !== -EAGAIN) {
      check(result, 'mmap');
      return true;
    }
    if (attempts === MOST_ATTEMPTS) throw somethingElse(name, offset);
    pause(mapping, offset + MAGIC, wordAt(mapping, offset + MAGIC));
  }
}

/** Musl, an emulation of system calls, or a machine of 32 bits. */
export function unsupported(): Error {
  return codedError(
    'ERR_INTERPROC_UNSUPPORTED',
    "locks in shared memory need glibc's list of robust mutexes, as 64-bit Linux with glibc 2.34 or newer has it",
  );
}

function somethingElse(name: ObjectName, offset: number): Error {
  return codedError(
    'ERR_INTERPROC_LAYOUT',
    `the memory at ${offset} holds something else than a ${name}: a new object needs memory that is zero`,
  );
}

/** Throws unless this object is there, complete. */
export function checkThere(mapping: Mapping, offset: number, name: ObjectName): void {
  const magic = wordAt(mapping, offset + MAGIC);
  if (magic !== MAGIC_WORD) {
    if (magic !== 0) throw somethingElse(name, offset);
    throw new IpcError({
      code: 'ENOENT',
      syscall: 'open',
      ...subject(name, offset),
      message: `no ${name} is there`,
      hint: 'create() or openOrCreate() makes one',
    });
  }
  const what = wordAt(mapping, offset + WHAT);
  if (what === whatWord(name)) return;
  const found = nameOf(what);
  const message =
    found === name
      ? `the ${name} at ${offset} was made by another version of interproc, or with another C library`
      : `the object at ${offset} is a ${found}, not a ${name}`;
  throw codedError('ERR_INTERPROC_LAYOUT', message);
}

/** The error for an object that is to be made and is there. */
export function existsError(name: ObjectName, offset: number): IpcError {
  return new IpcError({
    code: 'EEXIST',
    syscall: 'create',
    ...subject(name, offset),
    message: `a ${name} is there already`,
    hint: 'open() uses it, openOrCreate() either',
  });
}
