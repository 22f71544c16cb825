/** How an end of a channel closes: once, and everybody who asks learns of it. */

/** How an end of a channel came to its end: see `closed` of the sender and the receiver. */
export interface Closed {
  /** 'closed': by `close()`; 'destroyed': by `destroy()`; 'end': the sender's last message was received. */
  reason: 'closed' | 'destroyed' | 'end';
}

/** The `closed` promise of one end. */
export class Closing {
  readonly promise: Promise<Closed>;
  /** Resolves when everything was given back. */
  readonly released: Promise<void>;
  #resolve!: (closed: Closed) => void;
  #reject!: (why: Error) => void;
  #release!: () => void;
  #begun = false;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.released = new Promise((resolve) => {
      this.#release = resolve;
    });
    // Whoever does not look at `closed` learns of the failure from the next call.
    this.promise.catch(() => undefined);
  }

  /** Whether `close()` or `destroy()` was called. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Closing begins; the returned function ends it. */
  begin(): (reason: Closed['reason']) => void {
    this.#begun = true;
    return (reason) => {
      this.#resolve({ reason });
      this.#release();
    };
  }

  /** The end was reached, before anybody closed. */
  end(): void {
    this.#resolve({ reason: 'end' });
  }

  /** The channel broke. */
  fail(why: Error): void {
    this.#reject(why);
  }
}
