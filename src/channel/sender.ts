/** The sending end of a channel, the same over every mechanism. */
import { checkBytes, checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError, closedError, codedError, rangeError, timeoutError } from '../core/errors.js';
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
import { LONGEST_MESSAGE, type SenderOptions, type Sink, type Traits } from './contract.js';
import { SendQueue } from './queue.js';

const DONE: Promise<void> = Promise.resolve();
const DEFAULT_HIGH_WATER_MARK = 1 << 20;
const SLICE_MS = 50;
const trace = traceOf('channel');

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
  readonly #queue = new SendQueue();
  #scheduled = false;
  #stopWaiting: (() => void) | undefined;
  #flushes: Settle<void>[] = [];
  #ending: Settle<void> | undefined;
  #endTaken = false;
  #claimed = false;
  #claimedSize = 0;

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
      this.#checkOpen();
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
      if (!this.#scheduled && this.#sink.idle !== true) this.#schedule();
    } else {
      this.#publish();
      if (this.#failure !== undefined) throw this.#failure;
    }
    return true;
  }

  /** Throws why nothing can be sent any more, if so. */
  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing.begun) throw closedError(`the sender ${this.url}`);
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
      if (options !== undefined) checkWait(options);
      if (!(message?.length > this.#sink.wholeLimit) && this.trySend(message)) return DONE;
      return this.#enqueue(message, options);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  #enqueue(message: Uint8Array, options: WaitOptions | undefined): Promise<void> {
    this.#checkFree(message);
    if (this.#queue.length > 0 && this.#queue.bytes + message.length > this.#highWaterMark) {
      throw codedError(
        'ERR_INTERPROC_BACKPRESSURE',
        `${this.#queue.bytes} bytes of sends wait already and highWaterMark is ${this.#highWaterMark}: await send() before sending more`,
      );
    }
    const awaited = { syscall: 'send', subject: { object: this.url } };
    return pend<void>(this.#waits, options, awaited, (settle) => {
      const entry = this.#queue.add(message, settle);
      this.#direct = false;
      if (this.#queue.length === 1) this.#pump();
      const giveUp = (why: Error): void => {
        // What has begun is completed; the end of the channel has rejected it already.
        if (entry.from > 0 || !this.#queue.withdraw(entry)) return;
        this.#direct = this.#isFree();
        settle.reject(why);
      };
      if (options?.timeoutMs === 0) giveUp(timeoutError(awaited.syscall, 0, awaited.subject));
      return giveUp;
    });
  }

  /** Throws unless this is a message that can be sent now, behind those that wait. */
  #checkFree(message: Uint8Array): void {
    checkBytes('message', message);
    this.#checkOpen();
    if (this.#claimed) throw argumentError('claimed room must be committed or aborted before anything else is sent');
    if (message.length > LONGEST_MESSAGE) this.#refuseWhole(message.length);
  }

  /** Whether nothing waits or stands in the way. */
  #isFree(): boolean {
    return this.#queue.length === 0 && this.#failure === undefined && !this.#closing.begun && !this.#claimed;
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
    checkOptions(options, ['timeoutMs']);
    this.#checkFree(message);
    if (this.#queue.length > 0)
      throw codedError('ERR_INTERPROC_BACKPRESSURE', 'asynchronous sends wait: await them first');
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
    if (this.#sink.claim === undefined) throw argumentError(`${this.url} is not shared memory: use send()`);
    this.#checkOpen();
    checkInteger('size', size, 0, this.#sink.wholeLimit);
    if (!this.#direct) return undefined;
    const room = this.#sink.claim(size);
    if (room !== undefined) {
      this.#claimed = true;
      this.#claimedSize = size;
      this.#direct = false;
    }
    return room;
  }

  /** The claimed room is a message now, of its first `length` bytes if that is given. */
  commit(length?: number): void {
    if (!this.#claimed) throw argumentError('commit() without a claim()');
    if (length !== undefined) checkInteger('length', length, 0, this.#claimedSize);
    this.#sink.commit?.(length ?? this.#claimedSize);
    this.abort();
    if (this.#coalesce) this.#schedule();
    else this.#publish();
  }

  /** Gives claimed room back: there is no message. */
  abort(): void {
    this.#claimed = false;
    this.#direct = this.#isFree();
  }

  /** Resolves when everything sent so far is published: in the ring, the pipe, the queue, the file. */
  flush(): Promise<void> {
    if (this.#failure === undefined) this.#publish();
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
      for (let first = this.#queue.first; first !== undefined; first = this.#queue.first) {
        if (first.message.length <= this.#sink.wholeLimit) {
          if (!this.#sink.offer(first.message)) break;
        } else {
          first.from = this.#sink.offerPart(first.message, first.from);
          if (first.from < first.message.length) break;
        }
        this.#queue.shift();
      }
      // The mark is offered until it is taken, and never again.
      if (this.#queue.length === 0 && this.#ending !== undefined && !this.#endTaken)
        this.#endTaken = this.#sink.offerEnd();
      const published = this.#sink.publish();
      if (this.#queue.length > 0 || !published || (this.#ending !== undefined && !this.#endTaken)) {
        this.#awaitRoom();
        return;
      }
      this.#direct = this.#isFree();
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
    this.#queue.rejectAll(why);
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
    this.#queue.rejectAll(why);
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

function checkWait(options: WaitOptions): void {
  checkOptions(options, WAIT_OPTIONS);
  checkSignal(options.signal);
  checkTimeout(options.timeoutMs);
}
