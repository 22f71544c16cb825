/**
 * What is taken by a call that cannot be polled, in three forms: tried at once, waited for by a promise on a thread of its own, or by
 * blocking this thread. Semaphores of both kinds are taken so.
 *
 * A call either does all of it or changes nothing. So an abort or a time-out has changed nothing, and where the
 * call was quicker, the wait succeeds.
 */
import { performance } from 'node:perf_hooks';
import { callBlockingSync } from './blocking.js';
import { EAGAIN, EINTR, ETIMEDOUT } from './errno.js';
import { timeoutError } from './errors.js';
import { CallLane } from './lane.js';
import { MAY_BLOCK } from './transfer.js';
import {
  type Awaited,
  checkSignal,
  checkTimeout,
  pend,
  type SyncWaitOptions,
  type WaitOptions,
  type WaitOwner,
} from './wait.js';

/** A call that takes something. */
export interface Taking {
  /** Makes it without waiting; false if it is not possible now. Throws for every other answer. */
  attempt(): boolean;
  /** Begins it on a thread, under this token. */
  begin(token: number): number;
  /** Makes it, blocking this thread for so many milliseconds at most, for ever if negative: what it answered. */
  block(timeoutMs: number): number;
  /** The error for what it answered. */
  error(result: number): Error;
}

/** Those who wait at one handle, by what they wait for. */
export class Turns {
  readonly #owner: WaitOwner;
  readonly #awaited: Awaited;
  readonly #lanes = new Map<string, CallLane>();

  /** `owner` counts the waits. */
  constructor(owner: WaitOwner, awaited: Awaited) {
    this.#owner = owner;
    this.#awaited = awaited;
  }

  /** Waits behind those that wait for the same, which is what `name` says. */
  async(name: string, taking: Taking, options: WaitOptions | undefined): Promise<void> {
    checkSignal(options?.signal);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    if (this.#lanes.get(name)?.awaited !== true && taking.attempt()) return Promise.resolve();
    if (timeoutMs === 0) throw this.#late(0);
    return pend<void>(this.#owner, options, this.#awaited, (settle) =>
      this.#lane(name).add({
        attempt: () => {
          try {
            if (!taking.attempt()) return false;
            settle.resolve();
          } catch (why) {
            settle.reject(why);
          }
          return true;
        },
        begin: (token) => taking.begin(token),
        done: () => settle.resolve(),
        reject: (why) => settle.reject(why),
        fail: (result) => settle.reject(taking.error(result)),
      }),
    );
  }

  #lane(name: string): CallLane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = new CallLane(this.#awaited, () => this.#lanes.delete(name));
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #late(timeoutMs: number): Error {
    return timeoutError(this.#awaited.syscall, timeoutMs, this.#awaited.subject);
  }

  /** Blocks this thread. One that may not be left in the kernel, since it has to end with its worker, has another make the call. */
  sync(taking: Taking, options: SyncWaitOptions | undefined): void {
    const timeoutMs = checkTimeout(options?.timeoutMs);
    if (taking.attempt()) return;
    if (timeoutMs === 0) throw this.#late(0);
    const result = MAY_BLOCK
      ? this.#block(taking, timeoutMs)
      : callBlockingSync((token) => taking.begin(token), { timeoutMs }, this.#awaited);
    if (result < 0) throw taking.error(result);
  }

  #block(taking: Taking, timeoutMs: number): number {
    const deadline = performance.now() + timeoutMs;
    for (let left = timeoutMs; left > 0; left = deadline - performance.now()) {
      const result = taking.block(left === Infinity ? -1 : left);
      // Signals that are handled interrupt it.
      if (result !== -EINTR && result !== -EAGAIN && result !== -ETIMEDOUT) return result;
    }
    throw this.#late(timeoutMs);
  }
}
