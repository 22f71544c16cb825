/** The sending end of a channel, the same over every mechanism. */
import { checkBytes, checkInteger } from '../core/arguments.js';
import { argumentError, closedError, codedError, rangeError, timeoutError } from '../core/errors.js';
import { checkSyncWait, checkTimeout, checkWait, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import { LONGEST_MESSAGE, type SenderOptions, type Sink, type Traits } from './contract.js';
import { ChannelEnd } from './end.js';
import { offerRest, Outbox } from './outbox.js';

const DONE: Promise<void> = Promise.resolve();
const DEFAULT_HIGH_WATER_MARK = 1 << 20;
const SLICE_MS = 50;

/** Sends messages of 0 to 64 MiB. Made by `channel.sender`, or part of a `Connection`. */
export class Sender extends ChannelEnd {
  readonly #sink: Sink;
  readonly #outbox: Outbox;
  readonly #coalesce: boolean;
  readonly #highWaterMark: number;
  /** Whether a message may go straight to the sink: open, nothing claimed, and nobody waits before. */
  #direct = true;
  #failure: Error | undefined;
  #scheduled = false;
  /** The size of the room that is claimed. */
  #claimed: number | undefined;

  /** @internal */
  constructor(url: string, traits: Traits, sink: Sink, options: SenderOptions = {}) {
    super(url, traits, 'sender');
    this.#sink = sink;
    this.#outbox = new Outbox(sink, this, {
      fewer: () => this.#mayGoOn(),
      broke: (why) => this.#break(why),
    });
    this.#coalesce = options.coalesce ?? true;
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
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
        this.#outbox.publish();
        return false;
      }
    } catch (why) {
      this.#break(why as Error);
      throw why;
    }
    this.#leave();
    return true;
  }

  /** What was taken becomes visible: at the end of this turn, or at once. */
  #leave(): void {
    if (this.#coalesce) {
      if (!this.#scheduled && this.#sink.idle !== true) this.#schedule();
    } else {
      this.#outbox.publish();
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  /** Throws why nothing can be sent any more, if so. */
  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.closing.begun) throw this.#closedError();
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
    const { length, bytes } = this.#outbox;
    if (length > 0 && bytes + message.length > this.#highWaterMark) {
      throw codedError(
        'ERR_INTERPROC_BACKPRESSURE',
        `${bytes} bytes of sends wait already and highWaterMark is ${this.#highWaterMark}: await send() before sending more`,
      );
    }
    this.#direct = false;
    return this.#outbox.send(message, options, { syscall: 'send', subject: { object: this.url } });
  }

  /** Throws unless this is a message that can be sent now, behind those that wait. */
  #checkFree(message: Uint8Array): void {
    checkBytes('message', message);
    this.#checkOpen();
    if (this.#claimed !== undefined)
      throw argumentError('claimed room must be committed or aborted before anything else is sent');
    if (message.length > LONGEST_MESSAGE) this.#refuseWhole(message.length);
  }

  /** Messages may go straight to the sink again, if nothing stands in the way. */
  #mayGoOn(): void {
    const open = this.#failure === undefined && !this.closing.begun;
    this.#direct = open && this.#claimed === undefined && this.#outbox.length === 0;
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
    if (options !== undefined) checkSyncWait(options);
    this.#checkFree(message);
    if (this.#outbox.length > 0) {
      throw codedError('ERR_INTERPROC_BACKPRESSURE', 'asynchronous sends wait: await them first');
    }
    try {
      this.#offerSync(message, checkTimeout(options?.timeoutMs));
      this.#leave();
    } catch (why) {
      if ((why as { code?: string }).code !== 'ETIMEDOUT') this.#break(why as Error);
      throw why;
    }
  }

  #offerSync(message: Uint8Array, timeoutMs: number): void {
    const deadline = performance.now() + timeoutMs;
    for (const part = { message, from: 0 }; !offerRest(this.#sink, part); ) {
      this.#sink.publish();
      const left = part.from > 0 ? SLICE_MS : deadline - performance.now();
      if (left <= 0) throw timeoutError('send', timeoutMs, { object: this.url });
      this.#sink.waitWritable(Math.min(left, SLICE_MS));
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
      this.#claimed = size;
      this.#direct = false;
    }
    return room;
  }

  /** The claimed room is a message now, of its first `length` bytes if that is given. */
  commit(length?: number): void {
    if (this.#claimed === undefined) throw argumentError('commit() without a claim()');
    if (length !== undefined) checkInteger('length', length, 0, this.#claimed);
    this.#sink.commit?.(length ?? this.#claimed);
    this.abort();
    this.#leave();
  }

  /** Gives claimed room back: there is no message. */
  abort(): void {
    this.#claimed = undefined;
    this.#mayGoOn();
  }

  /** Resolves when everything sent so far is published: in the ring, the pipe, the queue, the file. */
  flush(): Promise<void> {
    if (this.#failure === undefined) this.#outbox.publish();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#outbox.flushed() ?? DONE;
  }

  #schedule(): void {
    this.#scheduled = true;
    setImmediate(this.#endOfTurn);
  }

  readonly #endOfTurn = (): void => {
    this.#scheduled = false;
    if (this.#failure === undefined) this.#outbox.publish();
  };

  /** The channel cannot go on: everything that waits, and every later call, gets the reason. */
  #break(why: Error): void {
    if (this.#failure !== undefined) return;
    this.#shut(why);
    this.closing.fail(why);
    this.#sink.broken?.();
  }

  /** Told by the mechanism that nobody receives any more. A receiver may leave once it can have had the end. @internal */
  peerGone(why: Error | undefined): void {
    if (why !== undefined && !this.#outbox.endTaken) this.#break(why);
  }

  /**
   * Sends what waits, then the mark that nothing follows, and gives everything back. Rejects if
   * that could not be sent: `destroy()` does not try.
   */
  async close(): Promise<void> {
    if (this.closing.begun) return this.closing.released;
    const end = this.closing.begin();
    this.#direct = false;
    try {
      if (this.#failure === undefined) await this.#outbox.end();
    } finally {
      const ended = this.#failure === undefined;
      this.#shut(this.#closedError());
      await this.#sink.release(ended);
      end('closed');
    }
  }

  /** Gives everything back at once: what was not published is dropped, no end mark is sent. Ends a `close()` that waits. */
  destroy(): void {
    if (this.closing.begun) {
      this.#break(this.#closedError());
      return;
    }
    const end = this.closing.begin();
    this.#shut(this.#closedError());
    void Promise.resolve(this.#sink.release(false)).then(() => end('destroyed'));
  }

  #shut(why: Error): void {
    this.#direct = false;
    this.#failure ??= why;
    this.#outbox.reject(why);
  }

  #closedError(): Error {
    return closedError(`the sender ${this.url}`);
  }
}
