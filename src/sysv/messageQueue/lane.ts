/** The waits of one handle for messages of one type: core/lane.ts. */
import { E2BIG } from '../../core/errno.js';
import { Lane, type Waiter } from '../../core/lane.js';
import type { Awaited } from '../../core/wait.js';
import { native } from '../../sys/index.js';

/** A wait for a message. */
export interface Receiver extends Waiter {
  /** An empty message of this type was taken for it. */
  take(type: bigint): void;
}

/** They wait until there is a message, and take it only then, here (native/sysv.c). */
export class ReceiveLane extends Lane<Receiver> {
  readonly #begin: (token: number) => number;

  /** `begin` begins a call that returns when there is such a message. */
  constructor(begin: (token: number) => number, awaited: Awaited, empty: () => void) {
    super(awaited, empty);
    this.#begin = begin;
  }

  protected begin(token: number): number {
    return this.#begin(token);
  }

  /** The call offers no room: a message that does not fit is there. */
  protected override isSuccess(result: number): boolean {
    return result >= 0 || result === -E2BIG;
  }

  protected isForOnly(waiter: Receiver): boolean {
    return this.waiters.every((other) => other === waiter || this.isLeaving(other));
  }

  protected failing(): Receiver[] {
    return this.waiters.splice(0);
  }

  /** An empty message has been taken already: for whoever has waited longest, also if it would have given up. */
  protected succeeded(result: number): void {
    if (result <= 0) return;
    const type = native().msgTaken(result);
    if (typeof type === 'bigint') this.waiters.shift()?.take(type);
  }
}
