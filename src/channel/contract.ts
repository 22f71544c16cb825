/**
 * What a mechanism must do to carry a channel: a `Sink` takes messages, a `Source` gives them. The
 * promises, queues, aborts and batches that users see are made once, in `sender.ts` and
 * `receiver.ts`; a mechanism adds only how its own bytes move.
 */

/** What kind of channel an endpoint is. The conformance suite runs the clauses that it declares. */
export interface Traits {
  /** Both ends exist at the same time: the end and the death of either are known to the other. */
  readonly connected: boolean;
  /** Messages wait for the next receiver; a receiver that died is no error. */
  readonly retains: boolean;
  /** It is full at some point, and `send()` waits then. */
  readonly bounded: boolean;
  /** Several senders may use it at once. */
  readonly multiSender: boolean;
}

/** The longest message of a channel: 64 MiB. */
export const LONGEST_MESSAGE = 64 * 1024 * 1024;

/** Calls back once something may have changed; the returned function takes that back. */
export type Wait = (ready: () => void) => (() => void) | undefined;

/** The sending half of a mechanism. Every method may throw: then the channel is broken. */
export interface Sink {
  /** Messages up to this length are taken whole or not at all by `offer`. */
  readonly wholeLimit: number;
  /** Takes a copy of a message; false if there is no room now. Not visible before `publish`. */
  offer(message: Uint8Array): boolean;
  /**
   * Takes a part of a longer message, `from` its first byte that was not taken yet; answers the
   * new `from`, the same if there is no room now. Once begun, the message is completed before
   * anything else is offered.
   */
  offerPart(message: Uint8Array, from: number): number;
  /** Makes what was taken visible; false if some of it could not leave yet. */
  publish(): boolean;
  /** Whether everything that was taken is visible already, where that can be before `publish`. */
  readonly idle?: boolean;
  /** Takes the mark that nothing follows; false if there is no room now. Not called again once it was taken. */
  offerEnd(): boolean;
  /** Waits until `offer` or `publish` may do better; `undefined` if that is so already. */
  whenWritable: Wait;
  /** Blocks this thread until then, at most this long. */
  waitWritable(timeoutMs: number): void;
  /** Room of this length in the mechanism's own memory, where it has any: see `Sender.claim`. */
  claim?(length: number): Uint8Array | undefined;
  /** The claimed room is a message of its first `length` bytes. */
  commit?(length: number): void;
  /** This side cannot go on, and its user may not have closed it yet: the other side is not to wait for it. */
  broken?(): void;
  /** Gives everything back; `ended` tells whether the end mark was published. */
  release(ended: boolean): void | Promise<void>;
}

/**
 * Called for a message that stands in `bytes` from `start` to `end`. The bytes belong to the
 * channel and change afterwards: what is to be kept must be copied.
 */
export type Visit = (bytes: Buffer, start: number, end: number) => void;

/** The receiving half of a mechanism. Every method may throw: then the channel is broken. */
export interface Source {
  /** The next message, a Buffer, its bytes the caller's own; `undefined` = not now, `null` = the end. */
  take(): Uint8Array | undefined | null;
  /** Adds up to `most` messages, Buffers, to `list`; how many, 0 = not now, -1 = the end. */
  takeMany(list: Uint8Array[], most: number): number;
  /** Visits up to `most` messages where they are; how many, 0 = not now, -1 = the end. */
  drain(visit: Visit, most: number): number;
  /** Waits until there may be a message or the end; `undefined` if that is so already. */
  whenReadable: Wait;
  /** Blocks this thread until then, at most this long. */
  waitReadable(timeoutMs: number): void;
  /** This side cannot go on, and its user may not have closed it yet: the other side is not to wait for it. */
  broken?(): void;
  /** Gives everything back; `ended` tells whether the end was reached. */
  release(ended: boolean): void | Promise<void>;
}

/** Tells a half of a channel that the other side is gone, as soon as that is known. */
export type PeerGone = (why: Error | undefined) => void;

/** How messages are sent. */
export interface SenderOptions {
  /**
   * Whether messages of one turn of the event loop leave together (true, the default), or each
   * at once.
   */
  coalesce?: boolean;
  /** Bytes of sends that wait for room without being awaited; more reject. 1 MiB if omitted. */
  highWaterMark?: number;
  /** What this call made and nobody else will is removed by whoever reaches the end; false if omitted. */
  temporary?: boolean;
}

/** How messages are received. */
export interface ReceiverOptions {
  /** How many senders end the channel, where several may send: 1 if omitted. */
  senders?: number;
  /**
   * Whether what this call made is removed when the end is reached; false if omitted. What a sender
   * made as temporary is removed then, too, unless this is `false`.
   */
  temporary?: boolean;
}
