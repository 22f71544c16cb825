/** What things that can be waited for have in common: whether those waits keep the process alive. */
import type { WaitOwner } from './wait.js';
import { Waits } from './waits.js';

/** A thing that can be waited for. */
export abstract class Referenced implements WaitOwner {
  readonly #waits = new Waits();

  /** From now on a pending wait keeps the process alive (the state at the beginning). */
  ref(): this {
    this.#waits.referenced = true;
    return this;
  }

  /** From now on a pending wait does not keep the process alive. */
  unref(): this {
    this.#waits.referenced = false;
    return this;
  }

  /** Whether a pending wait keeps the process alive. */
  hasRef(): boolean {
    return this.#waits.referenced;
  }

  /** @internal */
  beginWait(cancel: (why: Error) => void): void {
    this.#waits.beginWait(cancel);
  }

  /** @internal */
  endWait(cancel: (why: Error) => void): void {
    this.#waits.endWait(cancel);
  }

  /** Ends every wait with this error, or with what it had already got. @internal */
  protected cancelWaits(why: Error): void {
    this.#waits.cancelAll(why);
  }
}
