/** Sending to a queue, in three forms. */
import { IPC_NOWAIT, rooms } from '../../sys/index.js';
import { checkBytes, checkOptions } from '../../core/arguments.js';
import { callBlockingSync } from '../../core/blocking.js';
import { EAGAIN, EINTR, EINVAL } from '../../core/errno.js';
import { timeoutError } from '../../core/errors.js';
import { CallLane } from '../../core/lane.js';
import { MAY_BLOCK } from '../../core/transfer.js';
import {
  type Awaited,
  checkSignal,
  checkTimeout,
  pend,
  type SyncWaitOptions,
  type WaitOptions,
  type WaitOwner,
  WAIT_OPTIONS,
} from '../../core/wait.js';
import { Departure } from './departure.js';
import { checkMessageType } from './selection.js';
import { maxBytesOf } from './status.js';
import type { Target } from '../target.js';

const { outgoing } = rooms;

function checkMessage(type: number | bigint, data: Uint8Array): void {
  checkMessageType(type);
  if (!(data instanceof Uint8Array)) checkBytes('data', data);
}

/** What is sent to a queue, and waits for room. */
export class Sending {
  readonly #target: Target;
  readonly #owner: WaitOwner;
  readonly #awaited: Awaited;
  #lane: CallLane | undefined;
  /** Bytes that the queue holds, as it was when it was looked at last. */
  #maxBytes: number | undefined;

  /** `owner` counts the waits. */
  constructor(target: Target, owner: WaitOwner) {
    this.#target = target;
    this.#owner = owner;
    this.#awaited = { syscall: 'msgsnd', subject: target.subject };
  }

  /** False if the queue is full. */
  try(type: number | bigint, data: Uint8Array): boolean {
    checkMessage(type, data);
    if (this.#send(type, data, IPC_NOWAIT)) return true;
    if (this.#maxBytes === undefined || data.length > this.#maxBytes) this.#refuseWhatNeverFits(data.length);
    return false;
  }

  /** False if the queue is full, and `flags` forbid to wait. */
  #send(type: number | bigint, data: Uint8Array, flags: number): boolean {
    for (;;) {
      outgoing.fill(type, data);
      const sent = rooms.msgsnd(this.#target.id, data.length, flags);
      if (sent === 0) return true;
      if (sent === -EAGAIN) return false;
      if (sent !== -EINTR) throw this.#error(sent, data.length);
    }
  }

  #error(result: number, length: number): Error {
    if (result !== -EINVAL || this.#target.isRemoved()) return this.#target.error(result, 'msgsnd');
    return this.#target.worded('EINVAL', 'msgsnd', `${length} bytes are more than a message may have`);
  }

  /** The kernel would wait for ever for room that the queue does not have. Who may not look has to wait. */
  #refuseWhatNeverFits(length: number): void {
    const maxBytes = maxBytesOf(this.#target.id);
    if (maxBytes < 0) return;
    this.#maxBytes = maxBytes;
    if (length <= maxBytes) return;
    const message = `${length} bytes are more than the ${maxBytes} of this queue, into which they would never fit`;
    throw this.#target.worded('EMSGSIZE', 'msgsnd', message);
  }

  /** Waits while the queue is full, behind the others. */
  async(type: number | bigint, data: Uint8Array, options: WaitOptions | undefined): Promise<void> {
    if (options !== undefined) checkOptions(options, WAIT_OPTIONS);
    checkSignal(options?.signal);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    checkMessage(type, data);
    if (this.#lane?.awaited !== true) {
      if (this.#send(type, data, IPC_NOWAIT)) return Promise.resolve();
      this.#refuseWhatNeverFits(data.length);
    }
    if (timeoutMs === 0) throw timeoutError('msgsnd', 0, this.#target.subject);
    return this.#later(type, data, options);
  }

  #later(type: number | bigint, data: Uint8Array, options: WaitOptions | undefined): Promise<void> {
    return pend<void>(this.#owner, options, this.#awaited, (settle) => {
      this.#lane ??= new CallLane(this.#awaited, () => {
        this.#lane = undefined;
      });
      return this.#lane.add({
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
          return rooms.blockingMsgsnd(token, this.#target.id, data.length);
        },
        done: () => settle.resolve(),
        reject: (why) => settle.reject(why),
        fail: (result) => settle.reject(this.#error(result, data.length)),
      });
    });
  }

  /** A message that a thread puts in as soon as there is room. */
  depart(type: number | bigint, data: Uint8Array): Departure {
    return new Departure((token) => {
      outgoing.fill(type, data);
      return rooms.blockingMsgsnd(token, this.#target.id, data.length);
    });
  }

  /** Blocks this thread while the queue is full. */
  sync(type: number | bigint, data: Uint8Array, options: SyncWaitOptions | undefined): void {
    if (options !== undefined) checkOptions(options, ['timeoutMs']);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    checkMessage(type, data);
    if (this.#send(type, data, IPC_NOWAIT)) return;
    this.#refuseWhatNeverFits(data.length);
    if (timeoutMs === Infinity && MAY_BLOCK) {
      this.#send(type, data, 0);
      return;
    }
    outgoing.fill(type, data);
    const begin = (token: number): number => rooms.blockingMsgsnd(token, this.#target.id, data.length);
    const sent = callBlockingSync(begin, { timeoutMs }, this.#awaited);
    if (sent < 0) throw this.#error(sent, data.length);
  }
}
