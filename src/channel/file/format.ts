/**
 * The log file of `file:`, byte by byte (docs/protocol.md has it for other languages).
 *
 * A file is a row of records without gaps. Numbers are little-endian.
 *
 * ```
 * record   u32 length   0 to 64 MiB: a message of so many bytes; above that: a mark
 *          u32 salt     the same in all records of one sender, never 0
 *          payload
 *
 * START    length 0xFFFFFFFD: 8 bytes "IPROCLOG", u32 version (1), u32 flags (1: temporary)
 * MOVED    length 0xFFFFFFFE: u64 inode of the file that goes on, u32 salt of its START, u32 0
 * END      length 0xFFFFFFFF: u32 flags (1: whoever gets here removes the file), u32 0
 * ```
 *
 * Each sender begins with a START, so a file does, too; a START chooses the salt of what follows.
 * The salt tells a reader that stands in the middle of a file which was truncated and filled again
 * from one that reads on: what it finds there is not a record with the salt it expects.
 *
 * END and MOVED are last in their file. The next sender cuts them off, as it does with the part of
 * a record that a killed sender left behind, and goes on from there. A header of zeros counts as
 * not yet written: a file system may lengthen a file before its bytes when the power fails.
 */
import { randomBytes } from 'node:crypto';
import { IpcError } from '../../core/errors.js';
import { LONGEST_MESSAGE } from '../contract.js';

/** Bytes before the payload of a record. */
export const RECORD_HEADER = 8;
/** The length words of the marks, and how long these records are in all. */
export const START = 0xfffffffd;
export const START_BYTES = 24;
export const MOVED = 0xfffffffe;
export const MOVED_BYTES = 24;
export const END = 0xffffffff;
export const END_BYTES = 16;

/** A flag of START: its sender made the file for as long as it is needed; of END: remove it. */
export const TEMPORARY = 1;

const MAGIC = Buffer.from('IPROCLOG', 'latin1');
const VERSION = 1;

/** The bytes of a whole record by its length word; 0 for a word that no record has. */
export function recordBytes(word: number): number {
  if (word <= LONGEST_MESSAGE) return RECORD_HEADER + word;
  if (word === END) return END_BYTES;
  if (word === START) return START_BYTES;
  return word === MOVED ? MOVED_BYTES : 0;
}

/** A little-endian u32. */
export function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Writes a little-endian u32. */
export function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** A salt for a new sender, not 0 and not this one. */
export function newSalt(not: number): number {
  for (;;) {
    const salt = randomBytes(4).readUInt32LE();
    if (salt !== 0 && salt !== not) return salt;
  }
}

/** The record that a sender begins with. */
export function startRecord(salt: number, flags: number): Buffer {
  const record = Buffer.alloc(START_BYTES);
  setU32(record, 0, START);
  setU32(record, 4, salt);
  MAGIC.copy(record, 8);
  setU32(record, 16, VERSION);
  setU32(record, 20, flags);
  return record;
}

/** The record that ends a file which goes on in another. */
export function movedRecord(salt: number, inode: bigint, nextSalt: number): Buffer {
  const record = Buffer.alloc(MOVED_BYTES);
  setU32(record, 0, MOVED);
  setU32(record, 4, salt);
  record.writeBigUInt64LE(inode, 8);
  setU32(record, 16, nextSalt);
  return record;
}

/** The record that ends the channel. */
export function endRecord(salt: number, flags: number): Buffer {
  const record = Buffer.alloc(END_BYTES);
  setU32(record, 0, END);
  setU32(record, 4, salt);
  setU32(record, 8, flags);
  return record;
}

/** Whether these bytes, the first of a file, are a START, may become one, or never will. */
export function startState(bytes: Uint8Array, at: number, end: number): 'start' | 'partial' | 'other' {
  const length = Math.min(end - at, START_BYTES);
  for (let index = 0; index < Math.min(length, 4); index++) {
    if (bytes[at + index] !== ((START >>> (8 * index)) & 0xff)) return 'other';
  }
  for (let index = 8; index < Math.min(length, 16); index++) {
    if (bytes[at + index] !== MAGIC[index - 8]) return 'other';
  }
  if (length < START_BYTES) return 'partial';
  return u32(bytes, at + 4) === 0 ? 'other' : 'start';
}

/** Refuses a START of a format that is newer than this program. */
export function checkVersion(bytes: Uint8Array, at: number, path: string): void {
  const version = u32(bytes, at + 16);
  if (version === VERSION) return;
  throw new IpcError({
    code: 'EBADMSG',
    syscall: 'read',
    path,
    message: `the log has version ${version}, known is ${VERSION}`,
  });
}

/** The error for a file that somebody else made. */
export function notOurs(path: string): IpcError {
  return new IpcError({
    code: 'EBADMSG',
    syscall: 'read',
    path,
    message: 'this is not an interproc log',
    hint: 'the file does not begin with the mark of a log; add ?raw to append to any file, or to follow it',
  });
}

/** The error for a log that is damaged. */
export function damaged(path: string, position: number): IpcError {
  return new IpcError({ code: 'EBADMSG', syscall: 'read', path, message: `the log is damaged at byte ${position}` });
}
