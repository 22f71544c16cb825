/** Sending whole messages by a datagram or seqpacket socket, in every form. */
import { kept, MSG_DONTWAIT, native } from '../sys/index.js';
import { checkBytes } from '../core/arguments.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { type ErrorSubject, systemError } from '../core/errors.js';
import type { DescriptorHandle } from '../core/handle.js';
import { setNonBlocking } from '../core/transfer.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import { type Attached, closeAll, CONNECTED, duplicates, NOTHING } from './descriptors.js';
import { ConnectedLane, type Lane } from './lane.js';

const DONE: Promise<void> = Promise.resolve();

/** Whom a message is for. */
export interface Receiver {
  /** The bytes of its sun_path; `CONNECTED` for whom the socket is connected to. */
  name: Uint8Array;
  /** What errors say it is about. */
  subject: ErrorSubject | undefined;
}

/** What is particular about a kind of sockets. */
export interface Particulars {
  /** Whether sends to this receiver, which the socket is not connected to, wait. */
  behind?(to: Receiver): boolean;
  /** Where a send to this receiver, which the socket is not connected to, waits. */
  laneOf?(to: Receiver): Lane;
  /** The error for what the kernel answered (`-errno`), if it is not the ordinary one. */
  errorFor?(result: number, to: Receiver, attached: Attached | undefined, length: number): Error | undefined;
}

function listOf(messages: Iterable<Uint8Array>): Uint8Array[] {
  const list = [...messages];
  for (const [index, message] of list.entries()) checkBytes(`messages[${index}]`, message);
  return list;
}

/** The sending side of a handle. */
export class MessageWriter {
  readonly #handle: DescriptorHandle;
  readonly #lane: Lane;
  readonly #particulars: Particulars;
  /** Whether the descriptor does not block. */
  #ready = false;

  constructor(handle: DescriptorHandle, subject: ErrorSubject | undefined, particulars: Particulars) {
    this.#handle = handle;
    this.#particulars = particulars;
    this.#lane = new ConnectedLane(
      handle,
      subject === undefined ? { syscall: 'sendmsg' } : { syscall: 'sendmsg', subject },
    );
  }

  /** Gives the descriptor back its blocking mode; the next use here takes it again. */
  makeBlocking(): void {
    this.#ready = false;
    setNonBlocking(this.#handle.fd, false);
  }

  #prepare(): void {
    this.#handle.use();
    setNonBlocking(this.#handle.fd, true);
    this.#ready = true;
  }

  #laneOf(to: Receiver): Lane {
    return to.name === CONNECTED ? this.#lane : (this.#particulars.laneOf?.(to) ?? this.#lane);
  }

  #isBehind(to: Receiver): boolean {
    return to.name === CONNECTED ? this.#lane.behind : this.#particulars.behind?.(to) === true;
  }

  #failure(result: number, to: Receiver, attached: Attached | undefined, length: number): Error {
    this.#handle.use();
    const particular = this.#particulars.errorFor?.(result, to, attached, length);
    return particular ?? systemError(result, 'sendmsg', to.subject);
  }

  /** One message: false if there is no room now. */
  #put(bytes: Uint8Array, to: Receiver, attached: Attached | undefined): boolean {
    if (!this.#ready) this.#prepare();
    const { fd } = this.#handle;
    const { fds, credentials } = attached ?? { fds: NOTHING, credentials: NOTHING };
    const sent =
      attached === undefined && to.name === CONNECTED
        ? kept.write(fd, bytes)
        : native().sendmsg(fd, bytes, 0, bytes.length, fds, credentials, MSG_DONTWAIT, to.name);
    if (sent >= 0) return true;
    if (sent === -EAGAIN || sent === -EINTR) return false;
    throw this.#failure(sent, to, attached, bytes.length);
  }

  /** Sends it if nothing stands before it and there is room. */
  trySend(bytes: Uint8Array, to: Receiver, attached: Attached | undefined): boolean {
    this.#handle.use();
    if (!(bytes instanceof Uint8Array)) checkBytes('bytes', bytes);
    return !this.#isBehind(to) && this.#put(bytes, to, attached);
  }

  /** Sends it, once there is room. */
  send(
    bytes: Uint8Array,
    to: Receiver,
    attached: Attached | undefined,
    options: WaitOptions | undefined,
  ): Promise<void> {
    if (this.trySend(bytes, to, attached)) return DONE;
    if (attached === undefined) return this.#laneOf(to).wait(() => this.#put(bytes, to, undefined), options);
    // The caller may close his own meanwhile.
    const lasting = { ...attached, fds: duplicates(attached.fds) };
    const sent = this.#laneOf(to).wait(() => this.#put(bytes, to, lasting), options);
    return sent.finally(() => closeAll(lasting.fds));
  }

  /** As `send`, blocking this thread. */
  sendSync(
    bytes: Uint8Array,
    to: Receiver,
    attached: Attached | undefined,
    options: SyncWaitOptions | undefined,
  ): void {
    if (!this.trySend(bytes, to, attached)) this.#laneOf(to).block(() => this.#put(bytes, to, attached), options);
  }

  /** Calls `end` after what was sent before to whom the socket is connected, at once if nothing waits. */
  last(end: () => boolean): void {
    if (this.#lane.behind) this.#lane.wait(end, undefined).catch(() => {});
    else end();
  }

  /** What there is room for of `list` from `first` on: the number of the first that is not out. */
  #putMany(list: Uint8Array[], first: number, to: Receiver): number {
    if (!this.#ready) this.#prepare();
    let next = first;
    while (next < list.length) {
      const sent = native().sendmmsg(this.#handle.fd, list, next, MSG_DONTWAIT, to.name);
      if (sent === -EAGAIN || sent === -EINTR) break;
      if (sent < 0) {
        const failure = this.#failure(sent, to, undefined, (list[next] as Uint8Array).length);
        throw Object.assign(failure, { sent: next });
      }
      next += sent;
    }
    return next;
  }

  /** Sends those for which there is room, if nothing stands before them: how many. */
  trySendMany(messages: Iterable<Uint8Array>, to: Receiver): number {
    this.#handle.use();
    const list = listOf(messages);
    return this.#isBehind(to) ? 0 : this.#putMany(list, 0, to);
  }

  /** Sends all of them, in order. */
  async sendMany(messages: Iterable<Uint8Array>, to: Receiver, options: WaitOptions | undefined): Promise<void> {
    const many = this.#begin(messages, to);
    if (many.isOver()) return;
    try {
      await this.#laneOf(to).wait(many.put, options);
    } catch (why) {
      throw many.explain(why);
    }
  }

  /** As `sendMany`, blocking this thread. */
  sendManySync(messages: Iterable<Uint8Array>, to: Receiver, options: SyncWaitOptions | undefined): void {
    const many = this.#begin(messages, to);
    if (many.isOver()) return;
    try {
      this.#laneOf(to).block(many.put, options);
    } catch (why) {
      throw many.explain(why);
    }
  }

  #begin(
    messages: Iterable<Uint8Array>,
    to: Receiver,
  ): { isOver(): boolean; put(): boolean; explain(why: unknown): unknown } {
    this.#handle.use();
    const list = listOf(messages);
    let next = this.#isBehind(to) ? 0 : this.#putMany(list, 0, to);
    const isOver = (): boolean => next === list.length;
    return {
      isOver,
      put: () => {
        next = this.#putMany(list, next, to);
        return isOver();
      },
      // How many are out.
      explain: (why) => (why instanceof Error ? Object.assign(why, { sent: next }) : why),
    };
  }
}
