/** The end of a pipe or FIFO that is read from. */
import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { ErrorSubject } from '../core/errors.js';
import { toReadable, toWebReadable } from '../core/streams.js';
import { ByteReader, type ReadOptions, type SyncReadOptions, type TryReadOptions } from '../core/reading.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import { PipeEnd } from './end.js';

/**
 * The end that is read from. Every reading function gives what is there, be it less than was asked
 * for; `undefined` (not now) is given by the `try` forms only, and `null` is the end: the last
 * writer has closed and every byte was read. Bytes of length 0 do not exist in a pipe.
 *
 * In packet mode each read gives one packet, and what does not fit is lost: ask for 4096 bytes.
 *
 * @example
 * for await (const chunk of reader) process.stdout.write(chunk);
 */
export class PipeReader extends PipeEnd {
  readonly #bytes: ByteReader;

  /** @internal */
  constructor(fd: number, what: string, subject?: ErrorSubject, alsoRelease?: () => void) {
    super(fd, what, subject, alsoRelease);
    this.#bytes = new ByteReader(this, true, subject);
  }

  /** read(2) of up to `maxBytes` (65536) into a new array, once there is something. An abort loses nothing. */
  read(options?: ReadOptions): Promise<Uint8Array | null> {
    return this.#bytes.read(options);
  }

  /** As `read`, blocking this thread. */
  readSync(options?: SyncReadOptions): Uint8Array | null {
    return this.#bytes.readSync(options);
  }

  /** As `read`, if there is something now, else `undefined`. */
  tryRead(options?: TryReadOptions): Uint8Array | undefined | null {
    return this.#bytes.tryRead(options);
  }

  /**
   * read(2) into `bytes`, which must have room for at least one byte and stay untouched until then:
   * how many came.
   */
  readInto(bytes: Uint8Array, options?: WaitOptions): Promise<number | null> {
    return this.#bytes.readInto(bytes, options);
  }

  /** As `readInto`, blocking this thread. */
  readIntoSync(bytes: Uint8Array, options?: SyncWaitOptions): number | null {
    return this.#bytes.readIntoSync(bytes, options);
  }

  /** As `readInto`, if there is something now, else `undefined`. */
  tryReadInto(bytes: Uint8Array): number | undefined | null {
    return this.#bytes.tryReadInto(bytes);
  }

  /** The chunks as they come, until the end. Leaving the loop leaves the end open. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#bytes.chunks();
  }

  /** This end as a `Readable` of Node, which takes it over: its end or `destroy()` closes it. */
  toReadable(): Readable {
    return toReadable(this);
  }

  /** This end as a web `ReadableStream`, which takes it over: its end or `cancel()` closes it. */
  toWebReadable(): ReadableStream<Uint8Array> {
    return toWebReadable(this);
  }

  protected makeBlocking(): void {
    this.#bytes.makeBlocking();
  }
}
