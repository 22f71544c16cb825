/** Handlers in JavaScript: one receiver for each signal in this thread, which calls all handlers of the signal. */
import { AsyncResource } from 'node:async_hooks';
import { POLLIN } from '../sys/index.js';
import { argumentError } from '../core/errors.js';
import { Handle } from '../core/handle.js';
import { keepAlive, letGo } from '../core/loop.js';
import { onceReady } from '../core/readiness.js';
import { type Disposition, disposition } from './disposition.js';
import type { SignalEvent } from './event.js';
import { type SignalName, toName, toNumber } from './names.js';
import { open, type SignalReceiver } from './receive.js';

/** What is called for a signal. */
export type SignalCallback = (event: SignalEvent) => void;

/** After so many in one turn the event loop goes on with others. */
const MOST_IN_A_TURN = 64;

/** What one handler throws is an uncaughtException, and the others are called all the same. */
function callApart(callback: SignalCallback, event: SignalEvent): void {
  try {
    callback(event);
  } catch (why) {
    queueMicrotask(() => {
      throw why;
    });
  }
}

/** The handlers of one signal in this thread, in the order in which they were added. */
class Dispatcher {
  readonly handlers = new Set<SignalHandler>();
  readonly #receiver: SignalReceiver;
  #forget: () => void = () => {};

  constructor(number: number) {
    this.#receiver = open(number);
    this.#watch();
  }

  close(): void {
    this.#forget();
    this.#receiver.close();
  }

  #watch(): void {
    this.#forget = onceReady(this.#receiver.fd, POLLIN, () => this.#deliver());
  }

  #deliver(): void {
    for (let left = MOST_IN_A_TURN; left > 0 && !this.#receiver.closed; left--) {
      const event = this.#receiver.tryReceive();
      if (event === undefined) break;
      for (const handler of [...this.handlers]) callApart(handler.call, event);
    }
    if (!this.#receiver.closed) this.#watch();
  }
}

const dispatchers = new Map<number, Dispatcher>();

function dispatcherOf(number: number): Dispatcher {
  let found = dispatchers.get(number);
  if (found === undefined) {
    found = new Dispatcher(number);
    dispatchers.set(number, found);
  }
  return found;
}

/** A handler of a signal, until it is closed. Made by `handle`. */
export class SignalHandler extends Handle {
  /** What the process did at this signal before. */
  readonly previous: Disposition;
  readonly #number: number;
  readonly #callback: SignalCallback;
  #referenced = true;

  /** @internal */
  constructor(number: number, callback: SignalCallback) {
    super();
    this.#number = number;
    this.#callback = AsyncResource.bind(callback);
    this.previous = disposition(number);
    dispatcherOf(number).handlers.add(this);
    keepAlive();
  }

  /** From now on the handler keeps the process alive (the state at the beginning). */
  override ref(): this {
    if (!this.closed && !this.#referenced) keepAlive();
    this.#referenced = true;
    return this;
  }

  /** From now on the handler does not keep the process alive. */
  override unref(): this {
    if (!this.closed && this.#referenced) letGo();
    this.#referenced = false;
    return this;
  }

  /** Whether the handler keeps the process alive. */
  override hasRef(): boolean {
    return this.#referenced;
  }

  /** @internal */
  readonly call = (event: SignalEvent): void => {
    if (!this.closed) this.#callback(event);
  };

  describe(): string {
    return `the handler of ${toName(this.#number)}`;
  }

  protected onClose(): void {
    if (this.#referenced) letGo();
    const dispatcher = dispatchers.get(this.#number);
    dispatcher?.handlers.delete(this);
    if (dispatcher === undefined || dispatcher.handlers.size > 0) return;
    dispatchers.delete(this.#number);
    dispatcher.close();
  }

  protected override details(): Record<string, unknown> {
    return { signal: toName(this.#number), previous: this.previous };
  }
}

/**
 * Calls `callback` for each such signal that arrives, in a turn of the event loop, with how it was sent, by whom
 * and with what (sigaction(2) with SA_SIGINFO), until the handler is closed; then the signal does what it did before.
 *
 * Several handlers of a signal are called in the order in which they were added, and the listeners of
 * `process.on` as before. What `callback` throws is an `uncaughtException`. An open handler keeps the process
 * alive unless it is `unref()`ed. A handler of a standard signal can be in any worker; a real-time signal belongs
 * to one thread.
 *
 * @throws TypeError for a signal that is reserved or a fault, with a hint that says what to do instead; IpcError
 *   EINVAL for SIGKILL and SIGSTOP, EBUSY if a receiver or another worker has the real-time signal
 * @example
 * using reload = signal.handle('SIGHUP', ({ pid }) => readConfiguration(`asked by ${pid}`));
 */
export function handle(sig: SignalName | number, callback: SignalCallback): SignalHandler {
  if (typeof callback !== 'function') throw argumentError(`a handler is a function, got ${String(callback)}`);
  return new SignalHandler(toNumber(sig), callback);
}
