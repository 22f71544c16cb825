/** The receiving half of `file:` with `?raw`: bytes as they are appended, by whatever program. */
import type { Source, Visit } from '../contract.js';
import type { Followed } from './followed.js';
import type { LogFile } from './logfile.js';

/** What is read at once. */
const CHUNK = 64 * 1024;

/**
 * Gives the bytes of a file in pieces that mean nothing. A file of this kind has no end: it is
 * followed for ever, through truncation and rotation, unless `follow` is false.
 */
export class RawSource implements Source {
  readonly #followed: Followed;
  readonly #follow: boolean;
  #position: number;
  #buffer: Buffer | undefined;
  #failure: Error | undefined;

  constructor(followed: Followed, position: number, follow: boolean) {
    this.#followed = followed;
    this.#position = position;
    this.#follow = follow;
  }

  /** Bytes that can be read now; 0 if there are none. Turns to the next file where that has begun. */
  #available(): number {
    if (this.#failure !== undefined) throw this.#failure;
    for (;;) {
      if (!this.#followed.open()) return 0;
      const file = this.#followed.file as LogFile;
      const size = file.size();
      if (size < this.#position) this.#position = 0;
      if (size > this.#position) return Math.min(CHUNK, size - this.#position);
      if (!this.#followed.isReplaced()) return 0;
      if (file.size() !== size) continue;
      this.#followed.leave();
      this.#position = 0;
    }
  }

  #read(bytes: Buffer, length: number): number {
    const got = (this.#followed.file as LogFile).read(bytes, 0, length, this.#position);
    this.#position += got;
    return got;
  }

  take(): Uint8Array | undefined | null {
    const length = this.#available();
    if (length === 0) return this.#follow ? undefined : null;
    const bytes = Buffer.allocUnsafeSlow(length);
    const got = this.#read(bytes, length);
    return got === 0 ? undefined : bytes.subarray(0, got);
  }

  takeMany(list: Uint8Array[], most: number): number {
    for (let count = 0; count < most; count++) {
      const bytes = this.take();
      if (bytes === null) return count > 0 ? count : -1;
      if (bytes === undefined) return count;
      list.push(bytes);
      // A chunk that is not full was the last; what comes meanwhile is for the next call.
      if (bytes.length < CHUNK) return count + 1;
    }
    return most;
  }

  drain(visit: Visit, most: number): number {
    for (let count = 0; count < most; count++) {
      const length = this.#available();
      if (length === 0) return count > 0 || this.#follow ? count : -1;
      this.#buffer ??= Buffer.allocUnsafeSlow(CHUNK);
      const got = this.#read(this.#buffer, length);
      if (got === 0) return count;
      visit(this.#buffer, 0, got);
    }
    return most;
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

  readonly #isReady = (): boolean => this.#available() > 0 || !this.#follow;

  release(): void {
    this.#followed.close();
  }
}
