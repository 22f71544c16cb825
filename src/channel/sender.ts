/** The sending end of a channel, the same over every mechanism. */
import { checkBytes } from '../core/arguments.js';
import { codedError, closedError, rangeError, timeoutError } from '../core/errors.js';
import { checkSignal, checkTimeout, pend, type Settle, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import { Waits } from '../core/waits.js';
import { traceOf } from '../core/trace.js';
import { Closing } from './closing.js';
import { LONGEST_MESSAGE, type SenderOptions, type Sink, type Traits } from './contract.js';

const DONE: Promise<void> = Promise.resolve();
const DEFAULT_HIGH_WATER_MARK = 1 << 20;
const SLICE_MS = 50;
const trace = traceOf('channel');

/** A message that waits for room. */
interface Queued {
  readonly message: Uint8Array;
  /** Bytes of it that were taken: from the first on it cannot be abandoned. */
  from: number;
  readonly settle: Settle<void>;
}

/** Sends messages of 0 to 64 MiB. Made by `channel.sender`, or part of a `Connection`. */
export class Sender {
  /** The address that it was made with. */
  readonly url: string;
  /** What kind of channel this is. */
  readonly traits: Traits;
  /**
   * Resolves with the reason when this end was closed, and rejects when the channel broke: the
   * receiver died, or a flush failed. It may be left unobserved.
   */
  readonly closed: Promise<Closed>;
  readonly #sink: Sink;
  readonly #coalesce: boolean;
  readonly #highWaterMark: number;
  readonly #waits = new Waits();
  readonly #closing = new Closing();
  /** Whether `send` may go straight to the sink: open, and nobody waits before. */
  #direct = true;
  #failure: Error | undefined;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #scheduled = false;
  #stopWaiting: (() => void) | undefined;
  #flushes: Settle<void>[] = [];
  #ending: Settle<void> | undefined;
  #claimed = false;

  /** @internal */
  constructor(url: string, traits: Traits, sink: Sink, options: SenderOptions = {}) {
    this.url = url;
    this.traits = traits;
    this.#sink = sink;
    this.#coalesce = options.coalesce ?? true;
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.closed = this.#closing.promise;
    trace('sender', { url });
  }

  /**
   * Takes the message at once or not at all: false means that there is no room, or that earlier
   * sends wait. The bytes may be reused in either case. It leaves at the end of this turn of the
   * event loop, or with `flush()`.
   *
   * @throws RangeError for a message that never fits at once: `send()` splits it
   */
  trySend(message: Uint8Array): boolean {
    if (!(message instanceof Uint8Array)) checkBytes('message', message);
    if (!this.#direct) {
      if (this.#failure !== undefined) throw this.#failure;
      return false;
    }
    if (message.length > this.#sink.wholeLimit) this.#refuseWhole(message.length);
    try {
      if (!this.#sink.offer(message)) {
        this.#publish();
        return false;
      }
    } catch (why) {
      this.#break(why as Error);
      throw why;
    }
    if (this.#coalesce) {
      if (!this.#scheduled) this.#schedule();
    } else {
      this.#publish();
      if (this.#failure !== undefined) throw this.#failure;
    }
    return true;
  }

  #refuseWhole(length: number): never {
    if (length > LONGEST_MESSAGE) {
      throw rangeError(`a message is at most ${LONGEST_MESSAGE} bytes, got ${length}`);
    }
    throw rangeError(
      `over ${this.url} at most ${this.#sink.wholeLimit} bytes can be taken at once, got ${length}; send() splits longer ones`,
    );
  }

  /**
   * Sends a message: resolves when the channel has taken it, which waits while it is full. The
   * bytes may be reused then. An abort or time-out withdraws it unless a part has left already;
   * then it is sent.
   *
   * @param message 0 to 64 MiB
   * @throws IpcError EPIPE (the receiver is gone), `ERR_INTERPROC_BACKPRESSURE` (more than
   *   `highWaterMark` bytes of sends wait un-awaited), `ERR_INTERPROC_CLOSED`
   */
  send(message: Uint8Array, options?: WaitOptions): Promise<void> {
    try {
      if (options !== undefined) checkSignal(options.signal);
      const long = message.length > this.#sink.wholeLimit;
      if (!long && this.trySend(message)) return DONE;
      return this.#enqueue(message, options);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  #enqueue(message: Uint8Array, options: WaitOptions | undefined): Promise<void> {
    checkBytes('message', message);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#claimed) throw new TypeError('claimed room must be committed or aborted before anything else is sent');
    if (message.length > LONGEST_MESSAGE) this.#refuseWhole(message.length);
    if (this.#queue.length > 0 && this.#queuedBytes + message.length > this.#highWaterMark) {
      throw codedError(
        'ERR_INTERPROC_BACKPRESSURE',
        `${this.#queuedBytes} bytes of sends wait already and highWaterMark is ${this.#highWaterMark}: await send() before sending more`,
      );
    }
    const awaited = { syscall: 'send', subject: { object: this.url } };
    const timeoutMs = checkTimeout(options?.timeoutMs);
    const sent = pend<void>(this.#waits, options, awaited, (settle) => {
      const entry: Queued = { message, from: 0, settle };
      this.#queue.push(entry);
      this.#queuedBytes += message.length;
      this.#direct = false;
      if (this.#queue.length === 1) this.#pump();
      return (why) => {
        if (entry.from > 0 && this.#failure === undefined) return;
        this.#withdraw(entry);
        settle.reject(why);
      };
    });
    if (timeoutMs === 0) {
      const entry = this.#queue.at(-1);
      if (entry?.message === message && entry.from === 0) {
        this.#withdraw(entry);
        entry.settle.reject(timeoutError('send', 0, awaited.subject));
      }
    }
    return sent;
  }

  #withdraw(entry: Queued): void {
    const at = this.#queue.indexOf(entry);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#queuedBytes -= entry.message.length;
    this.#direct = this.#queue.length === 0 && this.#failure === undefined && this.#ending === undefined;
  }

  /** Sends several messages in order; as `send` for each, resolved when the last was taken. */
  async sendMany(messages: Iterable<Uint8Array>, options?: WaitOptions): Promise<void> {
    for (const message of messages) {
      const sent = this.send(message, options);
      if (sent !== DONE) await sent;
    }
  }

  /** As `send`, blocking this thread; a long message that has begun to leave is completed first. */
  sendSync(message: Uint8Array, options?: SyncWaitOptions): void {
    checkBytes('message', message);
    if (this.#queue.length > 0) throw codedError('ERR_INTERPROC_BACKPRESSURE', 'asynchronous sends wait: await them first');
    if (this.#failure !== undefined) throw this.#failure;
    if (message.length > LONGEST_MESSAGE) this.#refuseWhole(message.length);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    const deadline = performance.now() + timeoutMs;
    let from = 0;
    try {
      for (;;) {
        if (message.length <= this.#sink.wholeLimit) {
          if (this.#sink.offer(message)) break;
        } else {
          from = this.#sink.offerPart(message, from);
          if (from === message.length) break;
        }
        this.#sink.publish();
        const left = from > 0 ? SLICE_MS : deadline - performance.now();
        if (left <= 0) throw timeoutError('send', timeoutMs, { object: this.url });
        this.#sink.waitWritable(Math.min(left, SLICE_MS));
      }
      if (this.#coalesce) this.#schedule();
      else this.#publish();
    } catch (why) {
      if ((why as { code?: string }).code !== 'ETIMEDOUT') this.#break(why as Error);
      throw why;
    }
  }

  /**
   * Room for a message in the channel's own memory, where it is shared memory: write it there,
   * then `commit()`, and nothing is copied. `undefined` if there is no room now. One claim at a
   * time; nothing else may be sent before `commit()` or `abort()`.
   *
   * @throws TypeError where the way is not shared memory
   */
  claim(size: number): Uint8Array | undefined {
    if (this.#sink.claim === undefined) throw new TypeError(`${this.url} is not shared memory: use send()`);
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#direct || this.#claimed) return undefined;
    if (size > this.#sink.wholeLimit) this.#refuseWhole(size);
    const room = this.#sink.claim(size);
    if (room !== undefined) {
      this.#claimed = true;
      this.#direct = false;
    }
    return room;
  }

  /** The claimed room is a message now, of its first `length` bytes if that is given. */
  commit(length?: number): void {
    if (!this.#claimed) throw new TypeError('commit() without a claim()');
    this.#sink.commit?.(length ?? -1);
    this.abort();
    if (this.#coalesce) this.#schedule();
    else this.#publish();
  }

  /** Gives claimed room back: there is no message. */
  abort(): void {
    this.#claimed = false;
    this.#direct = this.#queue.length === 0 && this.#failure === undefined && this.#ending === undefined;
  }

  /** Resolves when everything sent so far is published: in the ring, the pipe, the queue, the file. */
  flush(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#publish();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#queue.length === 0 && this.#stopWaiting === undefined) return DONE;
    return pend<void>(this.#waits, undefined, { syscall: 'flush' }, (settle) => {
      this.#flushes.push(settle);
      return (why) => settle.reject(why);
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#endOfTurn);
  }

  readonly #endOfTurn = (): void => {
    this.#scheduled = false;
    if (this.#failure === undefined) this.#publish();
  };

  #publish(): void {
    try {
      if (!this.#sink.publish()) this.#awaitRoom();
    } catch (why) {
      this.#break(why as Error);
    }
  }

  #awaitRoom(): void {
    if (this.#stopWaiting !== undefined) return;
    const waiting = { stop: undefined as (() => void) | undefined };
    const cancel = (): void => waiting.stop?.();
    this.#stopWaiting = () => {
      this.#stopWaiting = undefined;
      this.#waits.endWait(cancel);
      waiting.stop?.();
    };
    this.#waits.beginWait(cancel);
    waiting.stop = this.#sink.whenWritable(this.#onRoom);
    if (waiting.stop === undefined) setImmediate(this.#onRoom);
  }

  readonly #onRoom = (): void => {
    if (this.#stopWaiting === undefined) return;
    this.#stopWaiting();
    this.#pump();
  };

  /** Takes what waits as far as there is room, publishes, and waits again for the rest. */
  #pump(): void {
    if (this.#failure !== undefined) return;
    try {
      while (this.#queue.length > 0) {
        const first = this.#queue[0] as Queued;
        if (first.message.length <= this.#sink.wholeLimit) {
          if (!this.#sink.offer(first.message)) break;
        } else {
          first.from = this.#sink.offerPart(first.message, first.from);
          if (first.from < first.message.length) break;
        }
        this.#queue.shift();
        this.#queuedBytes -= first.message.length;
        first.settle.resolve();
      }
      let endTaken = true;
      if (this.#queue.length === 0 && this.#ending !== undefined) endTaken = this.#sink.offerEnd();
      const published = this.#sink.publish();
      if (this.#queue.length > 0 || !published || !endTaken) {
        this.#awaitRoom();
        return;
      }
      this.#direct = this.#ending === undefined;
      for (const settle of this.#flushes.splice(0)) settle.resolve();
      this.#ending?.resolve();
    } catch (why) {
      this.#break(why as Error);
    }
  }

  /** The channel cannot go on: everything that waits, and every later call, gets the reason. @internal */
  #break(why: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = why;
    this.#direct = false;
    this.#stopWaiting?.();
    for (const entry of this.#queue.splice(0)) entry.settle.reject(why);
    for (const settle of this.#flushes.splice(0)) settle.reject(why);
    this.#ending?.reject(why);
    this.#closing.fail(why);
  }

  /** Told by the mechanism that nobody receives any more. @internal */
  peerGone(why: Error | undefined): void {
    if (why !== undefined && this.#ending === undefined) this.#break(why);
  }

  /**
   * Sends what waits, then the mark that nothing follows, and gives everything back. Rejects if
   * that could not be sent: `destroy()` does not try.
   */
  async close(): Promise<void> {
    if (this.#closing.begun) return this.#closing.released;
    const end = this.#closing.begin();
    try {
      if (this.#failure === undefined) {
        await pend<void>(this.#waits, undefined, { syscall: 'close' }, (settle) => {
          this.#ending = settle;
          this.#direct = false;
          this.#pump();
          return (why) => settle.reject(why);
        });
      }
    } finally {
      const ended = this.#failure === undefined;
      this.#shut();
      await this.#sink.release(ended);
      end('closed');
    }
  }

  /** Gives everything back at once: what was not published is dropped, no end mark is sent. Ends a `close()` that waits. */
  destroy(): void {
    if (this.#closing.begun) {
      if (this.#failure === undefined) this.#break(closedError(`the sender ${this.url}`));
      return;
    }
    const end = this.#closing.begin();
    this.#shut();
    void Promise.resolve(this.#sink.release(false)).then(() => end('destroyed'));
  }

  #shut(): void {
    const why = closedError(`the sender ${this.url}`);
    this.#direct = false;
    this.#failure ??= why;
    this.#stopWaiting?.();
    for (const entry of this.#queue.splice(0)) entry.settle.reject(why);
    for (const settle of this.#flushes.splice(0)) settle.reject(why);
  }

  /** `await using sender = …` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** From now on a send that waits keeps the process alive (the state at the beginning). */
  ref(): this {
    this.#waits.referenced = true;
    return this;
  }

  /** From now on a send that waits does not keep the process alive. */
  unref(): this {
    this.#waits.referenced = false;
    return this;
  }

  /** Whether a send that waits keeps the process alive. */
  hasRef(): boolean {
    return this.#waits.referenced;
  }
}

/** How an end of a channel came to its end: see `closed`. */
export interface Closed {
  /** 'closed': by `close()`; 'destroyed': by `destroy()`; 'end': the sender's last message was received. */
  reason: 'closed' | 'destroyed' | 'end';
}
