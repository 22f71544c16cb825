/** The sends that wait for room in a channel, in the order of their calls. */
import type { Settle } from '../core/wait.js';

/** A message that waits. */
export interface Queued {
  readonly message: Uint8Array;
  /** Bytes of it that were taken: from the first on it cannot be withdrawn. */
  from: number;
  readonly settle: Settle<void>;
}

/** Waiting sends, and how many bytes they are. */
export class SendQueue {
  #entries: Queued[] = [];
  #bytes = 0;

  /** How many wait. */
  get length(): number {
    return this.#entries.length;
  }

  /** Bytes of the messages that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The one whose turn it is. */
  get first(): Queued | undefined {
    return this.#entries[0];
  }

  /** One more, behind the others. */
  add(message: Uint8Array, settle: Settle<void>): Queued {
    const entry = { message, from: 0, settle };
    this.#entries.push(entry);
    this.#bytes += message.length;
    return entry;
  }

  /** The first was taken whole. */
  shift(): void {
    const entry = this.#entries.shift() as Queued;
    this.#bytes -= entry.message.length;
    entry.settle.resolve();
  }

  /** Takes one out that has not begun; false if it is not there any more. */
  withdraw(entry: Queued): boolean {
    const at = this.#entries.indexOf(entry);
    if (at < 0) return false;
    this.#entries.splice(at, 1);
    this.#bytes -= entry.message.length;
    return true;
  }

  /** None of them will be sent. */
  rejectAll(why: Error): void {
    this.#bytes = 0;
    for (const entry of this.#entries.splice(0)) entry.settle.reject(why);
  }
}
