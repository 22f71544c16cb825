/**
 * A message that a thread puts into a full queue. Unlike `send()` it can also be waited for by blocking this thread, at any
 * moment: the channel needs that, which is used in both ways by turns.
 */
import { EAGAIN, ECANCELED, ENOMEM } from '../../core/errno.js';
import { registerCall, unregisterCall } from '../../core/loop.js';
import { native } from '../../sys/index.js';

const REPEAT_MS = 1;
/** Where no thread can be made it is tried again. */
const AGAIN_MS = 100;

/** A message on its way into a full queue. */
export class Departure {
  /** Told when it is over, in the event loop; not where `block` has seen it. */
  onOver: (() => void) | undefined;
  /** 0 once the message is in the queue, or -errno; `undefined` while it waits. */
  result: number | undefined;
  readonly #begin: (token: number) => number;
  readonly #token: number;
  #running = false;
  #timer: NodeJS.Timeout | undefined;

  /** `begin` begins the call under the token that it is given. */
  constructor(begin: (token: number) => number) {
    this.#begin = begin;
    this.#token = registerCall((result) => {
      this.#end(result);
      this.onOver?.();
    });
    this.#try();
  }

  #try(): void {
    const begun = this.#begin(this.#token);
    this.#running = begun >= 0;
    if (this.#running) return;
    if (begun !== -EAGAIN && begun !== -ENOMEM) {
      this.#end(begun);
    } else {
      const again = (): void => {
        this.#try();
        if (this.result !== undefined) this.onOver?.();
      };
      this.#timer = setTimeout(again, AGAIN_MS).unref();
    }
  }

  #end(result: number): void {
    unregisterCall(this.#token);
    clearTimeout(this.#timer);
    this.result = result;
  }

  /** Blocks this thread until it is over, at most so long. */
  block(timeoutMs: number): void {
    if (this.result !== undefined) return;
    if (this.#running) {
      const result = native().awaitBlocking(this.#token, Math.ceil(timeoutMs));
      if (result !== undefined) this.#end(result);
    } else {
      clearTimeout(this.#timer);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.min(timeoutMs, AGAIN_MS));
      this.#try();
    }
  }

  /** Gives it up, unless the message is in the queue already. The signal may come too early (core/blocking.ts): it is repeated. */
  cancel(): void {
    if (this.result !== undefined) return;
    if (!this.#running) this.#end(-ECANCELED);
    else if (native().cancelBlocking(this.#token) === 1) this.#timer = setTimeout(() => this.cancel(), REPEAT_MS);
  }
}
