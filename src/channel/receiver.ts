/** The receiving end of a channel, the same over every mechanism. */
import { checkOptions } from '../core/arguments.js';
import { closedError, timeoutError } from '../core/errors.js';
import {
  checkSignal,
  checkTimeout,
  pend,
  type Settle,
  type SyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
} from '../core/wait.js';
import { Waits } from '../core/waits.js';
import { traceOf } from '../core/trace.js';
import { type Closed, Closing } from './closing.js';
import type { Source, Traits, Visit } from './contract.js';

/** Messages that one batch holds at most, and that a single wake-up takes ahead. */
const BATCH = 1024;
const SLICE_MS = 50;
const trace = traceOf('channel');

interface Waiting {
  attempt(): boolean;
  reject(why: unknown): void;
}

/** Receives messages in the order in which they were sent. Made by `channel.receiver`, or part of a `Connection`. */
export class Receiver {
  /** The address that it was made with. */
  readonly url: string;
  /** What kind of channel this is. */
  readonly traits: Traits;
  /**
   * Resolves with the reason when the end was reached or this end was closed, and rejects when the
   * sender died or broke the rules. It may be left unobserved.
   */
  readonly closed: Promise<Closed>;
  readonly #source: Source;
  readonly #waits = new Waits();
  readonly #closing = new Closing();
  #ended = false;
  #failure: Error | undefined;
  #waiting: Waiting[] = [];
  #stopWaiting: (() => void) | undefined;

  /** @internal */
  constructor(url: string, traits: Traits, source: Source) {
    this.url = url;
    this.traits = traits;
    this.#source = source;
    this.closed = this.#closing.promise;
    trace('receiver', { url });
  }

  /** The next message if there is one; `undefined` = not now, `null` = the end. */
  tryReceive(): Uint8Array | undefined | null {
    if (this.#ended) return null;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#waiting.length > 0) return undefined;
    return this.#take();
  }

  #take(): Uint8Array | undefined | null {
    if (this.#ended) return null;
    try {
      const message = this.#source.take();
      if (message === null) this.#end();
      return message;
    } catch (why) {
      throw this.#fail(why as Error);
    }
  }

  /**
   * Waits for the next message; `null` is the end, after every message before it. An aborted wait
   * has taken none.
   *
   * @throws IpcError ECONNRESET (the sender died; every whole message before that was delivered),
   *   EBADMSG (what came is no message)
   */
  receive(options?: WaitOptions): Promise<Uint8Array | null> {
    return this.#wait(() => this.#take(), options);
  }

  /** As `receive`, blocking this thread. */
  receiveSync(options?: SyncWaitOptions): Uint8Array | null {
    checkOptions(options, ['timeoutMs']);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const message = this.tryReceive();
      if (message !== undefined) return message;
      const left = deadline - performance.now();
      if (left <= 0) throw timeoutError('receive', timeoutMs, { object: this.url });
      this.#source.waitReadable(Math.min(left, SLICE_MS));
    }
  }

  /** The messages that are there now, up to 1,024; `undefined` = none now, `null` = the end. */
  tryReceiveMany(): Uint8Array[] | undefined | null {
    return this.#waiting.length > 0 ? undefined : this.#takeMany();
  }

  #takeMany(): Uint8Array[] | undefined | null {
    if (this.#ended) return null;
    if (this.#failure !== undefined) throw this.#failure;
    const list: Uint8Array[] = [];
    try {
      const count = this.#source.takeMany(list, BATCH);
      if (count > 0) return list;
      if (count === 0) return undefined;
    } catch (why) {
      const failure = this.#fail(why as Error);
      // What came before the error is delivered first; the next call throws.
      if (list.length > 0) return list;
      throw failure;
    }
    this.#end();
    return null;
  }

  /** Waits until there are messages and takes all of them, up to 1,024; `null` = the end. */
  receiveMany(options?: WaitOptions): Promise<Uint8Array[] | null> {
    return this.#wait(() => this.#takeMany(), options);
  }

  /**
   * Visits the messages that are there now, in the channel's own memory: no message is copied and
   * nothing is allocated. Answers how many there were; `undefined` = none now, `null` = the end.
   *
   * @param visit gets the bytes, and where the message begins and ends in them; valid during the
   *   call. What it throws comes out here; the message it was called with counts as received.
   */
  tryDrain(visit: Visit): number | undefined | null {
    return this.#waiting.length > 0 ? undefined : this.#drain(visit);
  }

  #drain(visit: Visit): number | undefined | null {
    if (this.#ended) return null;
    if (this.#failure !== undefined) throw this.#failure;
    let inVisit = false;
    try {
      const count = this.#source.drain((bytes, start, end) => {
        inVisit = true;
        visit(bytes, start, end);
        inVisit = false;
      }, BATCH);
      if (count > 0) return count;
      if (count === 0) return undefined;
    } catch (why) {
      if (inVisit) throw why;
      throw this.#fail(why as Error);
    }
    this.#end();
    return null;
  }

  /** Waits until there are messages, then visits all that are there, as `tryDrain` does. */
  drain(visit: Visit, options?: WaitOptions): Promise<number | null> {
    return this.#wait(() => this.#drain(visit), options);
  }

  /** One message a time, until the end. Leaving the loop keeps the channel open. */
  messages(options?: { signal?: AbortSignal }): AsyncIterableIterator<Uint8Array> {
    return new Iteration(
      () => this.tryReceive(),
      () => this.receive(options),
    );
  }

  /** Arrays of messages, as many as there are each time, until the end. */
  batches(options?: { signal?: AbortSignal }): AsyncIterableIterator<Uint8Array[]> {
    return new Iteration(
      () => this.tryReceiveMany(),
      () => this.receiveMany(options),
    );
  }

  /** `for await (const message of receiver)`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return this.messages();
  }

  #wait<T>(attempt: () => T | undefined, options: WaitOptions | undefined): Promise<T> {
    try {
      if (options !== undefined) {
        checkOptions(options, WAIT_OPTIONS);
        checkSignal(options.signal);
      }
      const timeoutMs = checkTimeout(options?.timeoutMs);
      if (this.#failure !== undefined && !this.#ended) throw this.#failure;
      if (this.#waiting.length === 0) {
        const now = attempt();
        if (now !== undefined) return Promise.resolve(now);
      }
      if (timeoutMs === 0) throw timeoutError('receive', 0, { object: this.url });
      const awaited = { syscall: 'receive', subject: { object: this.url } };
      return pend<T>(this.#waits, options, awaited, (settle) => {
        const entry = waitingFor(attempt, settle);
        this.#waiting.push(entry);
        this.#listen();
        return (why) => {
          const at = this.#waiting.indexOf(entry);
          if (at >= 0) this.#waiting.splice(at, 1);
          if (this.#waiting.length === 0) this.#stopListening();
          settle.reject(why);
        };
      });
    } catch (why) {
      return Promise.reject(why);
    }
  }

  #listen(): void {
    if (this.#stopWaiting !== undefined) return;
    const stop = this.#source.whenReadable(this.#onReadable);
    if (stop === undefined) {
      const soon = setImmediate(this.#onReadable);
      this.#stopWaiting = () => clearImmediate(soon);
    } else {
      this.#stopWaiting = stop;
    }
  }

  #stopListening(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
  }

  readonly #onReadable = (): void => {
    this.#stopWaiting = undefined;
    while (this.#waiting.length > 0) {
      if (!(this.#waiting[0] as Waiting).attempt()) break;
      this.#waiting.shift();
    }
    if (this.#waiting.length > 0) this.#listen();
  };

  #end(): void {
    this.#ended = true;
    this.#closing.end();
  }

  #fail(why: Error): Error {
    if (this.#failure === undefined) {
      this.#failure = why;
      this.#closing.fail(why);
    }
    return this.#failure;
  }

  /** Told by the mechanism that the sender is gone: what it had sent is delivered first. @internal */
  peerGone(why: Error | undefined): void {
    if (why !== undefined && !this.#ended) this.#closing.fail(why);
    if (this.#waiting.length > 0) {
      this.#stopListening();
      this.#onReadable();
    }
  }

  /** Gives everything back; what was not received stays where the mechanism retains, and is lost where not. */
  async close(): Promise<void> {
    if (this.#closing.begun) return this.#closing.released;
    const end = this.#closing.begin();
    const ended = this.#ended;
    this.#shut();
    await this.#source.release(ended);
    end('closed');
  }

  /** As `close()`, without waiting. */
  destroy(): void {
    void this.close();
  }

  #shut(): void {
    const why = closedError(`the receiver ${this.url}`);
    this.#ended = false;
    this.#failure = why;
    this.#stopListening();
    for (const entry of this.#waiting.splice(0)) entry.reject(why);
  }

  /** `await using receiver = …` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** From now on a wait keeps the process alive (the state at the beginning). */
  ref(): this {
    this.#waits.referenced = true;
    return this;
  }

  /** From now on a wait does not keep the process alive. */
  unref(): this {
    this.#waits.referenced = false;
    return this;
  }

  /** Whether a wait keeps the process alive. */
  hasRef(): boolean {
    return this.#waits.referenced;
  }
}

/** An attempt that settles the wait when it succeeds or throws; false = not now. */
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

/**
 * The iterators. An async generator would cost two more turns of the microtask queue for each
 * value than this does.
 */
class Iteration<T> implements AsyncIterableIterator<T> {
  readonly #now: () => T | undefined | null;
  readonly #later: () => Promise<T | null>;
  #over = false;

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
