/**
 * What a channel has taken and cannot let go yet: sends that wait for room, flushes that wait for
 * them, the end mark behind all of it. It leaves in this order as there is room.
 */
import { type Awaited, pend, type Settle, type WaitOptions, type WaitOwner } from '../core/wait.js';
import { timeoutError } from '../core/errors.js';
import type { Sink } from './contract.js';
import { SendQueue } from './queue.js';

/** Offers what is left of a message; whether all of it was taken. */
export function offerRest(sink: Sink, part: { readonly message: Uint8Array; from: number }): boolean {
  if (part.message.length <= sink.wholeLimit) return sink.offer(part.message);
  part.from = sink.offerPart(part.message, part.from);
  return part.from === part.message.length;
}

/** Told what the outbox finds. */
export interface OutboxEvents {
  /** Fewer wait than before, or none. */
  fewer(): void;
  /** The sink has failed. */
  broke(why: Error): void;
}

/** What waits to leave. */
export class Outbox {
  readonly #sink: Sink;
  readonly #owner: WaitOwner;
  readonly #events: OutboxEvents;
  readonly #queue = new SendQueue();
  #over = false;
  #stopWaiting: (() => void) | undefined;
  #flushes: Settle<void>[] = [];
  #ending: Settle<void> | undefined;
  #endTaken = false;

  /** `owner` counts the waits. */
  constructor(sink: Sink, owner: WaitOwner, events: OutboxEvents) {
    this.#sink = sink;
    this.#owner = owner;
    this.#events = events;
  }

  /** How many sends wait. */
  get length(): number {
    return this.#queue.length;
  }

  /** Bytes of the sends that wait. */
  get bytes(): number {
    return this.#queue.bytes;
  }

  /** Whether the end mark was taken, and with it everything before. */
  get endTaken(): boolean {
    return this.#endTaken;
  }

  /** Waits until this message was taken, behind the others. It is withdrawn only if nothing of it was taken. */
  send(message: Uint8Array, options: WaitOptions | undefined, awaited: Awaited): Promise<void> {
    return pend<void>(this.#owner, options, awaited, (settle) => {
      const entry = this.#queue.add(message, settle);
      if (this.#queue.length === 1) this.#pump();
      const giveUp = (why: Error): void => {
        // What has begun is completed; the end of the channel has rejected it already.
        if (entry.from > 0 || !this.#queue.withdraw(entry)) return;
        this.#events.fewer();
        settle.reject(why);
      };
      if (options?.timeoutMs === 0) giveUp(timeoutError(awaited.syscall, 0, awaited.subject));
      return giveUp;
    });
  }

  /** Makes visible what the sink has taken, now or when there is room. */
  publish(): void {
    try {
      if (!this.#sink.publish()) this.#awaitRoom();
    } catch (why) {
      this.#events.broke(why as Error);
    }
  }

  /** Waits until all of it is visible; `undefined` if it is. */
  flushed(): Promise<void> | undefined {
    if (this.#queue.length === 0 && this.#stopWaiting === undefined) return undefined;
    return pend<void>(this.#owner, undefined, { syscall: 'flush' }, (settle) => {
      this.#flushes.push(settle);
      return (why) => settle.reject(why);
    });
  }

  /** Sends the end mark behind everything else, and waits until it is visible. */
  end(): Promise<void> {
    return pend<void>(this.#owner, undefined, { syscall: 'close' }, (settle) => {
      this.#ending = settle;
      this.#pump();
      return (why) => settle.reject(why);
    });
  }

  /** Nothing leaves any more. */
  reject(why: Error): void {
    this.#over = true;
    this.#stopWaiting?.();
    this.#queue.rejectAll(why);
    for (const settle of this.#flushes.splice(0)) settle.reject(why);
    this.#ending?.reject(why);
  }

  #awaitRoom(): void {
    if (this.#stopWaiting !== undefined) return;
    const waiting = { stop: undefined as (() => void) | undefined };
    const cancel = (): void => waiting.stop?.();
    this.#stopWaiting = () => {
      this.#stopWaiting = undefined;
      this.#owner.endWait(cancel);
      waiting.stop?.();
    };
    this.#owner.beginWait(cancel);
    waiting.stop = this.#sink.whenWritable(this.#onRoom);
    if (waiting.stop === undefined) setImmediate(this.#onRoom);
  }

  readonly #onRoom = (): void => {
    if (this.#stopWaiting === undefined) return;
    this.#stopWaiting();
    this.#pump();
  };

  /** Lets go what there is room for, publishes, and waits again for the rest. */
  #pump(): void {
    if (this.#over) return;
    try {
      for (let first = this.#queue.first; first !== undefined; first = this.#queue.first) {
        if (!offerRest(this.#sink, first)) break;
        this.#queue.shift();
      }
      // The mark is offered until it is taken, and never again.
      if (this.#queue.length === 0 && this.#ending !== undefined && !this.#endTaken) {
        this.#endTaken = this.#sink.offerEnd();
      }
      const published = this.#sink.publish();
      if (this.#queue.length > 0 || !published || (this.#ending !== undefined && !this.#endTaken)) {
        this.#awaitRoom();
        return;
      }
      this.#events.fewer();
      for (const settle of this.#flushes.splice(0)) settle.resolve();
      this.#ending?.resolve();
    } catch (why) {
      this.#events.broke(why as Error);
    }
  }
}
