/** Finds the last whole message of a log, by the headers of its records. */
import {
  checkVersion,
  damaged,
  END,
  MOVED,
  notOurs,
  RECORD_HEADER,
  recordBytes,
  START,
  startState,
  TEMPORARY,
  u32,
} from './format.js';
import { LONGEST_MESSAGE } from '../contract.js';
import type { LogFile } from './logfile.js';

const CHUNK = 1 << 20;

/** What a log holds. */
export interface Scan {
  /** Where the last whole message (or START) ends: an END, a MOVED and half a record come after it. */
  end: number;
  /** The salts of the first START and of the last; 0 if the log has none yet. */
  firstSalt: number;
  salt: number;
  /** Whether its sender made it for as long as it is needed, or its END says so. */
  temporary: boolean;
}

/**
 * Scans the log as far as it reaches now. Yields now and then, so that whoever runs it can let
 * others have a turn.
 *
 * @param ownSalt a START may be missing before records with this salt: then nothing is there
 */
export function* scan(file: LogFile, ownSalt = 0): Generator<void, Scan, void> {
  const size = file.size();
  const bytes = Buffer.allocUnsafeSlow(Math.max(Math.min(CHUNK, size), RECORD_HEADER));
  const found: Scan = { end: 0, firstSalt: 0, salt: 0, temporary: false };
  let base = 0;
  let valid = 0;
  for (;;) {
    const at = found.end - base;
    if (at + RECORD_HEADER > valid || at + markBytes(u32(bytes, at)) > valid) {
      if (base !== found.end || valid === 0) {
        base = found.end;
        valid = file.read(bytes, 0, Math.min(bytes.length, size - base), base);
        yield;
        if (found.end === 0) {
          const state = startState(bytes, 0, valid);
          if (state === 'partial') return found;
          if (state === 'other') {
            if (valid >= RECORD_HEADER && ownSalt !== 0 && u32(bytes, 4) === ownSalt) return found;
            throw notOurs(file.path);
          }
        }
        if (valid > 0) continue;
      }
      return found;
    }
    const word = u32(bytes, at);
    const salt = u32(bytes, at + 4);
    const total = recordBytes(word);
    if (word === 0 && salt === 0) {
      if (yield* isEmptyFrom(file, found.end, size)) return found;
      throw damaged(file.path, found.end);
    }
    if (total === 0 || (salt !== found.salt && word !== START)) throw damaged(file.path, found.end);
    if (found.end + total > size) return found;
    if (word === START) {
      if (startState(bytes, at, valid) !== 'start') throw damaged(file.path, found.end);
      checkVersion(bytes, at, file.path);
      found.salt = salt;
      if (found.firstSalt === 0) found.firstSalt = salt;
      found.temporary = (u32(bytes, at + 20) & TEMPORARY) !== 0;
    } else if (word === END || word === MOVED) {
      if (found.end + total !== size) throw damaged(file.path, found.end);
      if (word === END) found.temporary = (u32(bytes, at + 8) & TEMPORARY) !== 0;
      return found;
    }
    found.end += total;
  }
}

/** The payload of a message is skipped, that of a mark is looked at. */
function markBytes(word: number): number {
  return word <= LONGEST_MESSAGE ? RECORD_HEADER : recordBytes(word);
}

/** Whether the file holds nothing but zeros from here on, as a power failure can leave it. */
function* isEmptyFrom(file: LogFile, position: number, size: number): Generator<void, boolean, void> {
  const bytes = Buffer.allocUnsafeSlow(Math.min(CHUNK, size - position));
  const zeros = Buffer.alloc(bytes.length);
  for (let from = position; from < size; ) {
    const length = file.read(bytes, 0, Math.min(bytes.length, size - from), from);
    if (length === 0 || bytes.compare(zeros, 0, length, 0, length) !== 0) return length === 0;
    from += length;
    yield;
  }
  return true;
}
