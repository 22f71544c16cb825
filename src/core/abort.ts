/**
 * One listener for each AbortSignal, however many waits hang on it: a thousand waits on one signal
 * draw no MaxListenersExceededWarning, and after the last of them no listener is left.
 */
const hubs = new WeakMap<AbortSignal, Hub>();

class Hub {
  readonly callbacks = new Set<() => void>();
  readonly #signal: AbortSignal;
  readonly #fire = (): void => {
    const waiting = [...this.callbacks];
    this.callbacks.clear();
    for (const callback of waiting) callback();
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(callback: () => void): void {
    if (this.callbacks.size === 0) this.#signal.addEventListener('abort', this.#fire, { once: true });
    this.callbacks.add(callback);
  }

  remove(callback: () => void): void {
    if (this.callbacks.delete(callback) && this.callbacks.size === 0) {
      this.#signal.removeEventListener('abort', this.#fire);
    }
  }
}

/** Calls `callback` once when the signal aborts, unless the returned function was called before. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let hub = hubs.get(signal);
  if (hub === undefined) {
    hub = new Hub(signal);
    hubs.set(signal, hub);
  }
  const joined = hub;
  joined.add(callback);
  return () => joined.remove(callback);
}
