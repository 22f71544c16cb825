/** The end of a pipe or FIFO that is written to. */
import type { Writable } from 'node:stream';
import type { WritableStream } from 'node:stream/web';
import type { ErrorSubject } from '../core/errors.js';
import { toWebWritable, toWritable } from '../core/streams.js';
import { ByteWriter } from '../core/writing.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import { PipeEnd } from './end.js';

/** Bytes that write(2) puts into a pipe as one piece, never mixed with those of other writers (PIPE_BUF). */
export const PIPE_BUF = 4096;

/**
 * The end that is written to. Writes of one handle come out in the order of the calls and never
 * mixed. Between several writers of one pipe the kernel keeps writes of up to 4096 bytes (PIPE_BUF)
 * whole, and may mix longer ones.
 *
 * When the last reader is gone, writing is an `IpcError` EPIPE; the process lives on, since Node
 * ignores SIGPIPE.
 *
 * A wait that ends early (abort, time-out) takes the write back if nothing of it is out. If a part
 * is, the reader could not tell where it breaks off: the rest still goes out, before anything that
 * is written later, and the error's `bytesWritten` is above 0.
 */
export class PipeWriter extends PipeEnd {
  readonly #bytes: ByteWriter;

  /** @internal */
  constructor(fd: number, what: string, subject?: ErrorSubject, packet = false) {
    super(fd, what, subject);
    this.#bytes = new ByteWriter(this, subject, packet ? PIPE_BUF : Infinity);
  }

  /**
   * Writes all of `bytes` (write(2)); they may be reused when it resolves. Closing the handle
   * before drops what is not out yet.
   *
   * @throws IpcError EPIPE (nobody reads), ETIMEDOUT
   */
  write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#bytes.write(bytes, options);
  }

  /** As `write`, blocking this thread while there is no room. */
  writeSync(bytes: Uint8Array, options?: SyncWaitOptions): void {
    this.#bytes.writeSync(bytes, options);
  }

  /**
   * What fits now: how many bytes were taken, `undefined` if none. Up to 4096 bytes are taken
   * completely or not at all.
   */
  tryWrite(bytes: Uint8Array): number | undefined {
    return this.#bytes.tryWrite(bytes);
  }

  /** This end as a `Writable` of Node, which takes it over: `end()` and `destroy()` close it. */
  toWritable(): Writable {
    return toWritable(this);
  }

  /** This end as a web `WritableStream`, which takes it over: `close()` and `abort()` close it. */
  toWebWritable(): WritableStream<Uint8Array> {
    return toWebWritable(this);
  }

  /** Whether earlier writes still wait for room: nothing may overtake them. @internal */
  get behind(): boolean {
    return this.#bytes.behind;
  }

  protected makeBlocking(): void {
    this.#bytes.makeBlocking();
  }
}
