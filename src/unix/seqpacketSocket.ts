/** A connected seqpacket socket. */
import { native, SHUT_WR } from '../sys/index.js';
import { checkOptions } from '../core/arguments.js';
import { EMSGSIZE } from '../core/errno.js';
import { check, type ErrorSubject } from '../core/errors.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import type { ProcessHandle } from '../proc/index.js';
import type { Credentials } from './answers.js';
import { checkAttached, CONNECTED, type SendExtras } from './descriptors.js';
import { MessageSocket } from './messageSocket.js';
import { credentialsOf, openPeer } from './peer.js';
import { type Message, MessageReader } from './receiving.js';
import { MessageWriter, type Receiver } from './sending.js';

/**
 * One end of a connection that carries messages in each direction, whole and in order.
 *
 * `null` is the end: the peer has closed or shut down, and every message before it was received. An empty message is an
 * empty array. A peer that closed with messages of ours unread is an `IpcError` ECONNRESET; sending to one that is gone is
 * EPIPE. While there is no room, sending waits: no message is dropped.
 */
export class SeqpacketSocket extends MessageSocket<Message, null> {
  /** @internal */
  protected readonly in: MessageReader<Message, null>;
  /** @internal */
  protected readonly out: MessageWriter;
  readonly #peer: Receiver;

  /** @internal */
  constructor(fd: number, what: string, subject?: ErrorSubject) {
    super(fd, what, subject);
    this.#peer = { name: CONNECTED, subject };
    this.in = new MessageReader<Message, null>(this, subject, {
      hasEnd: true,
      make: (data, answers, index) => ({
        data,
        length: answers.length(index),
        truncated: answers.cut(index),
        fds: answers.descriptors(index),
        credentials: answers.credentials(index),
      }),
    });
    this.out = new MessageWriter(this, subject, {
      errorFor: (result, to, _attached, length) =>
        result === -EMSGSIZE ? this.tooLong(length, to.subject) : undefined,
    });
  }

  /**
   * Sends a message, whole or not at all (sendmsg(2)); resolves when it is in the peer's queue, which waits while there is no
   * room. The bytes may be reused then. An aborted send has sent nothing.
   *
   * @param bytes 0 to `longestMessage` bytes
   * @throws IpcError EPIPE (the peer is gone, or this end was shut down), ECONNRESET, EMSGSIZE, EBADF (one of `fds` is not
   *   open), ETOOMANYREFS, EPERM (`credentials` of somebody else), ENOBUFS, ESRCH
   */
  send(bytes: Uint8Array, options?: SendExtras & WaitOptions): Promise<void> {
    try {
      if (options !== undefined) {
        checkOptions(options, ['fds', 'credentials', ...WAIT_OPTIONS]);
        checkSignal(options.signal);
        checkTimeout(options.timeoutMs);
      }
      return this.out.send(bytes, this.#peer, checkAttached(options), options);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `send`, blocking this thread. */
  sendSync(bytes: Uint8Array, options?: SendExtras & SyncWaitOptions): void {
    if (options !== undefined) {
      checkOptions(options, ['fds', 'credentials', 'timeoutMs']);
      checkTimeout(options.timeoutMs);
    }
    this.out.sendSync(bytes, this.#peer, checkAttached(options), options);
  }

  /** As `send`, at once or not at all: false if there is no room, or earlier sends wait. */
  trySend(bytes: Uint8Array, options?: SendExtras): boolean {
    if (options !== undefined) checkOptions(options, ['fds', 'credentials']);
    return this.out.trySend(bytes, this.#peer, checkAttached(options));
  }

  /**
   * Sends several messages in order, up to 64 with one system call (sendmmsg(2)); resolves when the last is in the queue.
   * When it fails or is aborted, the error's `sent` says how many were sent; the others were not.
   */
  async sendMany(messages: Iterable<Uint8Array>, options?: WaitOptions): Promise<void> {
    if (options !== undefined) {
      checkOptions(options, WAIT_OPTIONS);
      checkSignal(options.signal);
      checkTimeout(options.timeoutMs);
    }
    await this.out.sendMany(messages, this.#peer, options);
  }

  /** As `sendMany`, blocking this thread. */
  sendManySync(messages: Iterable<Uint8Array>, options?: SyncWaitOptions): void {
    if (options !== undefined) {
      checkOptions(options, ['timeoutMs']);
      checkTimeout(options.timeoutMs);
    }
    this.out.sendManySync(messages, this.#peer, options);
  }

  /** As `sendMany`, those for which there is room: how many were sent, from the first on. */
  trySendMany(messages: Iterable<Uint8Array>): number {
    return this.out.trySendMany(messages, this.#peer);
  }

  /**
   * Says that nothing more will be sent (shutdown(2), SHUT_WR): the peer receives the end after what was sent before,
   * including what still waits for room. Receiving goes on.
   */
  shutdown(): void {
    this.use();
    const end = (): boolean => check(native().shutdown(this.fd, SHUT_WR), 'shutdown', this.subject) === 0;
    this.out.last(end);
  }

  /** Who the peer was when it connected, listened or made the pair (SO_PEERCRED); its pid may be another's by now. */
  get peerCredentials(): Credentials {
    this.use();
    return credentialsOf(this.fd, this.subject);
  }

  /** A handle of the peer's process, as `StreamSocket.peerProcess`. @throws IpcError EMFILE */
  peerProcess(): ProcessHandle | undefined {
    return openPeer(this.fd, this.peerCredentials.pid, this.subject);
  }
}
