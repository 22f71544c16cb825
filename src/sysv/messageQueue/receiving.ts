/** Receiving from a queue, in three forms. What has come is in `incoming`, and is taken from there at once. */
import { performance } from 'node:perf_hooks';
import { IPC_NOWAIT, MSG_COPY, MSG_NOERROR, native, rooms } from '../../sys/index.js';
import { callBlockingSync } from '../../core/blocking.js';
import { E2BIG, EINTR, ENOMSG } from '../../core/errno.js';
import { timeoutError } from '../../core/errors.js';
import { MAY_BLOCK } from '../../core/transfer.js';
import { type Awaited, checkSignal, checkTimeout, pend, type WaitOptions, type WaitOwner } from '../../core/wait.js';
import { ReceiveLane } from './lane.js';
import type { Selection } from './selection.js';
import type { Target } from '../target.js';

const { incoming } = rooms;
const EMPTY = 0;
const NOT_WANTED = new Error('the message is not wanted any more');

/** Makes something of the message of this length in `incoming`. */
type Make<T> = (length: number) => T;

/** Who receives from a queue, and waits for messages. */
export class Receiving {
  readonly #target: Target;
  readonly #owner: WaitOwner;
  readonly #awaited: Awaited;
  /** By what they wait for. */
  readonly #lanes = new Map<string, ReceiveLane>();

  /** `owner` counts the waits. */
  constructor(target: Target, owner: WaitOwner) {
    this.#target = target;
    this.#owner = owner;
    this.#awaited = { syscall: 'msgrcv', subject: target.subject };
  }

  /** The length of a message that was taken, `undefined` if there is none. */
  try(selection: Selection): number | undefined {
    return this.#take(selection, IPC_NOWAIT);
  }

  /** `undefined` if there is none, and `more`, further flags, forbid to wait. */
  #take({ type, flags, size, truncate }: Selection, more: number): number | undefined {
    for (;;) {
      const length = Math.min(size, incoming.size);
      const cut = truncate && length === size ? MSG_NOERROR : 0;
      const received = rooms.msgrcv(this.#target.id, length, type, flags | more | cut);
      if (received >= 0) return received;
      if (received === -ENOMSG) return undefined;
      if (received === -E2BIG && length < size) incoming.grow(Math.min(size, 2 * length));
      else if (received !== -EINTR) throw this.#error(received, size);
    }
  }

  #error(result: number, size: number): Error {
    if (result !== -E2BIG) return this.#target.error(result, 'msgrcv');
    return this.#target.worded('E2BIG', 'msgrcv', `the message is longer than ${size} bytes`);
  }

  /** What `make` makes of a message, as soon as there is one; waits for the same selection are served in their order. */
  async<T>(selection: Selection, options: WaitOptions | undefined, make: Make<T>): Promise<T> {
    checkSignal(options?.signal);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    const lane = `${selection.type} ${selection.flags}`;
    if (this.#lanes.get(lane)?.awaited !== true) {
      const length = this.#take(selection, IPC_NOWAIT);
      if (length !== undefined) return Promise.resolve(make(length));
    }
    if (timeoutMs === 0) throw timeoutError('msgrcv', 0, this.#target.subject);
    return pend<T>(this.#owner, options, this.#awaited, (settle) =>
      this.#lane(lane, selection).add({
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
        take: (type) => {
          incoming.type = type;
          settle.resolve(make(EMPTY));
        },
        reject: (why) => settle.reject(why),
        fail: (result) => settle.reject(this.#error(result, selection.size)),
      }),
    );
  }

  #lane(name: string, selection: Selection): ReceiveLane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = new ReceiveLane(
        (token) => this.#begin(token, selection),
        this.#awaited,
        () => this.#lanes.delete(name),
      );
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #begin(token: number, { type, flags }: Selection): number {
    return native().blockingMsgrcv(token, this.#target.id, type, flags);
  }

  /**
   * Calls `ready` once there is a message, which stays, or something is wrong, which the next attempt will tell; the
   * returned function takes that back. An empty message that was taken is handed over, also to who has taken it back.
   */
  onceThere(selection: Selection, ready: (empty?: number | bigint) => void): () => void {
    let wanted = true;
    const tell = (): true => {
      if (wanted) ready();
      return true;
    };
    const giveUp = this.#lane(`${selection.type} ${selection.flags} there`, selection).add({
      attempt: tell,
      take: ready,
      reject: tell,
      fail: tell,
    });
    return () => {
      wanted = false;
      giveUp(NOT_WANTED);
    };
  }

  /** Blocks this thread until there is a message, at most so long; the type of an empty one that was taken. */
  awaitThere(selection: Selection, timeoutMs: number): number | bigint | undefined {
    try {
      const length = this.#block(selection, timeoutMs, performance.now() + timeoutMs);
      return length === undefined ? undefined : incoming.type;
    } catch (why) {
      if ((why as { code?: string }).code === 'ETIMEDOUT') return undefined;
      throw why;
    }
  }

  /** The length of a message, blocking this thread until there is one. */
  sync(selection: Selection, wanted: number | undefined): number {
    const timeoutMs = checkTimeout(wanted);
    if (timeoutMs === Infinity && MAY_BLOCK) return this.#take(selection, 0) as number;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const length = this.#take(selection, IPC_NOWAIT) ?? this.#block(selection, timeoutMs, deadline);
      if (length !== undefined) return length;
    }
  }

  /** Returns when there is a message; answers the length of one that was taken already, since it is empty. */
  #block(selection: Selection, timeoutMs: number, deadline: number): number | undefined {
    const left = deadline - performance.now();
    if (left <= 0) throw timeoutError('msgrcv', timeoutMs, this.#target.subject);
    let result: number;
    try {
      result = callBlockingSync((token) => this.#begin(token, selection), { timeoutMs: left }, this.#awaited);
    } catch (why) {
      const late = (why as { code?: string }).code === 'ETIMEDOUT';
      throw late ? timeoutError('msgrcv', timeoutMs, this.#target.subject) : why;
    }
    if (result === -E2BIG) return undefined;
    if (result < 0) throw this.#error(result, selection.size);
    incoming.type = native().msgTaken(result) as bigint;
    return EMPTY;
  }

  /** The length of the message at this place, which stays there; `undefined` if there are fewer. */
  copy(index: number): number | undefined {
    for (;;) {
      const length = rooms.msgrcv(this.#target.id, incoming.size, index, IPC_NOWAIT | MSG_COPY);
      if (length >= 0) return length;
      if (length === -ENOMSG) return undefined;
      if (length !== -E2BIG) throw this.#target.error(length, 'msgrcv');
      incoming.grow(2 * incoming.size);
    }
  }
}
