/**
 * Reading and writing streams of bytes on a descriptor: what pipes, FIFOs and stream sockets share.
 *
 * The descriptor becomes non-blocking with the first use here and not before. O_NONBLOCK belongs to
 * the open file description, which a child shares: an end that is only handed down stays blocking,
 * as `cat` and its kind expect.
 *
 * Bytes are written in the order of the calls. What cannot be written at once stands in a queue, and
 * whoever is woken serves the queue from its head; so two writes never mix, whatever their size.
 */
import { constants } from 'node:fs';
import { F_GETFL, F_SETFL, native, POLLHUP, POLLIN, POLLOUT } from '../sys/index.js';
import { checkBytes, checkInteger, checkOptions } from './arguments.js';
import { EAGAIN, EINTR } from './errno.js';
import { check, type ErrorSubject, rangeError } from './errors.js';
import type { DescriptorHandle } from './handle.js';
import { whenPossible, whenPossibleSync } from './readiness.js';
import {
  type Awaited,
  checkSignal,
  checkTimeout,
  type SyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
} from './wait.js';

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
const DONE: Promise<void> = Promise.resolve();
const SYNC_WAIT_OPTIONS = ['timeoutMs'];

/** Sets or clears O_NONBLOCK (fcntl(2), F_SETFL) for everybody who shares the open file description. */
export function setNonBlocking(fd: number, wanted: boolean): void {
  const flags = check(native().fcntl(fd, F_GETFL, 0), 'fcntl(F_GETFL)');
  const next = wanted ? flags | constants.O_NONBLOCK : flags & ~constants.O_NONBLOCK;
  if (next !== flags) check(native().fcntl(fd, F_SETFL, next), 'fcntl(F_SETFL)');
}

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
export class ByteReader {
  readonly #handle: DescriptorHandle;
  readonly #awaited: Awaited;
  readonly #isPipe: boolean;
  #ready = false;

  /** `isPipe`: whether an end is only one if poll(2) says that there was a writer. */
  constructor(handle: DescriptorHandle, isPipe: boolean, subject?: ErrorSubject) {
    this.#handle = handle;
    this.#isPipe = isPipe;
    this.#awaited = subject === undefined ? { syscall: 'read' } : { syscall: 'read', subject };
  }

  #prepare(): void {
    this.#handle.use();
    setNonBlocking(this.#handle.fd, true);
    this.#ready = true;
  }

  /** Gives the descriptor back its blocking mode; the next use here takes it again. */
  makeBlocking(): void {
    this.#ready = false;
    setNonBlocking(this.#handle.fd, false);
  }

  /** read(2) into `bytes`: how many, `undefined` if there are none now, `null` at the end. */
  tryReadInto(bytes: Uint8Array): number | undefined | null {
    if (!this.#ready) this.#prepare();
    const count = native().read(this.#handle.fd, bytes, 0, bytes?.length);
    return count > 0 ? count : this.#without(count, bytes);
  }

  /** What a read that brought nothing means. */
  #without(count: number, bytes: Uint8Array): number | undefined | null {
    if (count === -EAGAIN) return undefined;
    if (count === -EINTR) return this.tryReadInto(bytes);
    this.#handle.use();
    checkBytes('bytes', bytes);
    if (bytes.length === 0) throw rangeError('bytes must have room for at least 1 byte, got an empty array');
    check(count, 'read', this.#awaited.subject);
    // A FIFO that was opened before any writer reads as ended, but does not poll as hung up.
    const ended = !this.#isPipe || (native().poll(this.#handle.fd, POLLIN, 0) & POLLHUP) !== 0;
    return ended ? null : undefined;
  }

  /** As `tryReadInto`, blocking this thread until there is something. */
  readIntoSync(bytes: Uint8Array, options?: SyncWaitOptions): number | null {
    if (options !== undefined) checkSyncWait(options);
    const now = this.tryReadInto(bytes);
    if (now !== undefined) return now;
    let tried = true;
    const again = (): number | undefined | null => {
      if (!tried) return this.tryReadInto(bytes);
      tried = false;
      return undefined;
    };
    return whenPossibleSync<number | null>(this.#handle, POLLIN, again, options, this.#awaited);
  }

  /** As `tryReadInto`, once there is something. */
  readInto(bytes: Uint8Array, options?: WaitOptions): Promise<number | null> {
    try {
      checkOptions(options, WAIT_OPTIONS);
    } catch (why) {
      return Promise.reject(why);
    }
    const attempt = (): number | undefined | null => this.tryReadInto(bytes);
    return whenPossible<number | null>(this.#handle, POLLIN, attempt, options, this.#awaited);
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
    return whenPossibleSync<Uint8Array | null>(this.#handle, POLLIN, attempt, options, this.#awaited);
  }

  /** As `tryRead`, once there is something. */
  read(options?: ReadOptions): Promise<Uint8Array | null> {
    try {
      checkOptions(options, ['maxBytes', ...WAIT_OPTIONS]);
      const maxBytes = checkMaxBytes(options?.maxBytes);
      const attempt = (): Uint8Array | undefined | null => this.#take(maxBytes);
      return whenPossible<Uint8Array | null>(this.#handle, POLLIN, attempt, options, this.#awaited);
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

function checkSyncWait(options: SyncWaitOptions): void {
  checkOptions(options, SYNC_WAIT_OPTIONS);
  checkTimeout(options.timeoutMs);
}

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
export class ByteWriter {
  readonly #handle: DescriptorHandle;
  readonly #awaited: Awaited;
  readonly #most: number;
  readonly #queue: Pending[] = [];
  #ready = false;

  /** `most`: bytes of the longest single write, for pipes that keep packets. */
  constructor(handle: DescriptorHandle, subject?: ErrorSubject, most = Infinity) {
    this.#handle = handle;
    this.#most = most;
    this.#awaited = subject === undefined ? { syscall: 'write' } : { syscall: 'write', subject };
  }

  #prepare(): void {
    this.#handle.use();
    setNonBlocking(this.#handle.fd, true);
    this.#ready = true;
  }

  /** Gives the descriptor back its blocking mode; the next use here takes it again. */
  makeBlocking(): void {
    this.#ready = false;
    setNonBlocking(this.#handle.fd, false);
  }

  /** Whether earlier writes still stand in the queue, after trying to serve it. */
  get behind(): boolean {
    if (this.#queue.length > 0) this.#serve();
    return this.#queue.length > 0;
  }

  /** write(2): how many bytes were taken, `undefined` if none can be now or earlier writes wait. */
  tryWrite(bytes: Uint8Array): number | undefined {
    if (!this.#ready) this.#prepare();
    if (this.#queue.length > 0 && this.behind) return undefined;
    const size = bytes?.length;
    const taken = size <= this.#most ? native().write(this.#handle.fd, bytes, 0, size) : 0;
    return taken > 0 ? taken : this.#without(taken, bytes);
  }

  /** What a write that took nothing means. */
  #without(taken: number, bytes: Uint8Array): number | undefined {
    if (taken === -EAGAIN || taken === -EINTR) return undefined;
    this.#handle.use();
    this.checkLength(bytes);
    return check(taken, 'write', this.#awaited.subject);
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
    const taken = this.tryWrite(bytes);
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
      whenPossibleSync(this.#handle, POLLOUT, advance, options, this.#awaited);
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
    return whenPossible(this.#handle, POLLOUT, () => this.#advance(pending), options, this.#awaited).then(
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
    if (!this.#ready) this.#prepare();
    this.#serve();
    if (pending.failure !== undefined) throw pending.failure;
    return pending.done ? true : undefined;
  }

  /** Writes what is possible, from the head of the queue. */
  #serve(): void {
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      try {
        this.#handle.use();
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
      const { fd } = this.#handle;
      const left = bytes.length - pending.offset;
      const call = pending.first;
      const taken =
        call === undefined ? native().write(fd, bytes, pending.offset, left) : call(fd, bytes, pending.offset, left);
      if (taken === -EAGAIN || taken === -EINTR) return false;
      pending.offset += check(taken, pending.syscall, this.#awaited.subject);
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
    if (!this.#handle.closed && why instanceof Error) Object.assign(why, { bytesWritten: pending.offset });
    const at = this.#queue.indexOf(pending);
    if (this.#handle.closed || pending.offset === 0) {
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
    whenPossible(this.#handle, POLLOUT, () => this.#advance(pending), undefined, this.#awaited).catch(() => {});
  }
}

function checkWait(options: WaitOptions): void {
  checkOptions(options, WAIT_OPTIONS);
  checkSignal(options.signal);
  checkTimeout(options.timeoutMs);
}
