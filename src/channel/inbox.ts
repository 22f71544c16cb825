/** The waits for messages of a channel, served in the order of their calls as messages come. */
import { type Awaited, pend, type Settle, type WaitOptions, type WaitOwner } from '../core/wait.js';
import type { Source } from './contract.js';

interface Waiting {
  /** Tries to settle the wait; false = not now. */
  attempt(): boolean;
  reject(why: unknown): void;
}

/** Who waits at a source. */
export class Inbox {
  readonly #source: Source;
  readonly #owner: WaitOwner;
  readonly #waiting: Waiting[] = [];
  #stopListening: (() => void) | undefined;

  /** `owner` counts the waits. */
  constructor(source: Source, owner: WaitOwner) {
    this.#source = source;
    this.#owner = owner;
  }

  /** Whether somebody waits. */
  get awaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** Waits, behind the others, until `attempt` gives something. */
  wait<T>(attempt: () => T | undefined, options: WaitOptions | undefined, awaited: Awaited): Promise<T> {
    return pend<T>(this.#owner, options, awaited, (settle) => {
      const entry = waitingFor(attempt, settle);
      this.#waiting.push(entry);
      this.#listen();
      return (why) => {
        const at = this.#waiting.indexOf(entry);
        if (at >= 0) this.#waiting.splice(at, 1);
        if (this.#waiting.length === 0) this.#stop();
        settle.reject(why);
      };
    });
  }

  /** Lets those who wait try at once. */
  serve(): void {
    if (this.#waiting.length === 0) return;
    this.#stop();
    this.#onReadable();
  }

  /** Nobody gets anything any more. */
  rejectAll(why: Error): void {
    this.#stop();
    for (const entry of this.#waiting.splice(0)) entry.reject(why);
  }

  #listen(): void {
    if (this.#stopListening !== undefined) return;
    const stop = this.#source.whenReadable(this.#onReadable);
    if (stop === undefined) {
      const soon = setImmediate(this.#onReadable);
      this.#stopListening = () => clearImmediate(soon);
    } else {
      this.#stopListening = stop;
    }
  }

  #stop(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  readonly #onReadable = (): void => {
    this.#stopListening = undefined;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!first.attempt()) break;
      // What the attempt has run may have ended this very wait: then another one is first now.
      if (this.#waiting[0] === first) this.#waiting.shift();
    }
    if (this.#waiting.length > 0) this.#listen();
  };
}

function waitingFor<T>(attempt: () => T | undefined, settle: Settle<T>): Waiting {
  return {
    attempt() {
      try {
        const value = attempt();
        if (value === undefined) return false;
        settle.resolve(value);
      } catch (why) {
        settle.reject(why);
      }
      return true;
    },
    reject: (why) => settle.reject(why),
  };
}
