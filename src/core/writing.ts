/** Writing a stream of bytes to a descriptor, in order (core/transfer.ts says what holds for both directions). */
import { kept, native, POLLOUT } from '../sys/index.js';
import { checkBytes } from './arguments.js';
import { EAGAIN, EINTR } from './errno.js';
import { check, type ErrorSubject, rangeError } from './errors.js';
import type { DescriptorHandle } from './handle.js';
import { whenPossible, whenPossibleSync } from './readiness.js';
import { Direction, MAY_BLOCK } from './transfer.js';
import { checkSyncWait, checkWait, type SyncWaitOptions, type WaitOptions } from './wait.js';

const DONE: Promise<void> = Promise.resolve();

/** The first system call of a write, where it is not write(2): it sends descriptors along, or ends the stream. */
export type FirstCall = (fd: number, bytes: Uint8Array, offset: number, length: number) => number;

/** A write that stands in the queue. */
interface Pending {
  bytes: Uint8Array;
  offset: number;
  first: FirstCall | undefined;
  /** The name of the system call, for errors. */
  syscall: string;
  /** Called once, when the first call was made or the write was given up. */
  release: (() => void) | undefined;
  done: boolean;
  failure: unknown;
}

/** The writing side of a handle. */
export class ByteWriter extends Direction {
  readonly #most: number;
  readonly #queue: Pending[] = [];

  /** `most`: bytes of the longest single write, for pipes that keep packets. */
  constructor(handle: DescriptorHandle, subject?: ErrorSubject, most = Infinity) {
    super(handle, 'write', subject);
    this.#most = most;
  }

  /** Whether earlier writes still stand in the queue, after trying to serve it. */
  get behind(): boolean {
    if (this.#queue.length > 0) this.#serve();
    return this.#queue.length > 0;
  }

  /** write(2): how many bytes were taken, `undefined` if none can be now or earlier writes wait. */
  tryWrite(bytes: Uint8Array): number | undefined {
    if (!this.ready) this.prepare();
    if (this.#queue.length > 0 && this.behind) return undefined;
    const size = bytes?.length;
    const taken = size <= this.#most ? kept.write(this.handle.fd, bytes) : 0;
    return taken > 0 ? taken : this.#without(taken, bytes);
  }

  /** As the descriptor's mode is: nothing was done yet that must not block, and no earlier write waits. */
  #writeAsIs(bytes: Uint8Array): number | undefined {
    const taken = bytes?.length <= this.#most ? kept.write(this.handle.fd, bytes) : 0;
    return taken > 0 ? taken : this.#without(taken, bytes);
  }

  /** What a write that took nothing means. */
  #without(taken: number, bytes: Uint8Array): number | undefined {
    if (taken === -EAGAIN || taken === -EINTR) return undefined;
    this.handle.use();
    this.checkLength(bytes);
    return check(taken, 'write', this.awaited.subject);
  }

  /** Throws unless these are bytes that can be written in one piece. */
  checkLength(bytes: Uint8Array): void {
    checkBytes('bytes', bytes);
    if (bytes.length > this.#most) {
      throw rangeError(`bytes must not be longer than a packet, which is ${this.#most}; got ${bytes.length}`);
    }
  }

  /** Writes all of `bytes`, blocking this thread while there is no room. */
  writeSync(bytes: Uint8Array, options?: SyncWaitOptions): void {
    if (options !== undefined) checkSyncWait(options);
    const asIs = MAY_BLOCK && !this.ready && options === undefined && this.#queue.length === 0;
    const taken = asIs ? this.#writeAsIs(bytes) : this.tryWrite(bytes);
    if (taken !== bytes.length) this.pushSync(bytes, taken ?? 0, undefined, options);
  }

  /** What `tryWrite` (or the first call) did not take a moment ago, blocking this thread. */
  pushSync(
    bytes: Uint8Array,
    offset: number,
    first: FirstCall | undefined,
    options: SyncWaitOptions | undefined,
  ): void {
    const pending = this.#enqueue(bytes, offset, first, 'write', undefined);
    let tried = true;
    const advance = (): true | undefined => {
      if (!tried) return this.#advance(pending);
      tried = false;
      return undefined;
    };
    try {
      whenPossibleSync(this.handle, POLLOUT, advance, options, this.awaited);
    } catch (why) {
      this.#giveUp(pending, why);
    }
  }

  /** Writes all of `bytes`. */
  write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    try {
      if (options !== undefined) checkWait(options);
      const taken = this.tryWrite(bytes);
      if (taken === bytes.length) return DONE;
      return this.push(bytes, taken ?? 0, undefined, 'write', undefined, options);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** Puts a write, or the rest of one, in the queue and waits until it is out. */
  push(
    bytes: Uint8Array,
    offset: number,
    first: FirstCall | undefined,
    syscall: string,
    release: (() => void) | undefined,
    options?: WaitOptions,
  ): Promise<void> {
    const pending = this.#enqueue(bytes, offset, first, syscall, release);
    return whenPossible(this.handle, POLLOUT, () => this.#advance(pending), options, this.awaited).then(
      () => {},
      (why) => this.#giveUp(pending, why),
    );
  }

  #enqueue(
    bytes: Uint8Array,
    offset: number,
    first: FirstCall | undefined,
    syscall: string,
    release: (() => void) | undefined,
  ): Pending {
    const pending: Pending = { bytes, offset, first, syscall, release, done: false, failure: undefined };
    this.#queue.push(pending);
    return pending;
  }

  #advance(pending: Pending): true | undefined {
    if (!this.ready) this.prepare();
    this.#serve();
    if (pending.failure !== undefined) throw pending.failure;
    return pending.done ? true : undefined;
  }

  /** Writes what is possible, from the head of the queue. */
  #serve(): void {
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      try {
        this.handle.use();
        if (!this.#put(head)) return;
        head.done = true;
      } catch (why) {
        head.failure = why;
      }
      this.#queue.shift();
      this.#release(head);
    }
  }

  #release(pending: Pending): void {
    pending.release?.();
    pending.release = undefined;
  }

  /** Whether all of it is out. */
  #put(pending: Pending): boolean {
    const { bytes } = pending;
    do {
      const { fd } = this.handle;
      const left = bytes.length - pending.offset;
      const call = pending.first;
      const taken =
        call === undefined ? native().write(fd, bytes, pending.offset, left) : call(fd, bytes, pending.offset, left);
      if (taken === -EAGAIN || taken === -EINTR) return false;
      pending.offset += check(taken, pending.syscall, this.awaited.subject);
      pending.first = undefined;
      this.#release(pending);
    } while (pending.offset < bytes.length);
    return true;
  }

  /**
   * A write whose wait ended early. If nothing of it is out, it is as if never begun; if a part is,
   * the rest must follow, since the reader could not tell where it breaks off: it goes out before
   * anything else, from a copy, and the error says how many bytes were out (`bytesWritten`).
   */
  #giveUp(pending: Pending, why: unknown): void {
    if (pending.done) return;
    if (!this.handle.closed && why instanceof Error) Object.assign(why, { bytesWritten: pending.offset });
    const at = this.#queue.indexOf(pending);
    if (this.handle.closed || pending.offset === 0) {
      if (at >= 0) this.#queue.splice(at, 1);
      this.#release(pending);
    } else if (at >= 0) {
      this.#finishAlone(pending);
    }
    throw why;
  }

  #finishAlone(pending: Pending): void {
    pending.bytes = pending.bytes.slice(pending.offset);
    pending.offset = 0;
    whenPossible(this.handle, POLLOUT, () => this.#advance(pending), undefined, this.awaited).catch(() => {});
  }
}
