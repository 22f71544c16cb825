/** The waits that are pending on one object, and whether they keep the process alive. */
import { keepAlive, letGo } from './loop.js';
import type { WaitOwner } from './wait.js';

/** A set of pending waits. */
export class Waits implements WaitOwner {
  readonly #pending = new Set<(why: Error) => void>();
  #referenced = true;

  beginWait(cancel: (why: Error) => void): void {
    if (this.#referenced) keepAlive();
    this.#pending.add(cancel);
  }

  endWait(cancel: (why: Error) => void): void {
    if (this.#pending.delete(cancel) && this.#referenced) letGo();
  }

  /** Ends every wait with this error, or with what it had already got. */
  cancelAll(why: Error): void {
    for (const cancel of [...this.#pending]) cancel(why);
  }

  /** Whether pending waits keep the process alive. */
  get referenced(): boolean {
    return this.#referenced;
  }

  set referenced(keep: boolean) {
    if (keep === this.#referenced) return;
    this.#referenced = keep;
    for (const _ of this.#pending) (keep ? keepAlive : letGo)();
  }
}
