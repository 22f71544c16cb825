/** A System V message queue: sending, receiving by type, and what the kernel tells of it. */
import { performance } from 'node:perf_hooks';
import { IPC_NOWAIT, MSG_COPY, MSG_NOERROR, native, rooms } from '../../sys/index.js';
import { checkBytes, checkInteger, checkOptions } from '../../core/arguments.js';
import { callBlockingSync } from '../../core/blocking.js';
import { E2BIG, EAGAIN, EIDRM, EINTR, EINVAL, ENOMSG } from '../../core/errno.js';
import { type ErrorSubject, IpcError, systemError, timeoutError } from '../../core/errors.js';
import { Handle } from '../../core/handle.js';
import { traceOf } from '../../core/trace.js';
import { MAY_BLOCK } from '../../core/transfer.js';
import {
  type Awaited,
  checkSignal,
  checkTimeout,
  pend,
  type SyncWaitOptions,
  type WaitOptions,
  WAIT_OPTIONS,
} from '../../core/wait.js';
import { keyName } from '../key.js';
import { ReceiveLane, SendLane } from './lane.js';
import {
  checkMessageType,
  type ReceiveIntoOptions,
  type ReceiveOptions,
  type Select,
  type Selection,
  selectionInto,
  selectionOf,
} from './selection.js';
import { type Changes, checkChanges, maxBytesOf, type Status, statusOf } from './status.js';

/** A message as it comes out of the queue. */
export interface Message {
  /** 1 to 2^63 - 1: a number, or a bigint beyond 2^53 - 1. */
  type: number | bigint;
  data: Uint8Array;
}

const { incoming, outgoing } = rooms;
const trace = traceOf('sysv');
const EMPTY_SIZE = 0;

/** Whether IPC_SET needs to know nothing else. */
function isComplete(changes: Changes): changes is Required<Changes> {
  const { uid, gid, mode, maxBytes } = changes;
  return ![uid, gid, mode, maxBytes].includes(undefined);
}

/** How a handle was made. @internal */
export interface Found {
  id: number;
  key: number;
  created: boolean;
}

/**
 * A queue. It is no descriptor and is not open: the kernel looks at the permissions with each call. `close()` forgets
 * it, `remove()` removes it for everybody.
 */
export class MessageQueue extends Handle {
  /** The number by which the kernel and ipcs(1) know it. */
  readonly id: number;
  /** 0 to 2^32 - 1; 0 is a private queue. */
  readonly key: number;
  /** Whether this call made the queue. */
  readonly created: boolean;
  /** The type of the message that `receiveInto` and its kin took last; 0 before. */
  lastType: number | bigint = 0;
  readonly #subject: ErrorSubject;
  readonly #sent: Awaited;
  readonly #received: Awaited;
  /** By what is waited for. */
  readonly #receiving = new Map<string, ReceiveLane>();
  #sending: SendLane | undefined;
  /** As it was when it was looked at last. */
  #maxBytes: number | undefined;

  /** @internal */
  constructor({ id, key, created }: Found) {
    super();
    this.id = id;
    this.key = key;
    this.created = created;
    this.#subject = key === 0 ? { object: `id ${id}` } : { key: keyName(key) };
    this.#sent = { syscall: 'msgsnd', subject: this.#subject };
    this.#received = { syscall: 'msgrcv', subject: this.#subject };
    trace(created ? 'create' : 'open', { id, key });
  }

  // ---- sending

  /** Puts a message in (msgsnd(2)); false if the queue is full. @see send */
  trySend(type: number | bigint, data: Uint8Array): boolean {
    this.use();
    checkMessageType(type);
    if (!(data instanceof Uint8Array)) checkBytes('data', data);
    if (this.#send(type, data, IPC_NOWAIT)) return true;
    if (this.#maxBytes === undefined || data.length > this.#maxBytes) this.#refuseWhatNeverFits(data.length);
    return false;
  }

  /** False if the queue is full, and `flags` forbid to wait. */
  #send(type: number | bigint, data: Uint8Array, flags: number): boolean {
    for (;;) {
      outgoing.fill(type, data);
      const sent = rooms.msgsnd(this.id, data.length, flags);
      if (sent === 0) return true;
      if (sent === -EAGAIN) return false;
      if (sent !== -EINTR) throw this.#sendError(sent, data.length);
    }
  }

  #sendError(result: number, length: number): Error {
    if (result !== -EINVAL || this.#isRemoved()) return this.#error(result, 'msgsnd');
    return new IpcError({
      code: 'EINVAL',
      syscall: 'msgsnd',
      ...this.#subject,
      message: `${length} bytes are more than a message may have`,
    });
  }

  /** The kernel would wait for ever for room that the queue does not have. Who may not look has to wait. */
  #refuseWhatNeverFits(length: number): void {
    const maxBytes = maxBytesOf(this.id);
    if (maxBytes < 0) return;
    this.#maxBytes = maxBytes;
    if (length <= maxBytes) return;
    throw new IpcError({
      code: 'EMSGSIZE',
      syscall: 'msgsnd',
      ...this.#subject,
      message: `${length} bytes are more than the ${maxBytes} of this queue, into which they would never fit`,
    });
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
      if (options !== undefined) checkOptions(options, WAIT_OPTIONS);
      this.use();
      checkSignal(options?.signal);
      const timeoutMs = checkTimeout(options?.timeoutMs);
      checkMessageType(type);
      if (!(data instanceof Uint8Array)) checkBytes('data', data);
      if (this.#sending === undefined) {
        if (this.#send(type, data, IPC_NOWAIT)) return Promise.resolve();
        this.#refuseWhatNeverFits(data.length);
      }
      if (timeoutMs === 0) throw timeoutError('msgsnd', 0, this.#subject);
      return this.#sendLater(type, data, options);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  #sendLater(type: number | bigint, data: Uint8Array, options: WaitOptions | undefined): Promise<void> {
    return pend<void>(this, options, this.#sent, (settle) => {
      this.#sending ??= new SendLane(
        this.#sent,
        (result) => this.#sendError(result, data.length),
        () => {
          this.#sending = undefined;
        },
      );
      return this.#sending.add({
        attempt: () => {
          try {
            if (!this.#send(type, data, IPC_NOWAIT)) return false;
            settle.resolve();
          } catch (why) {
            settle.reject(why);
          }
          return true;
        },
        begin: (token) => {
          outgoing.fill(type, data);
          return rooms.blockingMsgsnd(token, this.id, data.length);
        },
        sent: () => settle.resolve(),
        reject: (why) => settle.reject(why),
      });
    });
  }

  /** As `send`, blocking this thread. */
  sendSync(type: number | bigint, data: Uint8Array, options?: SyncWaitOptions): void {
    if (options !== undefined) checkOptions(options, ['timeoutMs']);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    this.use();
    checkMessageType(type);
    if (!(data instanceof Uint8Array)) checkBytes('data', data);
    if (this.#send(type, data, IPC_NOWAIT)) return;
    this.#refuseWhatNeverFits(data.length);
    if (timeoutMs === Infinity && MAY_BLOCK) {
      this.#send(type, data, 0);
      return;
    }
    outgoing.fill(type, data);
    const sent = callBlockingSync(
      (token) => rooms.blockingMsgsnd(token, this.id, data.length),
      { timeoutMs },
      this.#sent,
    );
    if (sent < 0) throw this.#sendError(sent, data.length);
  }

  // ---- receiving

  /**
   * Takes the first message that is meant (msgrcv(2)); `undefined` if there is none.
   *
   * @throws IpcError E2BIG (longer than `size`; it stays), EACCES, EIDRM (the queue is removed)
   */
  tryReceive(options?: ReceiveOptions): Message | undefined {
    this.use();
    const length = this.#take(selectionOf(options), IPC_NOWAIT);
    return length === undefined ? undefined : { type: incoming.type, data: incoming.copy(length) };
  }

  /** Takes a message into `incoming` and answers its length there; `undefined` if there is none, and `flags` forbid to wait. */
  #take({ type, flags, size, truncate }: Selection, more: number): number | undefined {
    for (;;) {
      const length = Math.min(size, incoming.size);
      const cut = truncate && length === size ? MSG_NOERROR : 0;
      const received = rooms.msgrcv(this.id, length, type, flags | more | cut);
      if (received >= 0) return received;
      if (received === -ENOMSG) return undefined;
      if (received === -E2BIG && length < size) incoming.grow(Math.min(size, 2 * length));
      else if (received !== -EINTR) throw this.#receiveError(received, size);
    }
  }

  #receiveError(result: number, size: number): Error {
    if (result !== -E2BIG) return this.#error(result, 'msgrcv');
    return new IpcError({
      code: 'E2BIG',
      syscall: 'msgrcv',
      ...this.#subject,
      message: `the message is longer than ${size} bytes`,
    });
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
      const selection = selectionOf(options);
      return this.#whenThere(selection, options, (length) => ({ type: incoming.type, data: incoming.copy(length) }));
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** What `make` makes of the message in `incoming`, once one is there. */
  #whenThere<T>(selection: Selection, options: WaitOptions | undefined, make: (length: number) => T): Promise<T> {
    this.use();
    checkSignal(options?.signal);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    const { type, flags } = selection;
    const name = `${type} ${flags}`;
    if (!this.#receiving.has(name)) {
      const length = this.#take(selection, IPC_NOWAIT);
      if (length !== undefined) return Promise.resolve(make(length));
    }
    if (timeoutMs === 0) throw timeoutError('msgrcv', 0, this.#subject);
    return pend<T>(this, options, this.#received, (settle) =>
      this.#lane(name, selection).add({
        attempt: () => {
          try {
            const length = this.#take(selection, IPC_NOWAIT);
            if (length === undefined) return false;
            settle.resolve(make(length));
          } catch (why) {
            settle.reject(why);
          }
          return true;
        },
        take: (taken) => {
          incoming.type = taken;
          settle.resolve(make(EMPTY_SIZE));
        },
        reject: (why) => settle.reject(why),
      }),
    );
  }

  #lane(name: string, { type, flags }: Selection): ReceiveLane {
    let lane = this.#receiving.get(name);
    if (lane === undefined) {
      lane = new ReceiveLane(
        (token) => native().blockingMsgrcv(token, this.id, type, flags),
        this.#received,
        (result) => this.#error(result, 'msgrcv'),
        () => this.#receiving.delete(name),
      );
      this.#receiving.set(name, lane);
    }
    return lane;
  }

  /** As `receive`, blocking this thread. */
  receiveSync(options?: ReceiveOptions & SyncWaitOptions): Message {
    const length = this.#takeSync(selectionOf(options), options?.timeoutMs);
    return { type: incoming.type, data: incoming.copy(length) };
  }

  /** The length of a message that is in `incoming` then. */
  #takeSync(selection: Selection, wanted: number | undefined): number {
    const timeoutMs = checkTimeout(wanted);
    this.use();
    if (timeoutMs === Infinity && MAY_BLOCK) return this.#take(selection, 0) as number;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const length = this.#take(selection, IPC_NOWAIT) ?? this.#awaitMessage(selection, timeoutMs, deadline);
      if (length !== undefined) return length;
    }
  }

  /** Blocks this thread until there is a message; the length of one that was taken already, since it is empty. */
  #awaitMessage({ type, flags }: Selection, timeoutMs: number, deadline: number): number | undefined {
    const left = deadline - performance.now();
    if (left <= 0) throw timeoutError('msgrcv', timeoutMs, this.#subject);
    let result: number;
    try {
      result = callBlockingSync(
        (token) => native().blockingMsgrcv(token, this.id, type, flags),
        { timeoutMs: left },
        this.#received,
      );
    } catch (why) {
      if ((why as { code?: string }).code === 'ETIMEDOUT') throw timeoutError('msgrcv', timeoutMs, this.#subject);
      throw why;
    }
    if (result === -E2BIG) return undefined;
    if (result < 0) throw this.#error(result, 'msgrcv');
    incoming.type = native().msgTaken(result) as bigint;
    return EMPTY_SIZE;
  }

  /**
   * Takes the first message that is meant into `bytes` and answers its length; `undefined` if there is none. `lastType`
   * has its type. A message that is longer than `bytes` is E2BIG and stays, unless it is to be cut.
   */
  tryReceiveInto(bytes: Uint8Array, options?: ReceiveIntoOptions): number | undefined {
    this.use();
    const length = this.#take(selectionInto(bytes, options), IPC_NOWAIT);
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
      return this.#whenThere(selectionInto(bytes, options), options, (length) => this.#handOver(bytes, length));
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `receiveInto`, blocking this thread. */
  receiveIntoSync(bytes: Uint8Array, options?: ReceiveIntoOptions & SyncWaitOptions): number {
    return this.#handOver(bytes, this.#takeSync(selectionInto(bytes, options), options?.timeoutMs));
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
    const flags = IPC_NOWAIT | MSG_COPY;
    for (;;) {
      const length = rooms.msgrcv(this.id, incoming.size, index, flags);
      if (length >= 0) return { type: incoming.type, data: incoming.copy(length) };
      if (length === -ENOMSG) return undefined;
      if (length !== -E2BIG) throw this.#error(length, 'msgrcv');
      incoming.grow(2 * incoming.size);
    }
  }

  /**
   * The messages that are meant, as they come, until this handle is closed. Leaving the loop leaves it open.
   *
   * @param options which messages; `signal` ends the wait for the next one with an `AbortError`
   */
  async *messages(options?: Select & { signal?: AbortSignal }): AsyncGenerator<Message, void, void> {
    while (!this.closed) {
      let message: Message;
      try {
        message = await this.receive(options);
      } catch (why) {
        if (this.closed) return;
        throw why;
      }
      yield message;
    }
  }

  // ---- the queue itself

  /** What the kernel tells of the queue (IPC_STAT of msgctl(2)). @throws IpcError EACCES (mode 0400 is needed), EIDRM */
  stat(): Status {
    this.use();
    const status = statusOf(this.id);
    if (typeof status === 'number') throw this.#error(status, 'msgctl(IPC_STAT)');
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
    if (result < 0) throw this.#error(result, 'msgctl(IPC_SET)');
    this.#maxBytes = maxBytes;
  }

  /**
   * Removes the queue and its messages for everybody (IPC_RMID of msgctl(2)). Who waits for it, in any process, gets EIDRM.
   *
   * @throws IpcError EPERM (neither owner nor creator), EIDRM (it is removed already)
   */
  remove(): void {
    this.use();
    const result = native().msgctlRemove(this.id);
    if (result < 0) throw this.#error(result, 'msgctl(IPC_RMID)');
    trace('remove', { id: this.id, key: this.key });
  }

  /** Whether the id means no queue any more. */
  #isRemoved(): boolean {
    const found = maxBytesOf(this.id);
    return found === -EINVAL || found === -EIDRM;
  }

  /** The kernel calls an id without a queue EINVAL, and EIDRM only where it was removed during the call: here it is one error. */
  #error(result: number, syscall: string): Error {
    return systemError(result === -EINVAL && this.#isRemoved() ? -EIDRM : result, syscall, this.#subject);
  }

  describe(): string {
    return `the System V queue ${this.#subject.key ?? `with ${this.#subject.object}`}`;
  }

  /** Nothing is held: the queue stays. */
  protected release(): void {}

  protected override details(): Record<string, unknown> {
    const status = this.closed ? -EINVAL : statusOf(this.id);
    const { messages, bytes, maxBytes } = typeof status === 'number' ? ({} as Partial<Status>) : status;
    return { key: keyName(this.key), id: this.id, ...(messages === undefined ? {} : { messages, bytes, maxBytes }) };
  }
}
