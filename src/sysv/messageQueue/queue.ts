/** A System V message queue: sending, receiving by type, and what the kernel tells of it. */
import { native, rooms } from '../../sys/index.js';
import { checkInteger } from '../../core/arguments.js';
import { EINVAL } from '../../core/errno.js';
import { untilClosed } from '../../core/untilClosed.js';
import type { SyncWaitOptions, WaitOptions } from '../../core/wait.js';
import type { Found } from '../kind.js';
import { SystemVObject } from '../object.js';
import type { Departure } from './departure.js';
import { Receiving } from './receiving.js';
import { type ReceiveIntoOptions, type ReceiveOptions, type Select, selectionInto, selectionOf } from './selection.js';
import { Sending } from './sending.js';
import { type Changes, checkChanges, QUEUES, type Status, statusOf } from './status.js';

/** A message as it comes out of the queue. */
export interface Message {
  /** 1 to 2^63 - 1: a number, or a bigint beyond 2^53 - 1. */
  type: number | bigint;
  data: Uint8Array;
}

const { incoming } = rooms;

/** The message of this length in `incoming`. */
function messageOf(length: number): Message {
  return { type: incoming.type, data: incoming.copy(length) };
}

/** Whether IPC_SET needs to know nothing else. */
function isComplete(changes: Changes): changes is Required<Changes> {
  const { uid, gid, mode, maxBytes } = changes;
  return ![uid, gid, mode, maxBytes].includes(undefined);
}

/**
 * A queue. It is no descriptor and is not open: the kernel looks at the permissions with each call. `close()` forgets
 * it, `remove()` removes it for everybody.
 */
export class MessageQueue extends SystemVObject {
  /** The type of the message that `receiveInto` and its kin took last; 0 before. */
  lastType: number | bigint = 0;
  readonly #sending: Sending;
  readonly #receiving: Receiving;

  /** @internal */
  constructor(found: Found) {
    super(QUEUES, found);
    this.#sending = new Sending(this.target, this);
    this.#receiving = new Receiving(this.target, this);
  }

  // ---- sending

  /** Puts a message in (msgsnd(2)); false if the queue is full. @see send */
  trySend(type: number | bigint, data: Uint8Array): boolean {
    this.use();
    return this.#sending.try(type, data);
  }

  /**
   * Puts a message in (msgsnd(2)), waiting while the queue is full, behind the sends of this handle that wait already. An
   * aborted send has put nothing in.
   *
   * @param type 1 to 2^63 - 1; a bigint beyond 2^53 - 1
   * @param data 0 to /proc/sys/kernel/msgmax bytes; they may be reused once the promise resolves
   * @throws IpcError EACCES, EINVAL (longer than msgmax), EMSGSIZE (longer than `maxBytes`), EIDRM (the queue is removed)
   */
  send(type: number | bigint, data: Uint8Array, options?: WaitOptions): Promise<void> {
    try {
      this.use();
      return this.#sending.async(type, data, options);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `send`, blocking this thread. */
  sendSync(type: number | bigint, data: Uint8Array, options?: SyncWaitOptions): void {
    this.use();
    this.#sending.sync(type, data, options);
  }

  /** A message that a thread puts into a full queue. @internal */
  depart(type: number | bigint, data: Uint8Array): Departure {
    this.use();
    return this.#sending.depart(type, data);
  }

  // ---- receiving

  /**
   * Takes the first message that is meant (msgrcv(2)); `undefined` if there is none.
   *
   * @throws IpcError E2BIG (longer than `size`; it stays), EACCES, EIDRM (the queue is removed)
   */
  tryReceive(options?: ReceiveOptions): Message | undefined {
    this.use();
    const length = this.#receiving.try(selectionOf(options));
    return length === undefined ? undefined : messageOf(length);
  }

  /**
   * Takes the first message that is meant (msgrcv(2)), waiting for one. An aborted wait has taken none. Waits for the
   * same type are served in their order.
   *
   * @param options which message, how long it may be, and how long to wait
   * @throws IpcError E2BIG (longer than `size`; it stays), EACCES, EIDRM (the queue is removed, also while waiting)
   */
  receive(options?: ReceiveOptions & WaitOptions): Promise<Message> {
    try {
      this.use();
      return this.#receiving.async(selectionOf(options), options, messageOf);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `receive`, blocking this thread. */
  receiveSync(options?: ReceiveOptions & SyncWaitOptions): Message {
    this.use();
    return messageOf(this.#receiving.sync(selectionOf(options), options?.timeoutMs));
  }

  /**
   * Takes the first message that is meant into `bytes` and answers its length; `undefined` if there is none. `lastType`
   * has its type. A message that is longer than `bytes` is E2BIG and stays, unless it is to be cut.
   */
  tryReceiveInto(bytes: Uint8Array, options?: ReceiveIntoOptions): number | undefined {
    this.use();
    const length = this.#receiving.try(selectionInto(bytes, options));
    return length === undefined ? undefined : this.#handOver(bytes, length);
  }

  #handOver(bytes: Uint8Array, length: number): number {
    incoming.copyTo(bytes, length);
    this.lastType = incoming.type;
    return length;
  }

  /** As `tryReceiveInto`, waiting for a message. An aborted wait has taken none. */
  receiveInto(bytes: Uint8Array, options?: ReceiveIntoOptions & WaitOptions): Promise<number> {
    try {
      this.use();
      const selection = selectionInto(bytes, options);
      return this.#receiving.async(selection, options, (length) => this.#handOver(bytes, length));
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `receiveInto`, blocking this thread. */
  receiveIntoSync(bytes: Uint8Array, options?: ReceiveIntoOptions & SyncWaitOptions): number {
    this.use();
    return this.#handOver(bytes, this.#receiving.sync(selectionInto(bytes, options), options?.timeoutMs));
  }

  /** Calls `ready` once there is such a message; an empty one has been taken, and its type is told. @internal */
  onceThere(select: Select, ready: (empty?: number | bigint) => void): () => void {
    this.use();
    return this.#receiving.onceThere(selectionOf(select), ready);
  }

  /** Blocks this thread until there is such a message, at most so long; an empty one is taken, and its type is told. @internal */
  awaitThere(select: Select, timeoutMs: number): number | bigint | undefined {
    this.use();
    return this.#receiving.awaitThere(selectionOf(select), timeoutMs);
  }

  /**
   * A copy of the message at this place of the queue (MSG_COPY of msgrcv(2)), which stays there; `undefined` if there are
   * fewer. It never waits.
   *
   * @param index 0 is the first, whatever its type
   * @throws IpcError ENOSYS where the kernel was built without CONFIG_CHECKPOINT_RESTORE
   */
  copy(index: number): Message | undefined {
    this.use();
    checkInteger('index', index, 0, 0x7fff_ffff);
    const length = this.#receiving.copy(index);
    return length === undefined ? undefined : messageOf(length);
  }

  /**
   * The messages that are meant, as they come, until this handle is closed. Leaving the loop leaves it open.
   *
   * @param options which messages; `signal` ends the wait for the next one with an `AbortError`
   */
  messages(options?: Select & { signal?: AbortSignal }): AsyncGenerator<Message, void, undefined> {
    return untilClosed(this, () => this.receive(options));
  }

  // ---- the queue itself

  /** What the kernel tells of the queue (IPC_STAT of msgctl(2)). @throws IpcError EACCES (mode 0400 is needed), EIDRM */
  stat(): Status {
    this.use();
    const status = statusOf(this.id);
    if (typeof status === 'number') throw this.target.error(status, 'msgctl(IPC_STAT)');
    return status;
  }

  /**
   * Changes owner, mode or size of the queue (IPC_SET of msgctl(2)); what is not named stays. Messages that are in it stay,
   * also where there are more than fit now. Who may not look at the queue names all four.
   *
   * @throws IpcError EPERM (neither owner nor creator; `maxBytes` above /proc/sys/kernel/msgmnb), EACCES, EIDRM
   */
  set(changes: Changes): void {
    this.use();
    checkChanges(changes);
    const { uid, gid, mode, maxBytes } = isComplete(changes) ? changes : { ...this.stat(), ...changes };
    const result = native().msgctlSet(this.id, uid, gid, mode, maxBytes);
    if (result < 0) throw this.target.error(result, 'msgctl(IPC_SET)');
  }

  /**
   * Removes the queue and its messages for everybody (IPC_RMID of msgctl(2)). Who waits for it, in any process, gets EIDRM.
   *
   * @throws IpcError EPERM (neither owner nor creator), EIDRM (it is removed already)
   */
  override remove(): void {
    super.remove();
  }

  protected override details(): Record<string, unknown> {
    const status = this.closed ? -EINVAL : statusOf(this.id);
    const { messages, bytes, maxBytes } = typeof status === 'number' ? ({} as Partial<Status>) : status;
    return { ...super.details(), ...(messages === undefined ? {} : { messages, bytes, maxBytes }) };
  }
}
