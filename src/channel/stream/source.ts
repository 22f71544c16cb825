/**
 * Messages out of a stream of bytes; sink.ts has the form. What is read at once stands in a chunk of
 * 64 KiB, and messages are views of it: a chunk that was given out is never written again. A message
 * that is longer is read straight into an array of its own.
 */
import { native, POLLIN } from '../../sys/index.js';
import { EAGAIN, EINTR } from '../../core/errno.js';
import { check, type ErrorSubject, IpcError } from '../../core/errors.js';
import type { DescriptorHandle } from '../../core/handle.js';
import { onceReady } from '../../core/readiness.js';
import { LONGEST_MESSAGE, type Source, type Visit } from '../contract.js';
import { bufferOver } from '../view.js';
import { END_MARK } from './sink.js';

const CHUNK = 65536;
const HEADER = 4;
/** With less room than this a chunk counts as full. */
const LEAST_ROOM = 8192;

/** Reads frames from a non-blocking descriptor, and closes it in the end. */
export class StreamSource implements Source {
  readonly #handle: DescriptorHandle;
  readonly #fd: number;
  readonly #raw: boolean;
  readonly #subject: ErrorSubject;
  #chunk = Buffer.allocUnsafeSlow(CHUNK);
  #memory = this.#chunk.buffer;
  #start = 0;
  #end = 0;
  /** Whether views of the chunk were given out. */
  #shared = false;
  /** A message that is longer than a chunk, and how much of it is there. */
  #long: Buffer | undefined;
  #filled = 0;
  #ended = false;
  #failure: IpcError | undefined;
  /** Whether the descriptor has nothing left for now. */
  #dry = false;

  constructor(handle: DescriptorHandle, raw: boolean, subject: ErrorSubject) {
    this.#handle = handle;
    this.#fd = handle.fd;
    this.#raw = raw;
    this.#subject = subject;
  }

  take(): Uint8Array | undefined | null {
    for (;;) {
      const at = this.#next();
      if (at >= 0) {
        this.#shared = true;
        return bufferOver(this.#memory, at, this.#start - at);
      }
      const long = this.#takeLong();
      if (long !== undefined) return long;
      if (this.#over()) return null;
      if (!this.#fill()) return this.#over() ? null : undefined;
    }
  }

  takeMany(list: Uint8Array[], most: number): number {
    let count = 0;
    while (count < most) {
      const at = this.#next();
      if (at >= 0) {
        this.#shared = true;
        list.push(bufferOver(this.#memory, at, this.#start - at));
        count++;
        continue;
      }
      const long = this.#takeLong();
      if (long !== undefined) {
        list.push(long);
        count++;
        continue;
      }
      // One read a batch: what is there is given before more is asked for.
      if (count > 0 || this.#over() || !this.#fill()) break;
    }
    return count === 0 && this.#over() ? -1 : count;
  }

  drain(visit: Visit, most: number): number {
    let count = 0;
    while (count < most) {
      const at = this.#next();
      if (at >= 0) {
        count++;
        visit(this.#chunk, at, this.#start);
        continue;
      }
      const long = this.#takeLong();
      if (long !== undefined) {
        count++;
        visit(long, 0, long.length);
        continue;
      }
      if (count > 0 || this.#over() || !this.#fill()) break;
    }
    return count === 0 && this.#over() ? -1 : count;
  }

  /** Where the next whole message begins in the chunk; it ends at `#start` then. -1 if there is none. */
  #next(): number {
    const start = this.#start;
    const there = this.#end - start;
    if (this.#raw) {
      this.#start = this.#end;
      return there > 0 ? start : -1;
    }
    if (there < HEADER || this.#long !== undefined || this.#ended) return -1;
    const length = this.#chunk.readUInt32LE(start);
    const after = start + HEADER + length;
    if (after <= this.#end) {
      this.#start = after;
      return start + HEADER;
    }
    if (length === END_MARK) this.#ended = true;
    else if (length > LONGEST_MESSAGE) throw this.#notFrames(length);
    else if (length > CHUNK - HEADER) this.#beginLong(length);
    return -1;
  }

  #notFrames(length: number): IpcError {
    return new IpcError({
      code: 'EBADMSG',
      syscall: 'read',
      ...this.#subject,
      message: `a message of ${length} bytes is announced, and the longest is ${LONGEST_MESSAGE}`,
      hint: 'the peer does not send in the form of docs/protocol.md; ?raw receives bytes as they are',
    });
  }

  #beginLong(length: number): void {
    const long = Buffer.allocUnsafeSlow(length);
    this.#filled = this.#chunk.copy(long, 0, this.#start + HEADER, this.#end);
    this.#start = this.#end;
    this.#long = long;
  }

  #takeLong(): Buffer | undefined {
    const long = this.#long;
    if (long === undefined || this.#filled < long.length) return undefined;
    this.#long = undefined;
    return long;
  }

  /** One read(2); false if nothing came. */
  #fill(): boolean {
    if (this.#long === undefined) this.#makeRoom();
    const target: Buffer = this.#long ?? this.#chunk;
    const offset = this.#long === undefined ? this.#end : this.#filled;
    const count = native().read(this.#fd, target, offset, target.length - offset);
    if (count === -EAGAIN || count === -EINTR) {
      this.#dry = true;
      return false;
    }
    check(count, 'read', this.#subject);
    if (count === 0) {
      this.#endOfStream();
      return false;
    }
    this.#dry = count < target.length - offset;
    if (this.#long === undefined) this.#end += count;
    else this.#filled += count;
    return true;
  }

  /** What was given out is not written again: what comes next stands behind it, or in a fresh chunk. */
  #makeRoom(): void {
    const rest = this.#end - this.#start;
    if (this.#shared) {
      if (CHUNK - this.#end >= LEAST_ROOM) return;
      const fresh = Buffer.allocUnsafeSlow(CHUNK);
      this.#chunk.copy(fresh, 0, this.#start, this.#end);
      this.#chunk = fresh;
      this.#memory = fresh.buffer;
      this.#shared = false;
    } else if (this.#start > 0 && rest > 0) {
      this.#chunk.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = rest;
  }

  /** The stream is over: without an end mark before, that is a crash, told once everything before is delivered. */
  #endOfStream(): void {
    if (this.#raw) {
      this.#ended = true;
      return;
    }
    this.#failure = new IpcError({
      code: 'ECONNRESET',
      syscall: 'read',
      ...this.#subject,
      message: 'the sender ended without closing the channel; every whole message before was delivered',
    });
  }

  /** There is no message now: whether that is the end. */
  #over(): boolean {
    if (!this.#ended && this.#failure !== undefined) throw this.#failure;
    return this.#ended;
  }

  /**
   * The kernel says that the sender is gone. What it left is read, as far as there is room, to see
   * whether it ended with the mark; the error if it certainly did not.
   */
  lose(): Error | undefined {
    if (this.#raw || this.#ended) return undefined;
    try {
      while (this.#failure === undefined && this.#hasRoom() && this.#fill());
    } catch (why) {
      this.#failure = why as IpcError;
    }
    return this.#endsWithMark() ? undefined : this.#failure;
  }

  #hasRoom(): boolean {
    return this.#long === undefined ? this.#end < CHUNK || this.#start > 0 : this.#filled < this.#long.length;
  }

  /** Whether the frames that wait in the chunk end with the mark. */
  #endsWithMark(): boolean {
    let at = this.#start;
    while (this.#long === undefined && at + HEADER <= this.#end) {
      const length = this.#chunk.readUInt32LE(at);
      if (length === END_MARK) return true;
      at += HEADER + length;
    }
    return false;
  }

  whenReadable = (ready: () => void): (() => void) | undefined => {
    if (this.#failure !== undefined) return undefined;
    if (!this.#dry && (this.#raw || this.#end - this.#start >= HEADER) && this.#end > this.#start) return undefined;
    return onceReady(this.#fd, POLLIN, ready);
  };

  waitReadable(timeoutMs: number): void {
    native().poll(this.#fd, POLLIN, Math.ceil(timeoutMs));
  }

  release(): void {
    this.#handle.close();
  }
}
