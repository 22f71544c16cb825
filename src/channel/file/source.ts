/**
 * The receiving half of `file:`: reads records, and follows the file as it grows, is truncated and
 * is rotated.
 *
 * A record counts only if the file was long enough for all of it before its header was read. Only
 * the part of a record is ever cut off and written anew, so that no message can be put together
 * from what two senders wrote.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { performance } from 'node:perf_hooks';
import { LOCK_EX, native } from '../../sys/index.js';
import { LONGEST_MESSAGE, type Source, type Visit } from '../contract.js';
import {
  checkVersion,
  damaged,
  END,
  END_BYTES,
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
import type { Followed } from './followed.js';
import type { LogFile } from './logfile.js';
import type { Scan } from './scan.js';

/** What is read at once. */
const CHUNK = 256 * 1024;
/** How long the end of a log that is to be removed waits for its sender to let go. */
const LEAVING_MS = 1000;

const NOTHING = 0;
const MESSAGE = 1;
const OVER = -1;
const NONE = Buffer.alloc(0);

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
  /** Bytes of the file from `#base` on; `#at` of `#valid` were consumed. */
  #bytes = NONE;
  #base = 0;
  #at = 0;
  #valid = 0;
  /** Whether messages in `#bytes` were given away: then it is not filled again. */
  #given = false;
  /** Bytes of the next record, as far as is known, and the size of the file before `#bytes` was read. */
  #needed = RECORD_HEADER;
  #size = 0;
  /** The salts of the file's first START and of the current one; of the one before, if it was truncated. */
  #firstSalt = 0;
  #salt = 0;
  #formerSalt = 0;
  /** The message that was found. */
  #message = NONE;
  #start = 0;
  #end = 0;
  /** It was found while waiting and not given yet. */
  #isFound = false;
  #over = false;
  #endFlags = 0;
  #failure: Error | undefined;

  constructor(followed: Followed, options: SourceOptions) {
    this.#followed = followed;
    this.#options = options;
    if (options.from !== undefined) {
      this.#base = options.from.end;
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
    // What follows is in `#bytes` or waits: one call takes what one read brought.
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
    const left = this.#valid - this.#at;
    if (left < RECORD_HEADER) return false;
    const word = u32(this.#bytes, this.#at);
    return word <= LONGEST_MESSAGE && left >= RECORD_HEADER + word;
  }

  /**
   * Finds the next message, and reads more of the file where that is necessary.
   *
   * @param give whether the caller keeps the bytes
   */
  #next(give: boolean): number {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#isFound) {
      const found = this.#find(give);
      if (found !== MESSAGE) {
        this.#over = found === OVER || !this.#options.follow;
        return this.#over ? OVER : NOTHING;
      }
    }
    this.#isFound = false;
    if (give) this.#given = true;
    return MESSAGE;
  }

  #find(give: boolean): number {
    if (this.#over) return OVER;
    for (;;) {
      const bytes = this.#bytes;
      const at = this.#at;
      const left = this.#valid - at;
      this.#needed = RECORD_HEADER;
      if (left >= RECORD_HEADER) {
        const word = u32(bytes, at);
        const salt = u32(bytes, at + 4);
        if (salt !== this.#salt && word !== START) {
          if (!this.#isOtherFile(word, salt)) return NOTHING;
          continue;
        }
        const total = recordBytes(word);
        if (total === 0) throw damaged(this.#followed.path, this.#base + at);
        if (left >= total) {
          this.#at = at + total;
          if (word <= LONGEST_MESSAGE) {
            this.#message = bytes;
            this.#start = at + RECORD_HEADER;
            this.#end = at + total;
            return MESSAGE;
          }
          if (this.#mark(word, at)) return OVER;
          continue;
        }
        if (total > CHUNK && this.#size - this.#base - at >= total) {
          if (this.#readLong(word)) return MESSAGE;
          continue;
        }
        this.#needed = total;
      }
      if (!this.#fill(give)) return NOTHING;
    }
  }

  /** A message that does not fit in a chunk is read into memory of its own. */
  #readLong(length: number): boolean {
    const position = this.#base + this.#at + RECORD_HEADER;
    const message = Buffer.allocUnsafeSlow(length);
    const begun = this.#bytes.copy(message, 0, this.#at + RECORD_HEADER, this.#valid);
    const rest = length - begun;
    const read = this.#followed.file?.read(message, begun, rest, position + begun);
    // Fewer bytes than the file had a moment ago: it was truncated, and the next look finds out.
    this.#restart(read === rest ? position + length : position - RECORD_HEADER);
    if (read !== rest) return false;
    this.#message = message;
    this.#start = 0;
    this.#end = length;
    return true;
  }

  /** A mark: true at the end of the channel. */
  #mark(word: number, at: number): boolean {
    const bytes = this.#bytes;
    if (word === START) {
      if (startState(bytes, at, this.#valid) !== 'start') throw damaged(this.#followed.path, this.#base + at);
      checkVersion(bytes, at, this.#followed.path);
      if (this.#base + at === 0) this.#firstSalt = u32(bytes, at + 4);
      else if (this.#saltAtBeginning() !== this.#firstSalt) {
        this.#begin();
        return false;
      }
      this.#salt = u32(bytes, at + 4);
      return false;
    }
    if (word === MOVED) {
      this.#begin();
      this.#followed.goOn(bytes.readBigUInt64LE(at + 8), u32(bytes, at + 16));
      return false;
    }
    this.#over = true;
    this.#endFlags = u32(bytes, at + 8);
    return true;
  }

  /**
   * What stands where a record should be is none of this sender's. Either nothing was written there
   * yet (false), or the file was truncated and filled again (true: it is read from its beginning),
   * or the log is damaged, or no log at all.
   */
  #isOtherFile(word: number, salt: number): boolean {
    const position = this.#base + this.#at;
    this.#restart(position);
    if (word === 0 && salt === 0 && position > 0) return false;
    if (position === 0) {
      // It was truncated while its sender was writing; the sender will begin it properly.
      if (salt === this.#formerSalt && salt !== 0) return false;
      throw notOurs(this.#followed.path);
    }
    const first = this.#saltAtBeginning();
    if (first === 0 || first === this.#firstSalt) throw damaged(this.#followed.path, position);
    this.#begin();
    return true;
  }

  /** The salt of the START that the file begins with now, 0 if it does not. */
  #saltAtBeginning(): number {
    const start = Buffer.alloc(START_BYTES);
    const length = this.#followed.file?.read(start, 0, START_BYTES, 0) ?? 0;
    return startState(start, 0, length) === 'start' ? u32(start, 4) : 0;
  }

  /** Reads the next chunk; false if the file has nothing new. */
  #fill(give: boolean): boolean {
    const followed = this.#followed;
    if (!followed.open()) return false;
    const file = followed.file as LogFile;
    const position = this.#base + this.#at;
    const size = file.size();
    if (size < position) {
      this.#begin();
      return true;
    }
    const length = Math.min(CHUNK, size - position);
    if (size - position < this.#needed) {
      if (position === 0 && length > 0) this.#checkBeginning(length);
      return this.#goOn(size);
    }
    if (this.#given || this.#bytes.length < length) {
      // Messages keep the chunk that they are in: it is as long as what there is to read.
      this.#bytes = give && length < CHUNK / 4 ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(CHUNK);
      this.#given = false;
    }
    this.#size = size;
    this.#base = position;
    this.#at = 0;
    this.#valid = file.read(this.#bytes, 0, length, position);
    return true;
  }

  /** A short file that cannot become a log is refused at once. */
  #checkBeginning(length: number): void {
    const bytes = Buffer.alloc(length);
    const got = this.#followed.file?.read(bytes, 0, length, 0) ?? 0;
    if (startState(bytes, 0, got) === 'other') throw notOurs(this.#followed.path);
  }

  /** At the end of a file without a mark: true if another one has its place, which is read next. */
  #goOn(size: number): boolean {
    if (!this.#followed.isReplaced()) return false;
    if (this.#followed.file?.size() !== size) return true;
    this.#followed.leave();
    this.#begin();
    return true;
  }

  /** From the beginning, of this file or of the next. */
  #begin(): void {
    this.#formerSalt = this.#salt;
    this.#salt = 0;
    this.#firstSalt = 0;
    this.#restart(0);
  }

  /** Nothing is known of the file from this position on. */
  #restart(position: number): void {
    this.#base = position;
    this.#at = 0;
    this.#valid = 0;
  }

  whenReadable(ready: () => void): (() => void) | undefined {
    try {
      const watch = this.#followed.watch();
      return this.#isReady() ? undefined : watch.once(ready);
    } catch (why) {
      // It comes out of the call that follows.
      this.#failure = why as Error;
      return undefined;
    }
  }

  waitReadable(timeoutMs: number): void {
    const watch = this.#followed.watch();
    if (!this.#isReady()) watch.wait(timeoutMs);
  }

  /** Whether there is a message or the end; what is found is left for the call that follows. */
  #isReady(): boolean {
    if (this.#isFound || this.#over) return true;
    const found = this.#find(false);
    this.#isFound = found === MESSAGE;
    return found !== NOTHING || !this.#options.follow;
  }

  async release(): Promise<void> {
    if (this.#over && (this.#endFlags & TEMPORARY) !== 0 && this.#options.remove) await this.#remove();
    this.#followed.close();
    this.#bytes = NONE;
    this.#message = NONE;
  }

  /**
   * Removes the log that has ended. Its lock shows that no sender goes on with it; the one that
   * ended it may still be about to let go.
   */
  async #remove(): Promise<void> {
    const file = this.#followed.file as LogFile;
    const deadline = performance.now() + LEAVING_MS;
    while (!file.lock(LOCK_EX)) {
      if (!this.#endIsLast(file) || performance.now() > deadline) return;
      await nextTurn();
    }
    if (file.named() === 'this' && this.#endIsLast(file)) native().unlink(file.path);
  }

  #endIsLast(file: LogFile): boolean {
    const position = this.#base + this.#at - END_BYTES;
    const mark = Buffer.alloc(RECORD_HEADER);
    if (file.size() !== position + END_BYTES) return false;
    return file.read(mark, 0, RECORD_HEADER, position) === RECORD_HEADER && u32(mark, 0) === END;
  }
}
