/** Those of one thread of JavaScript who wait for one lock, in their order: one other thread sleeps for all of them, and takes nothing. */
import { Lane, type Waiter } from '../core/lane.js';
import type { Awaited } from '../core/wait.js';

/** What they need from the lock. */
export interface Sleeping {
  /** Begins the call that sleeps, under this token. */
  sleep(token: number): number;
  /** The sleeper was woken for somebody who does not want it any more. */
  passOn(): void;
  /** Nobody waits any more. */
  empty(): void;
}

/** The waits of one handle. */
export class Sleepers extends Lane<Waiter> {
  readonly #lock: Sleeping;

  constructor(awaited: Awaited, lock: Sleeping) {
    super(awaited, () => lock.empty());
    this.#lock = lock;
  }

  protected begin(token: number): number {
    return this.#lock.sleep(token);
  }

  protected isForOnly(waiter: Waiter): boolean {
    return this.waiters.every((other) => other === waiter || this.isLeaving(other));
  }

  protected failing(): Waiter[] {
    return this.waiters.splice(0);
  }

  protected succeeded(): void {
    if (!this.awaited) this.#lock.passOn();
  }
}
