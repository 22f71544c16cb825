/**
 * Messages over a stream of bytes: each behind its length, 4 bytes little-endian; the length
 * 0xFFFFFFFF alone is the end mark (docs/protocol.md). `raw` leaves the lengths and the mark out.
 *
 * Messages are gathered in a buffer of 64 KiB that leaves with one write(2); a longer one leaves
 * with writev(2), behind what was gathered, without being copied.
 */
import { native, POLLOUT } from '../../sys/index.js';
import { EAGAIN, EINTR } from '../../core/errno.js';
import { check, type ErrorSubject } from '../../core/errors.js';
import type { DescriptorHandle } from '../../core/handle.js';
import { onceReady } from '../../core/readiness.js';
import type { Sink } from '../contract.js';

const BUFFER = 65536;
const HEADER = 4;

/** The length that is the end mark. */
export const END_MARK = 0xffffffff;

/** Writes frames to a non-blocking descriptor, and closes it in the end. */
export class StreamSink implements Sink {
  readonly wholeLimit: number;
  readonly #handle: DescriptorHandle;
  readonly #fd: number;
  readonly #subject: ErrorSubject;
  readonly #header: number;
  readonly #buffer = new Uint8Array(BUFFER);
  #start = 0;
  #end = 0;

  constructor(handle: DescriptorHandle, raw: boolean, subject: ErrorSubject) {
    this.#handle = handle;
    this.#fd = handle.fd;
    this.#subject = subject;
    this.#header = raw ? 0 : HEADER;
    this.wholeLimit = BUFFER - HEADER;
  }

  offer(message: Uint8Array): boolean {
    const length = message.length;
    if (this.#end + this.#header + length > BUFFER && !this.#makeRoom(this.#header + length)) return false;
    if (this.#header > 0) this.#writeLength(length);
    this.#buffer.set(message, this.#end);
    this.#end += length;
    return true;
  }

  #makeRoom(size: number): boolean {
    this.publish();
    if (this.#start > 0 && this.#end + size > BUFFER) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    return this.#end + size <= BUFFER;
  }

  #writeLength(length: number): void {
    const buffer = this.#buffer;
    const at = this.#end;
    buffer[at] = length;
    buffer[at + 1] = length >>> 8;
    buffer[at + 2] = length >>> 16;
    buffer[at + 3] = length >>> 24;
    this.#end = at + HEADER;
  }

  /**
   * A long message begins with its length and first byte in the buffer: from then on it is under
   * way, though the pipe may have room for the length alone.
   */
  offerPart(message: Uint8Array, from: number): number {
    let next = from;
    if (from === 0 && this.#header > 0) {
      if (!this.publish()) return 0;
      this.#writeLength(message.length);
      this.#buffer[this.#end++] = message[0] as number;
      next = 1;
    }
    while (next < message.length) {
      const gathered = this.#end - this.#start;
      const written =
        gathered > 0
          ? native().writev(this.#fd, this.#buffer, this.#start, gathered, message, next, message.length - next)
          : native().write(this.#fd, message, next, message.length - next);
      if (written === -EAGAIN || written === -EINTR) break;
      check(written, 'write', this.#subject);
      if (written < gathered) {
        this.#start += written;
        continue;
      }
      this.#start = this.#end = 0;
      next += written - gathered;
    }
    return next;
  }

  publish(): boolean {
    while (this.#end > this.#start) {
      const written = native().write(this.#fd, this.#buffer, this.#start, this.#end - this.#start);
      if (written === -EAGAIN || written === -EINTR) return false;
      this.#start += check(written, 'write', this.#subject);
    }
    this.#start = this.#end = 0;
    return true;
  }

  offerEnd(): boolean {
    if (this.#header === 0) return true;
    if (this.#end + HEADER > BUFFER && !this.#makeRoom(HEADER)) return false;
    this.#writeLength(END_MARK);
    return true;
  }

  whenWritable = (ready: () => void): (() => void) => onceReady(this.#fd, POLLOUT, ready);

  waitWritable(timeoutMs: number): void {
    native().poll(this.#fd, POLLOUT, Math.ceil(timeoutMs));
  }

  release(): void {
    this.#handle.close();
  }
}
