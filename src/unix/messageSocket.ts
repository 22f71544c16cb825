/** What datagram and seqpacket sockets have in common: messages come in whole, and the options of the socket. */
import { native, SO_PASSCRED, SO_SNDBUF } from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { check, type ErrorSubject, IpcError } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { untilClosed } from '../core/untilClosed.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import type {
  ManyOptions,
  MessageOptions,
  MessageReader,
  SyncManyOptions,
  SyncMessageOptions,
  TryManyOptions,
  TryMessageOptions,
} from './receiving.js';
import type { MessageWriter } from './sending.js';

/** Bytes of the buffer that a message cannot have (unix_dgram_sendmsg of the kernel). */
const OVERHEAD = 32;
/** setsockopt(2) takes an int, and doubles it. */
const MOST_BUFFER = 0x3fffffff;

/** A socket of messages: `M` is what is received; `End` is `null` where there is an end. */
export abstract class MessageSocket<M, End extends null> extends DescriptorHandle {
  readonly #what: string;
  /** What errors say it is about. @internal */
  protected readonly subject: ErrorSubject | undefined;
  /** @internal */
  protected abstract readonly in: MessageReader<M, End>;
  /** @internal */
  protected abstract readonly out: MessageWriter;

  /** @internal */
  constructor(fd: number, what: string, subject: ErrorSubject | undefined, alsoRelease?: () => void) {
    super(fd, what, alsoRelease);
    this.#what = what;
    this.subject = subject;
  }

  /**
   * The next message (recvmsg(2)), once there is one. An abort loses none. An empty message is one. It is taken whole; one
   * that is longer than `maxBytes` is cut off, and says so.
   *
   * @throws IpcError EMFILE: the descriptors that came along do not fit into this process. None of them is left open, and
   *   the error has the rest of the message: `data`, `length` and so on.
   */
  receive(options?: MessageOptions): Promise<M | End> {
    return this.in.receive(options);
  }

  /** As `receive`, blocking this thread. */
  receiveSync(options?: SyncMessageOptions): M | End {
    return this.in.receiveSync(options);
  }

  /** As `receive`, if there is a message now, else `undefined`. */
  tryReceive(options?: TryMessageOptions): M | undefined | End {
    return this.in.tryReceive(options);
  }

  /**
   * The next message into `bytes`: the length that was sent. More than `bytes.length` means that the rest is gone.
   * Descriptors that came along are closed.
   */
  receiveInto(bytes: Uint8Array, options?: WaitOptions): Promise<number | End> {
    return this.in.receiveInto(bytes, options);
  }

  /** As `receiveInto`, blocking this thread. */
  receiveIntoSync(bytes: Uint8Array, options?: SyncWaitOptions): number | End {
    return this.in.receiveIntoSync(bytes, options);
  }

  /** As `receiveInto`, if there is a message now, else `undefined`. */
  tryReceiveInto(bytes: Uint8Array): number | undefined | End {
    return this.in.tryReceiveInto(bytes);
  }

  /**
   * The messages that are there, at least one and at most 64, in one system call (recvmmsg(2)), once there is one. An abort
   * loses none.
   *
   * @throws IpcError EMFILE as `receive`; the error's `messages` are all that were taken
   */
  receiveMany(options?: ManyOptions): Promise<M[] | End> {
    return this.in.receiveMany(options);
  }

  /** As `receiveMany`, blocking this thread. */
  receiveManySync(options?: SyncManyOptions): M[] | End {
    return this.in.receiveManySync(options);
  }

  /** As `receiveMany`, if there is a message now, else `undefined`. */
  tryReceiveMany(options?: TryManyOptions): M[] | undefined | End {
    return this.in.tryReceiveMany(options);
  }

  /** The messages as they come, until the end or until this socket is closed. Leaving the loop leaves it open. */
  [Symbol.asyncIterator](): AsyncGenerator<M, void, undefined> {
    return untilClosed<M>(this, () => this.receive());
  }

  /** Whether messages that are received tell who sent them (SO_PASSCRED); for what is sent from now on. Off unless set. */
  get passCredentials(): boolean {
    this.use();
    return check(native().getsockopt(this.fd, SO_PASSCRED), 'getsockopt(SO_PASSCRED)', this.subject) !== 0;
  }

  set passCredentials(wanted: boolean) {
    this.use();
    check(native().setsockopt(this.fd, SO_PASSCRED, wanted ? 1 : 0), 'setsockopt(SO_PASSCRED)', this.subject);
  }

  /**
   * Bytes of what this socket sent and nobody has received yet that the kernel keeps, with some hundred for each message
   * (SO_SNDBUF); beyond that sending waits. Setting it to `n` makes it 2 n, n being at most /proc/sys/net/core/wmem_max.
   */
  get sendBuffer(): number {
    this.use();
    return check(native().getsockopt(this.fd, SO_SNDBUF), 'getsockopt(SO_SNDBUF)', this.subject);
  }

  set sendBuffer(bytes: number) {
    this.use();
    checkInteger('sendBuffer', bytes, 1, MOST_BUFFER);
    check(native().setsockopt(this.fd, SO_SNDBUF, bytes), 'setsockopt(SO_SNDBUF)', this.subject);
  }

  /** Bytes of the longest message that this socket can send: 32 less than `sendBuffer`. */
  get longestMessage(): number {
    return this.sendBuffer - OVERHEAD;
  }

  /** The error for a message that is longer. @internal */
  protected tooLong(length: number, subject: ErrorSubject | undefined): IpcError {
    const message = `${length} bytes are more than the ${this.longestMessage} that this socket can send`;
    return new IpcError({ code: 'EMSGSIZE', syscall: 'sendmsg', ...subject, message });
  }

  /** The descriptor in blocking mode, for the `stdio` of a child; see `PipeEnd.handOver`. */
  handOver(): number {
    this.use();
    this.in.makeBlocking();
    this.out.makeBlocking();
    return this.fd;
  }

  /** @internal */
  describe(): string {
    return this.#what;
  }
}
