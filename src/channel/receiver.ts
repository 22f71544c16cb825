/** The receiving end of a channel, the same over every mechanism. */
import { closedError, timeoutError } from '../core/errors.js';
import { checkSyncWait, checkTimeout, checkWait, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import type { Source, Traits, Visit } from './contract.js';
import { ChannelEnd } from './end.js';
import { Inbox } from './inbox.js';
import { Iteration } from './iteration.js';

/** Messages that one batch holds at most, and that a single wake-up takes ahead. */
const BATCH = 1024;
const SLICE_MS = 50;

/**
 * Receives messages in the order in which they were sent, each as a Buffer of its own bytes. Made by
 * `channel.receiver`, or part of a `Connection`.
 */
export class Receiver extends ChannelEnd {
  readonly #source: Source;
  readonly #inbox: Inbox;
  #ended = false;
  #failure: Error | undefined;

  /** @internal */
  constructor(url: string, traits: Traits, source: Source) {
    super(url, traits, 'receiver');
    this.#source = source;
    this.#inbox = new Inbox(source, this);
  }

  /** The next message if there is one; `undefined` = not now, `null` = the end. */
  tryReceive(): Buffer | undefined | null {
    if (this.#ended) return null;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#inbox.awaited) return undefined;
    return this.#take();
  }

  #take(): Buffer | undefined | null {
    if (this.#ended) return null;
    try {
      const message = this.#source.take() as Buffer | undefined | null;
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
  receive(options?: WaitOptions): Promise<Buffer | null> {
    return this.#wait(() => this.#take(), options);
  }

  /** As `receive`, blocking this thread. */
  receiveSync(options?: SyncWaitOptions): Buffer | null {
    if (options !== undefined) checkSyncWait(options);
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
  tryReceiveMany(): Buffer[] | undefined | null {
    return this.#inbox.awaited ? undefined : this.#takeMany();
  }

  #takeMany(): Buffer[] | undefined | null {
    if (this.#ended) return null;
    if (this.#failure !== undefined) throw this.#failure;
    const list: Buffer[] = [];
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
  receiveMany(options?: WaitOptions): Promise<Buffer[] | null> {
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
    return this.#inbox.awaited ? undefined : this.#drain(visit);
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
  messages(options?: { signal?: AbortSignal }): AsyncIterableIterator<Buffer> {
    return new Iteration(
      () => this.tryReceive(),
      () => this.receive(options),
    );
  }

  /** Arrays of messages, as many as there are each time, until the end. */
  batches(options?: { signal?: AbortSignal }): AsyncIterableIterator<Buffer[]> {
    return new Iteration(
      () => this.tryReceiveMany(),
      () => this.receiveMany(options),
    );
  }

  /** `for await (const message of receiver)`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return this.messages();
  }

  #wait<T>(attempt: () => T | undefined, options: WaitOptions | undefined): Promise<T> {
    try {
      if (options !== undefined) checkWait(options);
      if (this.#failure !== undefined && !this.#ended) throw this.#failure;
      if (!this.#inbox.awaited) {
        const now = attempt();
        if (now !== undefined) return Promise.resolve(now);
      }
      if (options?.timeoutMs === 0) throw timeoutError('receive', 0, { object: this.url });
      return this.#inbox.wait(attempt, options, { syscall: 'receive', subject: { object: this.url } });
    } catch (why) {
      return Promise.reject(why);
    }
  }

  #end(): void {
    this.#ended = true;
    this.closing.end();
  }

  #fail(why: Error): Error {
    if (this.#failure === undefined) {
      this.#failure = why;
      this.closing.fail(why);
      this.#source.broken?.();
    }
    return this.#failure;
  }

  /** Told by the mechanism that the sender is gone: what it had sent is delivered first. @internal */
  peerGone(why: Error | undefined): void {
    if (why !== undefined && !this.#ended) this.closing.fail(why);
    this.#inbox.serve();
  }

  /** Gives everything back; what was not received stays where the mechanism retains, and is lost where not. */
  async close(): Promise<void> {
    if (this.closing.begun) return this.closing.released;
    const end = this.closing.begin();
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
    this.#inbox.rejectAll(why);
  }
}
