/** The part of a log that a receiver has read and not used up. */
import type { LogFile } from './logfile.js';

/** What is read at once. */
export const CHUNK = 256 * 1024;

/** Bytes of a file, in order, from a position on. */
export class Window {
  bytes: Buffer = Buffer.alloc(0);
  /** Where the next byte stands in `bytes`, and how many of them there are. */
  at = 0;
  valid = 0;
  /** The size of the file before `bytes` was read. */
  size = 0;
  /** Whether somebody has a view of `bytes`: then it is not filled again. */
  given = false;
  #base = 0;

  /** Where the next byte stands in the file. */
  get position(): number {
    return this.#base + this.at;
  }

  /** Goes to a position; what was read is read again. */
  seek(position: number): void {
    this.#base = position;
    this.at = 0;
    this.valid = 0;
  }

  /**
   * Reads on from the position.
   *
   * @param size of the file, more than the position
   * @param give whether views of the bytes will be given away: a chunk is then as long as what
   *   there is to read, for a message keeps the whole of it
   */
  load(file: LogFile, size: number, give: boolean): void {
    const position = this.position;
    const length = Math.min(CHUNK, size - position);
    if (this.given || this.bytes.length < length) {
      this.bytes = give && length < CHUNK / 4 ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(CHUNK);
      this.given = false;
    }
    this.seek(position);
    this.size = size;
    this.valid = file.read(this.bytes, 0, length, position);
  }

  /** The next bytes, more than a chunk holds, in memory of their own; `undefined` if the file is shorter by now. */
  loadLong(file: LogFile, header: number, length: number): Buffer | undefined {
    const position = this.position;
    const bytes = Buffer.allocUnsafeSlow(length);
    const begun = this.bytes.copy(bytes, 0, this.at + header, this.valid);
    const rest = length - begun;
    const whole = file.read(bytes, begun, rest, position + header + begun) === rest;
    this.seek(whole ? position + header + length : position);
    return whole ? bytes : undefined;
  }
}
