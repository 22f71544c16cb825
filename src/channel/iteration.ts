/**
 * The iterators over a receiver. An async generator would cost two more turns of the microtask queue
 * for each value than this does.
 */
export class Iteration<T> implements AsyncIterableIterator<T> {
  readonly #now: () => T | undefined | null;
  readonly #later: () => Promise<T | null>;
  #over = false;

  /** `now` gives the next value if there is one, `later` waits for it; `null` is the end. */
  constructor(now: () => T | undefined | null, later: () => Promise<T | null>) {
    this.#now = now;
    this.#later = later;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#over) return Promise.resolve({ value: undefined, done: true });
    try {
      const value = this.#now();
      if (value !== undefined) return Promise.resolve(this.#result(value));
    } catch (why) {
      return Promise.reject(why);
    }
    return this.#later().then((value) => this.#result(value));
  }

  #result(value: T | null): IteratorResult<T, undefined> {
    if (value !== null) return { value, done: false };
    this.#over = true;
    return { value: undefined, done: true };
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#over = true;
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
