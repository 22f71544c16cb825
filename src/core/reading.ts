/** Reading a stream of bytes from a descriptor (core/transfer.ts says what holds for both directions). */
import { kept, native, POLLHUP, POLLIN } from '../sys/index.js';
import { checkBytes, checkInteger, checkOptions } from './arguments.js';
import { EAGAIN, EINTR } from './errno.js';
import { check, type ErrorSubject, rangeError } from './errors.js';
import type { DescriptorHandle } from './handle.js';
import { blockOnce, whenPossible, whenPossibleSync } from './readiness.js';
import { Direction, MAY_BLOCK } from './transfer.js';
import { checkSyncWait, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from './wait.js';

/** How much to read at most, and how long to wait for it. */
export interface ReadOptions extends WaitOptions {
  /** Bytes, 1 to 2^31 - 1; 65536 if omitted. What is there is given at once, be it less. */
  maxBytes?: number;
}

/** As `ReadOptions`, blocking this thread. */
export interface SyncReadOptions extends SyncWaitOptions {
  /** Bytes, 1 to 2^31 - 1; 65536 if omitted. What is there is given at once, be it less. */
  maxBytes?: number;
}

/** How much to read at most. */
export interface TryReadOptions {
  /** Bytes, 1 to 2^31 - 1; 65536 if omitted. */
  maxBytes?: number;
}

const CHUNK = 65536;
const MOST_BYTES = 0x7fffffff;

/** The `maxBytes` of a read; throws for one that cannot be meant. */
export function checkMaxBytes(maxBytes: number | undefined): number {
  if (maxBytes === undefined) return CHUNK;
  checkInteger('maxBytes', maxBytes, 1, MOST_BYTES);
  return maxBytes;
}

let scratch: Uint8Array | undefined;

/** What `fill` put into a buffer of at most `maxBytes`, as an array of its own; up to 64 KiB cost no buffer while there is nothing. */
export function gather<T>(maxBytes: number, fill: (buffer: Uint8Array) => number | T): Uint8Array | T {
  if (maxBytes <= CHUNK) {
    scratch ??= new Uint8Array(CHUNK);
    const buffer = maxBytes === CHUNK ? scratch : scratch.subarray(0, maxBytes);
    const count = fill(buffer);
    return typeof count === 'number' ? scratch.slice(0, count) : count;
  }
  const buffer = new Uint8Array(maxBytes);
  const count = fill(buffer);
  if (typeof count !== 'number') return count;
  return count > maxBytes / 2 ? buffer.subarray(0, count) : buffer.slice(0, count);
}

/** The reading side of a handle. */
export class ByteReader extends Direction {
  readonly #isPipe: boolean;

  /** `isPipe`: whether an end is only one if poll(2) says that there was a writer. */
  constructor(handle: DescriptorHandle, isPipe: boolean, subject?: ErrorSubject) {
    super(handle, 'read', subject);
    this.#isPipe = isPipe;
  }

  /** read(2) into `bytes`: how many, `undefined` if there are none now, `null` at the end. */
  tryReadInto(bytes: Uint8Array): number | undefined | null {
    if (!this.ready) this.prepare();
    const count = kept.read(this.handle.fd, bytes);
    return count > 0 ? count : this.#without(count, bytes);
  }

  /** What a read that brought nothing means. */
  #without(count: number, bytes: Uint8Array): number | undefined | null {
    if (count === -EAGAIN) return undefined;
    if (count === -EINTR) return this.tryReadInto(bytes);
    this.handle.use();
    checkBytes('bytes', bytes);
    if (bytes.length === 0) throw rangeError('bytes must have room for at least 1 byte, got an empty array');
    check(count, 'read', this.awaited.subject);
    // A FIFO that was opened before any writer reads as ended, but does not poll as hung up.
    const ended = !this.#isPipe || (native().poll(this.handle.fd, POLLIN, 0) & POLLHUP) !== 0;
    return ended ? null : undefined;
  }

  /** As `tryReadInto`, blocking this thread until there is something. */
  readIntoSync(bytes: Uint8Array, options?: SyncWaitOptions): number | null {
    if (options !== undefined) return this.#readIntoWithin(bytes, options);
    for (;;) {
      if (!this.ready && !MAY_BLOCK) this.prepare();
      const count = kept.read(this.handle.fd, bytes);
      if (count > 0) return count;
      const now = this.#without(count, bytes);
      if (now !== undefined) return now;
      blockOnce(this.handle.fd, POLLIN);
    }
  }

  #readIntoWithin(bytes: Uint8Array, options: SyncWaitOptions): number | null {
    checkSyncWait(options);
    const attempt = (): number | undefined | null => this.tryReadInto(bytes);
    return whenPossibleSync<number | null>(this.handle, POLLIN, attempt, options, this.awaited);
  }

  /** As `tryReadInto`, once there is something. */
  readInto(bytes: Uint8Array, options?: WaitOptions): Promise<number | null> {
    try {
      checkOptions(options, WAIT_OPTIONS);
    } catch (why) {
      return Promise.reject(why);
    }
    const attempt = (): number | undefined | null => this.tryReadInto(bytes);
    return whenPossible<number | null>(this.handle, POLLIN, attempt, options, this.awaited);
  }

  /** What is there now, as an array of its own. */
  tryRead(options?: TryReadOptions): Uint8Array | undefined | null {
    if (options !== undefined) checkOptions(options, ['maxBytes']);
    return this.#take(checkMaxBytes(options?.maxBytes));
  }

  #take(maxBytes: number): Uint8Array | undefined | null {
    return gather(maxBytes, (buffer) => this.tryReadInto(buffer));
  }

  /** As `tryRead`, blocking this thread until there is something. */
  readSync(options?: SyncReadOptions): Uint8Array | null {
    checkOptions(options, ['maxBytes', 'timeoutMs']);
    checkTimeout(options?.timeoutMs);
    const maxBytes = checkMaxBytes(options?.maxBytes);
    const attempt = (): Uint8Array | undefined | null => this.#take(maxBytes);
    return whenPossibleSync<Uint8Array | null>(this.handle, POLLIN, attempt, options, this.awaited);
  }

  /** As `tryRead`, once there is something. */
  read(options?: ReadOptions): Promise<Uint8Array | null> {
    try {
      checkOptions(options, ['maxBytes', ...WAIT_OPTIONS]);
      const maxBytes = checkMaxBytes(options?.maxBytes);
      const attempt = (): Uint8Array | undefined | null => this.#take(maxBytes);
      return whenPossible<Uint8Array | null>(this.handle, POLLIN, attempt, options, this.awaited);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** Chunks until the end; leaving the loop leaves the handle open. */
  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = await this.read();
      if (chunk === null) return;
      yield chunk;
    }
  }
}
