/** A datagram socket. */
import { native } from '../sys/index.js';
import { checkOptions } from '../core/arguments.js';
import { EMSGSIZE, ENOTCONN, EPERM } from '../core/errno.js';
import { argumentError, check, type ErrorSubject, IpcError } from '../core/errors.js';
import { traceOf } from '../core/trace.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { type Address, addressOf, parseAddress, type Place, SUN_PATH_BYTES } from './address.js';
import type { Answers } from './answers.js';
import { type Attached, checkAttached, CONNECTED, type SendExtras } from './descriptors.js';
import { MessageSocket } from './messageSocket.js';
import { isAllowed, type Policy } from './peer.js';
import { type Message, MessageReader } from './receiving.js';
import { Room } from './room.js';
import { MessageWriter, type Receiver } from './sending.js';

const trace = traceOf('unix');

/** A message, and who sent it. */
export interface Datagram extends Message {
  /**
   * The address of the sender, to be given to `to` for an answer; `null` if it has none. An abstract name is a string if that
   * says its bytes exactly, else the bytes.
   */
  from: Address | null;
}

/** Whom a message is for. */
export interface ToOptions {
  /** The address of the receiver; if omitted the one that the socket is connected to. */
  to?: Address;
}

/** Options of `trySend`. */
export interface TrySendOptions extends ToOptions, SendExtras {}
/** Options of `send`. */
export interface SendOptions extends TrySendOptions, WaitOptions {}
/** Options of `sendSync`. */
export interface SyncSendOptions extends TrySendOptions, SyncWaitOptions {}

/** A receiver's name as the key of a map. */
const keyOf = (to: Receiver): string => Buffer.from(to.name).toString('latin1');

/** What a socket is made with. */
export interface Making {
  /** What errors say it is about. */
  subject?: ErrorSubject | undefined;
  /** Whom it is connected to; `undefined` for nobody, null where that is not known. */
  peer?: Place | undefined | null;
  allow?: Policy | undefined;
  /** Gives back what its address took. */
  release?: () => void;
}

/**
 * A socket that sends and receives datagrams: messages that stand for themselves, each with the address of who sent it.
 *
 * There is no connection and no end. Who receives is not told that a sender is gone; who sends to one that is gone gets an
 * `IpcError` ECONNREFUSED, or ENOENT if its file is gone, too. While there is no room, sending waits: no message is dropped.
 * Messages for one receiver arrive in the order of the calls.
 */
export class DatagramSocket extends MessageSocket<Datagram, never> {
  /** @internal */
  protected readonly in: MessageReader<Datagram, never>;
  /** @internal */
  protected readonly out: MessageWriter;
  readonly #allow: Policy | undefined;
  /** Those whose queue is full, by their name, while somebody waits for them. */
  readonly #rooms = new Map<string, Room>();
  #peer: Place | undefined | null;
  #to: Receiver;
  #refused = 0;
  /** Mostly many messages go to one receiver. */
  #lastTo: { address: Address; receiver: Receiver } | undefined;

  /** @internal */
  constructor(fd: number, what: string, making: Making = {}) {
    super(fd, what, making.subject, making.release);
    this.#allow = making.allow;
    this.#peer = making.peer;
    this.#to = { name: CONNECTED, subject: making.peer?.subject ?? making.subject };
    this.in = new MessageReader<Datagram, never>(this, making.subject, {
      hasEnd: false,
      ...(making.allow === undefined ? {} : { admits: (answers, index) => this.#admits(answers, index) }),
      make: (data, answers, index) => ({
        data,
        length: answers.length(index),
        truncated: answers.cut(index),
        fds: answers.descriptors(index),
        credentials: answers.credentials(index),
        from: answers.from(index),
      }),
    });
    this.out = new MessageWriter(this, making.subject, {
      behind: (to) => this.#rooms.size > 0 && this.#rooms.get(keyOf(to))?.behind === true,
      laneOf: (to) => this.#roomOf(to),
      errorFor: (result, to, attached, length) => this.#errorFor(result, to, attached, length),
    });
  }

  /** Where it is bound, `null` if nowhere: then nobody can send to it, unless it is one of a pair. */
  get address(): Address | null {
    this.use();
    const name = new Uint8Array(SUN_PATH_BYTES);
    const length = check(native().getsockname(this.fd, name), 'getsockname', this.subject);
    return addressOf(name.subarray(0, length));
  }

  /** Datagrams that `allow` has refused. Each is gone unread, and is told of as `refuse` on `interproc:unix`. */
  get refused(): number {
    return this.#refused;
  }

  #admits(answers: Answers, index: number): boolean {
    const sender = answers.credentials(index);
    let admitted = false;
    try {
      admitted = sender !== null && isAllowed(this.#allow as Policy, sender);
    } finally {
      if (!admitted) {
        this.#refused++;
        trace('refuse', { ...this.subject, fd: this.fd, ...sender });
      }
    }
    return admitted;
  }

  /**
   * From now on what is sent without `to` is for this receiver, and nobody else can send to this socket (connect(2)). It does
   * not wait, and does not tell the receiver. It can be called again, also for one that has come back at the same address.
   *
   * @throws IpcError ENOENT (no socket there), ECONNREFUSED (left behind by one that is gone), EACCES (no write permission on
   *   the socket file), EPROTOTYPE (a socket of another type), EPERM (it is connected to another)
   */
  connect(address: Address): void {
    const place = parseAddress(address);
    this.use();
    check(native().connect(this.fd, place.name), 'connect', place.subject);
    this.#peer = place;
    this.#to = { name: CONNECTED, subject: place.subject };
    trace('connect', { ...place.subject, fd: this.fd });
  }

  /** Whom a send is for. */
  #receiver(to: Address | undefined): Receiver {
    if (to === undefined) {
      if (this.#peer === undefined)
        throw argumentError('to must be the address of a receiver, since this socket is not connected; got undefined');
      return this.#to;
    }
    const last = this.#lastTo;
    if (last !== undefined && last.address === to && typeof to === 'string') return last.receiver;
    const { name, subject } = parseAddress(to);
    const receiver = { name, subject };
    this.#lastTo = { address: to, receiver };
    return receiver;
  }

  #roomOf(to: Receiver): Room {
    const key = keyOf(to);
    const found = this.#rooms.get(key);
    if (found !== undefined) return found;
    const room: Room = new Room(this, to, () => this.#rooms.get(key) === room && this.#rooms.delete(key));
    this.#rooms.set(key, room);
    return room;
  }

  #errorFor(
    result: number,
    { name, subject }: Receiver,
    attached: Attached | undefined,
    length: number,
  ): Error | undefined {
    if (result === -EMSGSIZE) return this.tooLong(length, subject);
    const syscall = 'sendmsg';
    if (result === -EPERM && (attached === undefined || attached.credentials.length === 0)) {
      const hint = 'the receiver is connected to another socket, and takes messages from that one only';
      return new IpcError({ code: 'EPERM', syscall, ...subject, hint });
    }
    // The kernel says ECONNREFUSED once, and forgets whom the socket was connected to.
    if (result !== -ENOTCONN || name !== CONNECTED || this.#peer === null) return undefined;
    return new IpcError({ code: 'ECONNREFUSED', syscall, ...subject, message: 'the receiver is gone' });
  }

  /**
   * Sends a message, whole or not at all (sendmsg(2)); resolves when it is in the receiver's queue, which waits while there
   * is no room. The bytes may be reused then. An aborted send has sent nothing.
   *
   * @param bytes 0 to `longestMessage` bytes
   * @throws IpcError ECONNREFUSED and ENOENT (nobody receives there), EACCES (no write permission on the socket file),
   *   EMSGSIZE, EPIPE (the receiver takes no more), EPERM (the receiver is connected to another, or `credentials` of somebody
   *   else), EPROTOTYPE, EBADF (one of `fds` is not open), ETOOMANYREFS, ENOBUFS, ESRCH
   */
  send(bytes: Uint8Array, options?: SendOptions): Promise<void> {
    try {
      if (options !== undefined) {
        checkOptions(options, ['to', 'fds', 'credentials', ...WAIT_OPTIONS]);
        checkSignal(options.signal);
        checkTimeout(options.timeoutMs);
      }
      return this.out.send(bytes, this.#receiver(options?.to), checkAttached(options), options);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `send`, blocking this thread. */
  sendSync(bytes: Uint8Array, options?: SyncSendOptions): void {
    if (options !== undefined) {
      checkOptions(options, ['to', 'fds', 'credentials', 'timeoutMs']);
      checkTimeout(options.timeoutMs);
    }
    this.out.sendSync(bytes, this.#receiver(options?.to), checkAttached(options), options);
  }

  /** As `send`, at once or not at all: false if there is no room, or earlier sends to that receiver wait. */
  trySend(bytes: Uint8Array, options?: TrySendOptions): boolean {
    if (options !== undefined) checkOptions(options, ['to', 'fds', 'credentials']);
    return this.out.trySend(bytes, this.#receiver(options?.to), checkAttached(options));
  }

  /**
   * Sends several messages to one receiver, in order, up to 64 with one system call (sendmmsg(2)); resolves when the last is
   * in the queue. When it fails or is aborted, the error's `sent` says how many were sent; the others were not.
   */
  async sendMany(messages: Iterable<Uint8Array>, options?: ToOptions & WaitOptions): Promise<void> {
    if (options !== undefined) {
      checkOptions(options, ['to', ...WAIT_OPTIONS]);
      checkSignal(options.signal);
      checkTimeout(options.timeoutMs);
    }
    await this.out.sendMany(messages, this.#receiver(options?.to), options);
  }

  /** As `sendMany`, blocking this thread. */
  sendManySync(messages: Iterable<Uint8Array>, options?: ToOptions & SyncWaitOptions): void {
    if (options !== undefined) {
      checkOptions(options, ['to', 'timeoutMs']);
      checkTimeout(options.timeoutMs);
    }
    this.out.sendManySync(messages, this.#receiver(options?.to), options);
  }

  /** As `sendMany`, those for which there is room: how many were sent, from the first on. */
  trySendMany(messages: Iterable<Uint8Array>, options?: ToOptions): number {
    if (options !== undefined) checkOptions(options, ['to']);
    return this.out.trySendMany(messages, this.#receiver(options?.to));
  }

  protected override details(): Record<string, unknown> {
    return { ...(this.closed ? {} : { address: this.address }), ...super.details() };
  }
}
