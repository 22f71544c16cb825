/** A POSIX message queue that is open: sending, receiving, and what is in it. */
import { kept, native, POLLIN, POLLOUT } from '../sys/index.js';
import { checkBytes, checkInteger, checkOptions, checkSignalValue } from '../core/arguments.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { check, type ErrorSubject, IpcError } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { blockOnce, whenPossible, whenPossibleSync } from '../core/readiness.js';
import { traceOf } from '../core/trace.js';
import { MAY_BLOCK, setNonBlocking } from '../core/transfer.js';
import { untilClosed } from '../core/untilClosed.js';
import { type Awaited, checkTimeout, checkWait, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import { type SignalName, toNumber } from '../signal/index.js';
import { closing, endRegistration, registerSignal, whenNotified } from './notice.js';

/** A message as it comes out of the queue. */
export interface Message {
  data: Uint8Array;
  /** 0 to 32767; higher ones come out first. */
  priority: number;
}

/** What mq_getattr(3) says. */
export interface Attributes {
  /** Messages that fit. */
  maxMessages: number;
  /** Bytes of the longest message that fits. */
  messageSize: number;
  /** Messages that wait now. */
  messages: number;
}

/** How urgent a message is. */
export interface Priority {
  /** 0 to 32767 (MQ_PRIO_MAX - 1); 0 if omitted. */
  priority?: number;
}

const MOST_PRIORITY = 32767;
/** What a unit of the priority adds to the length that the addon answers with. */
const PRIORITY = 2 ** 32;
const trace = traceOf('mq');
const attributes = new Float64Array(new ArrayBuffer(128));

/** An open queue. `close()` lets go of it; the queue and its messages stay until `mq.unlink`. */
export class MessageQueue extends DescriptorHandle {
  /** `/name`. */
  readonly name: string;
  /** Whether this call made the queue. */
  readonly created: boolean;
  /** Bytes of the longest message, fixed when the queue was made. */
  readonly messageSize: number;
  /** Messages that fit, fixed when the queue was made. */
  readonly maxMessages: number;
  /** The priority of the message that `receiveInto` and its kin took last. */
  lastPriority = 0;
  readonly #subject: ErrorSubject;
  readonly #sent: Awaited;
  readonly #received: Awaited;
  #buffer: Uint8Array | undefined;
  /** Whether the descriptor does, as mq_open(3) made it. */
  #blocks: boolean;

  /** @internal */
  constructor(fd: number, name: string, created: boolean, blocks = true) {
    super(fd, `the message queue ${name}`);
    this.name = name;
    this.#blocks = blocks;
    this.created = created;
    this.#subject = { object: name };
    this.#sent = { syscall: 'mq_send', subject: this.#subject };
    this.#received = { syscall: 'mq_receive', subject: this.#subject };
    check(native().mqAttributes(fd, attributes), 'mq_getattr', this.#subject);
    this.maxMessages = attributes[0] as number;
    this.messageSize = attributes[1] as number;
    this.beforeClose(() => closing(fd));
    trace(created ? 'create' : 'open', { name, fd });
  }

  /** What the queue holds and can hold (mq_getattr(3)). */
  get attributes(): Attributes {
    this.use();
    check(native().mqAttributes(this.fd, attributes), 'mq_getattr', this.#subject);
    return {
      maxMessages: attributes[0] as number,
      messageSize: attributes[1] as number,
      messages: attributes[2] as number,
    };
  }

  #checkMessage(data: Uint8Array, priority: number): void {
    checkBytes('data', data);
    if (priority !== 0) checkInteger('priority', priority, 0, MOST_PRIORITY);
    if (data.length > this.messageSize) {
      throw new IpcError({
        code: 'EMSGSIZE',
        syscall: 'mq_send',
        object: this.name,
        message: `${data.length} bytes are more than the ${this.messageSize} of this queue`,
      });
    }
  }

  /**
   * From now on no call blocks in the kernel. Until the first that must not, none is kept from it: a synchronous call
   * then is one system call, as in core/transfer.ts.
   */
  #doNotBlock(): void {
    this.use();
    setNonBlocking(this.fd, true);
    this.#blocks = false;
  }

  /** Puts a message in (mq_send(3)); false if the queue is full. */
  trySend(data: Uint8Array, options?: Priority): boolean {
    if (this.#blocks) this.#doNotBlock();
    return this.#send(data, options);
  }

  /** False if the queue is full and the descriptor does not block. */
  #send(data: Uint8Array, options: Priority | undefined): boolean {
    this.use();
    const priority = options?.priority ?? 0;
    this.#checkMessage(data, priority);
    const sent = kept.mqSend(this.fd, data, priority);
    if (sent === 0) return true;
    if (sent === -EAGAIN || sent === -EINTR) return false;
    check(sent, 'mq_send', this.#subject);
    return true;
  }

  /**
   * Puts a message in, waiting while the queue is full. An aborted send has put nothing in.
   *
   * @param data 0 to `messageSize` bytes; they may be reused once the promise resolves
   * @throws IpcError EMSGSIZE, EBADF (opened for receiving)
   */
  send(data: Uint8Array, options?: WaitOptions & Priority): Promise<void> {
    return whenPossible<true>(
      this,
      POLLOUT,
      () => this.trySend(data, options) || undefined,
      options,
      this.#sent,
    ) as unknown as Promise<void>;
  }

  /** As `send`, blocking this thread. */
  sendSync(data: Uint8Array, options?: SyncWaitOptions & Priority): void {
    if (options?.timeoutMs === undefined) {
      if (!MAY_BLOCK && this.#blocks) this.#doNotBlock();
      while (!this.#send(data, options)) blockOnce(this.fd, POLLOUT);
      return;
    }
    checkTimeout(options.timeoutMs);
    whenPossibleSync(this, POLLOUT, () => this.trySend(data, options) || undefined, options, this.#sent);
  }

  /**
   * Takes the first message (highest priority, then oldest) into `bytes` and answers its length;
   * `undefined` if there is none. `lastPriority` has its priority.
   *
   * @param bytes at least `messageSize` long: the kernel takes no less (EMSGSIZE of mq_receive(3))
   */
  tryReceiveInto(bytes: Uint8Array): number | undefined {
    if (this.#blocks) this.#doNotBlock();
    return this.#receiveInto(bytes);
  }

  /** `undefined` if there is none and the descriptor does not block. */
  #receiveInto(bytes: Uint8Array): number | undefined {
    this.use();
    const received = kept.mqReceive(this.fd, bytes);
    if (received >= PRIORITY) {
      this.lastPriority = Math.floor(received / PRIORITY);
      return received % PRIORITY;
    }
    if (received >= 0) {
      this.lastPriority = 0;
      return received;
    }
    if (received === -EAGAIN || received === -EINTR) return undefined;
    checkBytes('bytes', bytes);
    if (bytes.length < this.messageSize) {
      throw new IpcError({
        code: 'EMSGSIZE',
        syscall: 'mq_receive',
        object: this.name,
        message: `${bytes.length} bytes are too few for a message of up to ${this.messageSize}`,
      });
    }
    check(received, 'mq_receive', this.#subject);
    return undefined;
  }

  /** As `tryReceiveInto`, waiting for a message. An aborted wait has taken none. */
  receiveInto(bytes: Uint8Array, options?: WaitOptions): Promise<number> {
    return whenPossible(this, POLLIN, () => this.tryReceiveInto(bytes), options, this.#received);
  }

  /** As `receiveInto`, blocking this thread. */
  receiveIntoSync(bytes: Uint8Array, options?: SyncWaitOptions): number {
    if (options !== undefined) return this.#receiveIntoWithin(bytes, options);
    if (!MAY_BLOCK && this.#blocks) this.#doNotBlock();
    for (;;) {
      const length = this.#receiveInto(bytes);
      if (length !== undefined) return length;
      blockOnce(this.fd, POLLIN);
    }
  }

  #receiveIntoWithin(bytes: Uint8Array, options: SyncWaitOptions): number {
    checkTimeout(options.timeoutMs);
    return whenPossibleSync(this, POLLIN, () => this.tryReceiveInto(bytes), options, this.#received);
  }

  /** Takes the first message (mq_receive(3)), `undefined` if there is none. */
  tryReceive(): Message | undefined {
    this.#buffer ??= new Uint8Array(this.messageSize);
    const length = this.tryReceiveInto(this.#buffer);
    if (length === undefined) return undefined;
    return { data: this.#buffer.slice(0, length), priority: this.lastPriority };
  }

  /** Takes the first message, waiting for one. An aborted wait has taken none. */
  receive(options?: WaitOptions): Promise<Message> {
    return whenPossible(this, POLLIN, () => this.tryReceive(), options, this.#received);
  }

  /** As `receive`, blocking this thread. */
  receiveSync(options?: SyncWaitOptions): Message {
    return whenPossibleSync(this, POLLIN, () => this.tryReceive(), options, this.#received);
  }

  /**
   * The messages as they come, until this queue is closed. Leaving the loop leaves it open.
   *
   * @param options `signal` ends the wait for the next one with an `AbortError`
   */
  messages(options?: { signal?: AbortSignal }): AsyncGenerator<Message, void, undefined> {
    return untilClosed(this, () => this.receive(options));
  }

  /**
   * Resolves when a message has come into the empty queue (mq_notify(3)), once; the message stays for whoever takes it. By the
   * kernel's rules: one process is registered for a queue; a message that somebody waits for in a receive that blocks goes to
   * that one and tells nobody; in a queue that is not empty the next message tells nobody either. An abort takes the registration
   * back. To receive, `receive()` needs none of this.
   *
   * @throws IpcError EBUSY (a process is registered, perhaps this one), ECANCELED (`endNotify()`, or this process has closed
   *   another descriptor of the queue, which ends the registration)
   */
  notify(options?: WaitOptions): Promise<void> {
    try {
      this.use();
      checkWait(options ?? {});
      return whenNotified(this, this.#subject, options);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /**
   * Has the kernel send a signal to this process when a message has come into the empty queue (mq_notify(3) with SIGEV_SIGNAL),
   * once, by the rules of `notify`. What arrives has the code SI_MESGQ, and pid and uid of who sent the message.
   *
   * @param options `value` goes with the signal: an int32, or a bigint of a pointer's size; 0 if omitted
   * @throws IpcError EBUSY
   */
  notifyBySignal(sig: SignalName | number, options: { value?: number | bigint } = {}): void {
    this.use();
    checkOptions(options, ['value']);
    const { value = 0 } = options;
    registerSignal(this.fd, this.#subject, toNumber(sig), checkSignalValue(value));
  }

  /** Takes back what `notify` or `notifyBySignal` registered for this process; nothing if nothing is. */
  endNotify(): void {
    this.use();
    endRegistration(this.fd, this.#subject);
  }

  describe(): string {
    return `the message queue ${this.name}`;
  }

  protected override details(): Record<string, unknown> {
    return {
      name: this.name,
      ...super.details(),
      ...(this.closed ? {} : this.attributes),
    };
  }
}
