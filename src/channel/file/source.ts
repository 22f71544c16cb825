/**
 * The receiving half of `file:`: reads records, and follows the file as it grows, is truncated and
 * is rotated.
 *
 * A record counts only if the file was long enough for all of it before its header was read. Only
 * the part of a record is ever cut off and written anew, so that no message can be put together
 * from what two senders wrote.
 */
import { LONGEST_MESSAGE, type Source, type Visit } from '../contract.js';
import type { Followed } from './followed.js';
import {
  checkVersion,
  damaged,
  MOVED,
  notOurs,
  RECORD_HEADER,
  recordBytes,
  START,
  START_BYTES,
  startState,
  TEMPORARY,
  u32,
} from './format.js';
import type { LogFile } from './logfile.js';
import { removeEnded } from './remove.js';
import type { Scan } from './scan.js';
import { CHUNK, Window } from './window.js';

const NOTHING = 0;
const MESSAGE = 1;
const OVER = -1;

/** How a log is read. */
export interface SourceOptions {
  /** Where to begin; at the beginning if omitted. */
  readonly from?: Scan | undefined;
  /** Whether to wait for more where the file ends without a mark. */
  readonly follow: boolean;
  /** Whether a log that says so is removed at its end. */
  readonly remove: boolean;
}

/** Reads a log of records. */
export class LogSource implements Source {
  readonly #followed: Followed;
  readonly #options: SourceOptions;
  readonly #window = new Window();
  /** The salts of the file's first START and of the current one; of the one before, if it was truncated. */
  #firstSalt = 0;
  #salt = 0;
  #formerSalt = 0;
  /** The message that was found. */
  #message = this.#window.bytes;
  #start = 0;
  #end = 0;
  /** It was found while waiting and not given yet. */
  #isFound = false;
  /** Whether the last call gave its messages away: the next is taken to do the same. */
  #gives = true;
  #over = false;
  #endFlags = 0;
  #failure: Error | undefined;

  constructor(followed: Followed, options: SourceOptions) {
    this.#followed = followed;
    this.#options = options;
    if (options.from !== undefined) {
      this.#window.seek(options.from.end);
      this.#salt = options.from.salt;
      this.#firstSalt = options.from.firstSalt;
    }
  }

  take(): Uint8Array | undefined | null {
    const found = this.#next(true);
    if (found === MESSAGE) return this.#message.subarray(this.#start, this.#end);
    return found === OVER ? null : undefined;
  }

  takeMany(list: Uint8Array[], most: number): number {
    let count = 0;
    // One call takes what one read brought: the next read would need a chunk of its own.
    while (count < most && (count === 0 || this.#holdsMore())) {
      const found = this.#next(true);
      if (found !== MESSAGE) return count > 0 ? count : found;
      list.push(this.#message.subarray(this.#start, this.#end));
      count++;
    }
    return count;
  }

  drain(visit: Visit, most: number): number {
    let count = 0;
    while (count < most && (count === 0 || this.#holdsMore())) {
      const found = this.#next(false);
      if (found !== MESSAGE) return count > 0 ? count : found;
      count++;
      visit(this.#message, this.#start, this.#end);
    }
    return count;
  }

  /** Whether the next record is a message that has been read already. */
  #holdsMore(): boolean {
    const { bytes, at, valid } = this.#window;
    const left = valid - at;
    if (left < RECORD_HEADER) return false;
    const word = u32(bytes, at);
    return word <= LONGEST_MESSAGE && left >= RECORD_HEADER + word;
  }

  /** @param give whether the caller keeps the bytes */
  #next(give: boolean): number {
    this.#gives = give;
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#isFound) {
      const found = this.#find(give);
      if (found !== MESSAGE) {
        this.#over = found === OVER || !this.#options.follow;
        return this.#over ? OVER : NOTHING;
      }
    }
    this.#isFound = false;
    if (give) this.#window.given = true;
    return MESSAGE;
  }

  /** Finds the next message, and reads more of the file where that is necessary. */
  #find(give: boolean): number {
    if (this.#over) return OVER;
    const window = this.#window;
    for (;;) {
      const { bytes, at } = window;
      const left = window.valid - at;
      let needed = RECORD_HEADER;
      if (left >= RECORD_HEADER) {
        const word = u32(bytes, at);
        const salt = u32(bytes, at + 4);
        if ((salt !== this.#salt || salt === 0) && word !== START) {
          if (!this.#isOtherFile(word, salt)) return NOTHING;
          continue;
        }
        needed = recordBytes(word);
        if (needed === 0) throw damaged(this.#followed.path, window.position);
        if (left >= needed) {
          if (word <= LONGEST_MESSAGE) {
            window.at = at + needed;
            this.#hold(bytes, at + RECORD_HEADER, at + needed);
            return MESSAGE;
          }
          if (this.#mark(word, needed)) return OVER;
          continue;
        }
        if (needed > CHUNK && window.size - window.position >= needed) {
          const long = window.loadLong(this.#followed.file as LogFile, RECORD_HEADER, word);
          if (long === undefined) continue;
          this.#hold(long, 0, word);
          return MESSAGE;
        }
      }
      if (!this.#fill(needed, give)) return NOTHING;
    }
  }

  #hold(bytes: Buffer, start: number, end: number): void {
    this.#message = bytes;
    this.#start = start;
    this.#end = end;
  }

  /** Passes a mark: true at the end of the channel. */
  #mark(word: number, length: number): boolean {
    const window = this.#window;
    const { bytes, at, position } = window;
    const { path } = this.#followed;
    if (word === START) {
      if (startState(bytes, at, window.valid) !== 'start') throw damaged(path, position);
      checkVersion(bytes, at, path);
      const salt = u32(bytes, at + 4);
      if (position === 0) this.#firstSalt = salt;
      else if (this.#saltAtBeginning() !== this.#firstSalt) {
        this.#begin();
        return false;
      }
      this.#salt = salt;
    } else if (word === MOVED) {
      this.#begin();
      this.#followed.goOn(bytes.readBigUInt64LE(at + 8), u32(bytes, at + 16));
      return false;
    } else {
      this.#over = true;
      this.#endFlags = u32(bytes, at + 8);
    }
    window.at = at + length;
    return this.#over;
  }

  /**
   * What stands where a record should be is none of this sender's. Either nothing was written there
   * yet (false), or the file was truncated and filled again (true: it is read from its beginning),
   * or the log is damaged, or no log at all.
   */
  #isOtherFile(word: number, salt: number): boolean {
    const { position } = this.#window;
    const { path } = this.#followed;
    this.#window.seek(position);
    if (position === 0) {
      // It was truncated while its sender was writing; the sender will begin it properly.
      if (salt === this.#formerSalt && salt !== 0) return false;
      throw notOurs(path);
    }
    if (word === 0 && salt === 0) return false;
    const first = this.#saltAtBeginning();
    if (first === 0 || first === this.#firstSalt) throw damaged(path, position);
    this.#begin();
    return true;
  }

  /** The salt of the START that the file begins with now, 0 if it does not. */
  #saltAtBeginning(): number {
    const start = Buffer.alloc(START_BYTES);
    const length = this.#followed.file?.read(start, 0, START_BYTES, 0) ?? 0;
    return startState(start, 0, length) === 'start' ? u32(start, 4) : 0;
  }

  /** Reads more; false if the file has less than is needed. */
  #fill(needed: number, give: boolean): boolean {
    if (!this.#followed.open()) return false;
    const file = this.#followed.file as LogFile;
    const { position } = this.#window;
    const size = file.size();
    if (size < position) {
      this.#begin();
      return true;
    }
    if (size - position < needed) {
      if (position === 0 && size > 0) this.#checkBeginning(file, size);
      return this.#goOn(file, size);
    }
    this.#window.load(file, size, give);
    return true;
  }

  /** A file that is too short to tell is refused if it cannot become a log. */
  #checkBeginning(file: LogFile, size: number): void {
    const bytes = Buffer.alloc(size);
    if (startState(bytes, 0, file.read(bytes, 0, size, 0)) === 'other') throw notOurs(this.#followed.path);
  }

  /** At the end of a file without a mark: true if another one has its place, which is read next. */
  #goOn(file: LogFile, size: number): boolean {
    if (!this.#followed.isReplaced()) return false;
    if (file.size() !== size) return true;
    this.#followed.leave();
    this.#begin();
    return true;
  }

  /** From the beginning, of this file or of the next. */
  #begin(): void {
    this.#formerSalt = this.#salt;
    this.#salt = 0;
    this.#firstSalt = 0;
    this.#window.seek(0);
  }

  whenReadable(ready: () => void): (() => void) | undefined {
    try {
      return this.#followed.watchUnless(this.#isReady)?.once(ready);
    } catch (why) {
      // It comes out of the call that follows.
      this.#failure = why as Error;
      return undefined;
    }
  }

  waitReadable(timeoutMs: number): void {
    this.#followed.watchUnless(this.#isReady)?.wait(timeoutMs);
  }

  /** Whether there is a message or the end; what is found is left for the call that follows. */
  readonly #isReady = (): boolean => {
    if (this.#isFound || this.#over) return true;
    const found = this.#find(this.#gives);
    this.#isFound = found === MESSAGE;
    return found !== NOTHING || !this.#options.follow;
  };

  async release(): Promise<void> {
    const file = this.#followed.file;
    try {
      if (this.#over && (this.#endFlags & TEMPORARY) !== 0 && this.#options.remove && file !== undefined) {
        await removeEnded(file, this.#window.position);
      }
    } finally {
      this.#followed.close();
    }
  }
}
