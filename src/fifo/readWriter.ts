/** A FIFO that is open for reading and writing at once. */
import { ByteReader, type ReadOptions, type SyncReadOptions, type TryReadOptions } from '../core/reading.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import { ByteWriter } from '../core/writing.js';
import { PipeEnd } from '../pipe/index.js';

/**
 * Both ends of a FIFO in one descriptor, made by `openReadWrite`. What anybody writes, this handle included, is read by
 * whoever reads first. There is always a writer and a reader, so reading never gives `null` and writing never EPIPE.
 * The methods are those of `PipeReader` and `PipeWriter`, without the streams, which live by an end.
 */
export class FifoReadWriter extends PipeEnd {
  readonly #reader: ByteReader;
  readonly #writer: ByteWriter;

  /** @internal */
  constructor(fd: number, path: string) {
    super(fd, `the FIFO ${path}, open for reading and writing`, { path });
    this.#reader = new ByteReader(this, true, { path });
    this.#writer = new ByteWriter(this, { path });
  }

  /** read(2) of up to `maxBytes` (65536) into a new array, once there is something. An abort loses nothing. */
  read(options?: ReadOptions): Promise<Uint8Array | null> {
    return this.#reader.read(options);
  }

  /** As `read`, blocking this thread. */
  readSync(options?: SyncReadOptions): Uint8Array | null {
    return this.#reader.readSync(options);
  }

  /** As `read`, if there is something now, else `undefined`. */
  tryRead(options?: TryReadOptions): Uint8Array | undefined | null {
    return this.#reader.tryRead(options);
  }

  /** read(2) into `bytes`, which must have room for at least one byte and stay untouched until then: how many came. */
  readInto(bytes: Uint8Array, options?: WaitOptions): Promise<number | null> {
    return this.#reader.readInto(bytes, options);
  }

  /** As `readInto`, blocking this thread. */
  readIntoSync(bytes: Uint8Array, options?: SyncWaitOptions): number | null {
    return this.#reader.readIntoSync(bytes, options);
  }

  /** As `readInto`, if there is something now, else `undefined`. */
  tryReadInto(bytes: Uint8Array): number | undefined | null {
    return this.#reader.tryReadInto(bytes);
  }

  /** Writes all of `bytes` (write(2)); they may be reused when it resolves. @throws IpcError ETIMEDOUT */
  write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#writer.write(bytes, options);
  }

  /** As `write`, blocking this thread while there is no room. */
  writeSync(bytes: Uint8Array, options?: SyncWaitOptions): void {
    this.#writer.writeSync(bytes, options);
  }

  /** What fits now: how many bytes were taken, `undefined` if none. Up to 4096 bytes are taken completely or not at all. */
  tryWrite(bytes: Uint8Array): number | undefined {
    return this.#writer.tryWrite(bytes);
  }

  /** The chunks as they come, until the loop is left, which leaves the handle open. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#reader.chunks();
  }

  protected makeBlocking(): void {
    this.#reader.makeBlocking();
    this.#writer.makeBlocking();
  }
}
