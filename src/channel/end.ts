/** What both ends of a channel have in common: an address, and how they close. */
import { Referenced } from '../core/referenced.js';
import { traceOf } from '../core/trace.js';
import { type Closed, Closing } from './closing.js';
import type { Traits } from './contract.js';

const trace = traceOf('channel');

/** One end of a channel. */
export abstract class ChannelEnd extends Referenced {
  /** The address that it was made with. */
  readonly url: string;
  /** What kind of channel this is. */
  readonly traits: Traits;
  /**
   * Resolves with the reason when this end was closed or the receiver reached the end, and rejects
   * when the channel broke: the other side died or broke the rules, or a flush failed. It may be
   * left unobserved.
   */
  readonly closed: Promise<Closed>;
  readonly #closing = new Closing();

  /** @internal */
  constructor(url: string, traits: Traits, what: string) {
    super();
    this.url = url;
    this.traits = traits;
    this.closed = this.#closing.promise;
    trace(what, { url });
  }

  /** @internal */
  protected get closing(): Closing {
    return this.#closing;
  }

  /** Gives everything back, in order. */
  abstract close(): Promise<void>;

  /** Gives everything back at once. */
  abstract destroy(): void;

  /** `await using end = …` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
