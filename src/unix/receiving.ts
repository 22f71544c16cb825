/** Receiving whole messages from a datagram or seqpacket socket, in every form. */
import { MOST_MESSAGES, MSG_DONTWAIT, MSG_TRUNC, native, POLLIN, SO_TIMESTAMP } from '../sys/index.js';
import { checkBytes, checkInteger, checkOptions } from '../core/arguments.js';
import { EAGAIN, EINTR, ENODATA } from '../core/errno.js';
import { check, type ErrorSubject } from '../core/errors.js';
import type { DescriptorHandle } from '../core/handle.js';
import { whenPossible, whenPossibleSync } from '../core/readiness.js';
import { setNonBlocking } from '../core/transfer.js';
import { type Awaited, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { Answers } from './answers.js';
import { closeAll, lostError, type Received } from './descriptors.js';

/** A message that was received. */
export interface Message extends Received {
  /** Bytes that were sent. */
  length: number;
  /** Whether that is more than `maxBytes`: then `data` is its beginning, and the rest is gone. */
  truncated: boolean;
}

/** How much of a message to take. */
export interface TryMessageOptions {
  /** Bytes, 1 to 2^31 - 1, after which a message is cut off. If omitted it is taken whole, whatever its length. */
  maxBytes?: number;
}
/** How much of a message to take, and how long to wait for one. */
export interface MessageOptions extends TryMessageOptions, WaitOptions {}
/** As `MessageOptions`, blocking this thread. */
export interface SyncMessageOptions extends TryMessageOptions, SyncWaitOptions {}

/** How many messages to take, and how much of each. */
export interface TryManyOptions {
  /** Messages, 1 to 64; 64 if omitted. */
  most?: number;
  /**
   * Bytes, 1 to 2^24, after which a message is cut off; 262144 if omitted, which is more than a socket sends unless its
   * buffer (SO_SNDBUF) was made larger than systems do by themselves.
   */
  maxBytes?: number;
}
/** How many messages to take, how much of each, and how long to wait for the first. */
export interface ManyOptions extends TryManyOptions, WaitOptions {}
/** As `ManyOptions`, blocking this thread. */
export interface SyncManyOptions extends TryManyOptions, SyncWaitOptions {}

const MOST_BYTES = 0x7fffffff;
/** More than the kernel makes a message of, whatever the buffer: 4 MiB in one piece, and 17 pages. */
const WHOLE_BYTES = 2 ** 23;
const MANY_BYTES = 262144;
const MOST_MANY_BYTES = 2 ** 24;
/** Between the places of messages, so that not all of them fall on the same lines of the processor's cache. */
const GAP = 64;
const MANY_SPACE = MOST_MESSAGES * (MANY_BYTES + GAP);
const one = new Answers(1);
let many: Answers | undefined;
/** Memory is taken from the system only where bytes were received, so most of the second one is never there. */
let scratch: Uint8Array | undefined;
let space: Uint8Array | undefined;

const copy = (from: Uint8Array, start: number, end: number): Uint8Array =>
  Uint8Array.prototype.slice.call(from, start, end);

/** What is particular about a kind of sockets, and about this one. */
export interface Opening<M> {
  /** Whether there is an end: then every message has to be told from it. */
  hasEnd: boolean;
  /** Whether the message is for us at all. */
  admits?(answers: Answers, index: number): boolean;
  /** The message as it is given out, of one object literal: it is made for each. */
  make(data: Uint8Array, answers: Answers, index: number): M;
}

function roomOf(maxBytes: number | undefined): number {
  if (maxBytes === undefined) return WHOLE_BYTES;
  checkInteger('maxBytes', maxBytes, 1, MOST_BYTES);
  return maxBytes;
}

/** The receiving side of a handle; `End` is what is received at the end, `never` where there is none. */
export class MessageReader<M, End extends null> {
  readonly #handle: DescriptorHandle;
  readonly #subject: ErrorSubject | undefined;
  readonly #awaited: Awaited;
  readonly #opening: Opening<M>;
  /** Whether the descriptor does not block, and messages can be told from the end. */
  #ready = false;

  constructor(handle: DescriptorHandle, subject: ErrorSubject | undefined, opening: Opening<M>) {
    this.#handle = handle;
    this.#subject = subject;
    this.#awaited = subject === undefined ? { syscall: 'recvmsg' } : { syscall: 'recvmsg', subject };
    this.#opening = opening;
  }

  /** Gives the descriptor back the mode that it had; the next use here takes it again. */
  makeBlocking(): void {
    this.#ready = false;
    if (this.#opening.hasEnd) this.#stamp(0);
    setNonBlocking(this.#handle.fd, false);
  }

  #prepare(): void {
    this.#handle.use();
    setNonBlocking(this.#handle.fd, true);
    if (this.#opening.hasEnd) this.#stamp(1);
    this.#ready = true;
  }

  /**
   * Of an empty message and of the end recvmsg(2) says the same: 0. But with this option a message comes with the time, and
   * the end does not.
   */
  #stamp(wanted: 0 | 1): void {
    check(native().setsockopt(this.#handle.fd, SO_TIMESTAMP, wanted), 'setsockopt(SO_TIMESTAMP)', this.#subject);
  }

  /** Receives once into the first `room` bytes: the length that was sent, `undefined` for none now, `null` for the end. */
  #receive(buffer: Uint8Array, room: number): number | undefined | null {
    if (!this.#ready) this.#prepare();
    const flags = MSG_DONTWAIT | MSG_TRUNC;
    const length = native().recvmsg(this.#handle.fd, buffer, 0, room, one.words, one.names, flags);
    if (length === -EAGAIN || length === -EINTR) return undefined;
    if (length < 0) this.#handle.use();
    check(length, 'recvmsg', this.#subject);
    return length === 0 && this.#opening.hasEnd && !one.stamped(0) ? null : length;
  }

  /** Whether a message is for us; one that is not is gone, with its descriptors. */
  #admits(answers: Answers, index: number): boolean {
    let admitted = false;
    try {
      admitted = this.#opening.admits?.(answers, index) ?? true;
    } finally {
      if (!admitted) closeAll(answers.descriptors(index));
    }
    return admitted;
  }

  /** The message, or the error that says what of it is lost. */
  #open(data: Uint8Array, answers: Answers, index: number): M {
    const message = this.#opening.make(data, answers, index);
    if (!answers.lost(index)) return message;
    closeAll(answers.descriptors(index));
    throw Object.assign(lostError(this.#subject), message, { fds: [] });
  }

  #take(room: number): M | undefined | End {
    this.#handle.use();
    scratch ??= new Uint8Array(WHOLE_BYTES);
    const buffer = room <= WHOLE_BYTES ? scratch : new Uint8Array(room);
    for (;;) {
      const length = this.#receive(buffer, room);
      if (length === undefined) return undefined;
      if (length === null) return null as End;
      if (this.#admits(one, 0)) return this.#open(copy(buffer, 0, Math.min(length, room)), one, 0);
    }
  }

  /** The next message, if there is one now. */
  tryReceive(options?: TryMessageOptions): M | undefined | End {
    if (options !== undefined) checkOptions(options, ['maxBytes']);
    return this.#take(roomOf(options?.maxBytes));
  }

  /** The next message, once there is one. */
  receive(options?: MessageOptions): Promise<M | End> {
    try {
      if (options !== undefined) checkOptions(options, ['maxBytes', ...WAIT_OPTIONS]);
      const room = roomOf(options?.maxBytes);
      return whenPossible<M | End>(this.#handle, POLLIN, () => this.#take(room), options, this.#awaited);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `receive`, blocking this thread. */
  receiveSync(options?: SyncMessageOptions): M | End {
    if (options !== undefined) checkOptions(options, ['maxBytes', 'timeoutMs']);
    checkTimeout(options?.timeoutMs);
    const room = roomOf(options?.maxBytes);
    return whenPossibleSync<M | End>(this.#handle, POLLIN, () => this.#take(room), options, this.#awaited);
  }

  /** The next message, if there is one now, into `bytes`: the length that was sent. Descriptors that came along are closed. */
  tryReceiveInto(bytes: Uint8Array): number | undefined | End {
    this.#handle.use();
    if (!(bytes instanceof Uint8Array)) checkBytes('bytes', bytes);
    if (this.#opening.admits === undefined) return this.#receiveBare(bytes);
    for (;;) {
      const length = this.#receive(bytes, bytes.length);
      if (length === undefined) return undefined;
      if (length === null) return null as End;
      if (!this.#admits(one, 0)) continue;
      closeAll(one.descriptors(0));
      return length;
    }
  }

  /** Where nothing but the bytes matters: recv(2) costs a fifth less than recvmsg(2), and the kernel closes what came along. */
  #receiveBare(bytes: Uint8Array): number | undefined | End {
    if (!this.#ready) this.#prepare();
    const { fd } = this.#handle;
    const flags = MSG_DONTWAIT | MSG_TRUNC;
    const length = this.#opening.hasEnd
      ? native().recvOrEnd(fd, bytes, 0, bytes.length, flags)
      : native().recv(fd, bytes, 0, bytes.length, flags);
    if (length === -EAGAIN || length === -EINTR) return undefined;
    if (length === -ENODATA && this.#opening.hasEnd) return null as End;
    return check(length, 'recv', this.#subject);
  }

  /** As `tryReceiveInto`, once there is one. */
  receiveInto(bytes: Uint8Array, options?: WaitOptions): Promise<number | End> {
    try {
      if (options !== undefined) checkOptions(options, WAIT_OPTIONS);
      const attempt = (): number | undefined | End => this.tryReceiveInto(bytes);
      return whenPossible<number | End>(this.#handle, POLLIN, attempt, options, this.#awaited);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `receiveInto`, blocking this thread. */
  receiveIntoSync(bytes: Uint8Array, options?: SyncWaitOptions): number | End {
    if (options !== undefined) checkOptions(options, ['timeoutMs']);
    checkTimeout(options?.timeoutMs);
    const attempt = (): number | undefined | End => this.tryReceiveInto(bytes);
    return whenPossibleSync<number | End>(this.#handle, POLLIN, attempt, options, this.#awaited);
  }

  /** As many as are there, by one recvmmsg(2). */
  #takeMany(most: number, maxBytes: number): M[] | undefined | End {
    this.#handle.use();
    for (;;) {
      if (!this.#ready) this.#prepare();
      const stride = Math.ceil(maxBytes / GAP) * GAP + GAP;
      const count = Math.max(1, Math.min(most, Math.floor(MANY_SPACE / stride)));
      many ??= new Answers(MOST_MESSAGES);
      space ??= new Uint8Array(MANY_SPACE);
      const flags = MSG_DONTWAIT | MSG_TRUNC;
      const { fd } = this.#handle;
      const came = native().recvmmsg(fd, space, stride, maxBytes, count, many.words, many.names, flags);
      if (came === -EAGAIN || came === -EINTR) return undefined;
      check(came, 'recvmmsg', this.#subject);
      const over = this.#opening.hasEnd && many.length(0) === 0 && !many.stamped(0);
      if (over) return null as End;
      const messages = this.#openMany(many, came, space, stride, maxBytes);
      if (messages.length > 0) return messages;
    }
  }

  #openMany(answers: Answers, came: number, from: Uint8Array, stride: number, maxBytes: number): M[] {
    const messages: M[] = [];
    let failure: Error | undefined;
    for (let index = 0; index < came; index++) {
      // The end comes again and again, as many times as there was room for messages.
      if (this.#opening.hasEnd && answers.length(index) === 0 && !answers.stamped(index)) break;
      try {
        if (!this.#admits(answers, index)) continue;
        const length = Math.min(answers.length(index), maxBytes);
        const data = copy(from, index * stride, index * stride + length);
        messages.push(this.#opening.make(data, answers, index));
        if (!answers.lost(index)) continue;
        failure ??= lostError(this.#subject);
        closeAll(answers.descriptors(index));
        Object.assign(messages.at(-1) as object, { fds: [] });
      } catch (why) {
        failure ??= why instanceof Error ? why : new Error(String(why));
      }
    }
    if (failure !== undefined) throw Object.assign(failure, { messages });
    return messages;
  }

  /** Those that are there now. */
  tryReceiveMany(options?: TryManyOptions): M[] | undefined | End {
    if (options !== undefined) checkOptions(options, ['most', 'maxBytes']);
    return this.#takeMany(...manyOf(options));
  }

  /** Those that are there, once there is one. */
  receiveMany(options?: ManyOptions): Promise<M[] | End> {
    try {
      if (options !== undefined) checkOptions(options, ['most', 'maxBytes', ...WAIT_OPTIONS]);
      const [most, maxBytes] = manyOf(options);
      const attempt = (): M[] | undefined | End => this.#takeMany(most, maxBytes);
      return whenPossible<M[] | End>(this.#handle, POLLIN, attempt, options, this.#awaited);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `receiveMany`, blocking this thread. */
  receiveManySync(options?: SyncManyOptions): M[] | End {
    if (options !== undefined) checkOptions(options, ['most', 'maxBytes', 'timeoutMs']);
    checkTimeout(options?.timeoutMs);
    const [most, maxBytes] = manyOf(options);
    const attempt = (): M[] | undefined | End => this.#takeMany(most, maxBytes);
    return whenPossibleSync<M[] | End>(this.#handle, POLLIN, attempt, options, this.#awaited);
  }
}

function manyOf(options: TryManyOptions | undefined): [most: number, maxBytes: number] {
  const { most = MOST_MESSAGES, maxBytes = MANY_BYTES } = options ?? {};
  checkInteger('most', most, 1, MOST_MESSAGES);
  checkInteger('maxBytes', maxBytes, 1, MOST_MANY_BYTES);
  return [most, maxBytes];
}
