/** Two-way channels: a connection has a sender and a receiver, a listener accepts connections. */
import { closedError } from '../core/errors.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import type { SenderOptions, Traits, Visit } from './contract.js';
import type { OpenDuplex, OpenListener, Peer } from './endpoint.js';
import { Receiver } from './receiver.js';
import { Sender } from './sender.js';

/** One end of a two-way channel. */
export class Connection {
  readonly url: string;
  /** What goes to the peer. */
  readonly sender: Sender;
  /** What comes from the peer. */
  readonly receiver: Receiver;
  /** Who the peer was when it connected (SO_PEERCRED of unix(7)), where that can be known. */
  readonly peer: Peer | undefined;

  /** @internal */
  constructor(url: string, traits: Traits, open: OpenDuplex, options: SenderOptions) {
    this.url = url;
    this.sender = new Sender(url, traits, open.sink.half, options);
    this.receiver = new Receiver(url, traits, open.source.half);
    this.peer = open.peer;
    open.sink.onPeerGone?.((why) => this.sender.peerGone(why));
    open.source.onPeerGone?.((why) => this.receiver.peerGone(why));
  }

  /** `sender.send`. */
  send(message: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.sender.send(message, options);
  }

  /** `sender.trySend`. */
  trySend(message: Uint8Array): boolean {
    return this.sender.trySend(message);
  }

  /** `sender.sendSync`. */
  sendSync(message: Uint8Array, options?: SyncWaitOptions): void {
    this.sender.sendSync(message, options);
  }

  /** `receiver.receive`. */
  receive(options?: WaitOptions): Promise<Buffer | null> {
    return this.receiver.receive(options);
  }

  /** `receiver.tryReceive`. */
  tryReceive(): Buffer | undefined | null {
    return this.receiver.tryReceive();
  }

  /** `receiver.receiveSync`. */
  receiveSync(options?: SyncWaitOptions): Buffer | null {
    return this.receiver.receiveSync(options);
  }

  /** `receiver.drain`. */
  drain(visit: Visit, options?: WaitOptions): Promise<number | null> {
    return this.receiver.drain(visit, options);
  }

  /** `receiver.messages`. */
  messages(options?: { signal?: AbortSignal }): AsyncIterableIterator<Buffer> {
    return this.receiver.messages(options);
  }

  /** Sends what waits and the end mark, then gives both directions back. A peer that has closed before is no error. */
  async close(): Promise<void> {
    try {
      await this.sender.close();
    } catch (error) {
      if (!this.#peerHasClosed()) throw error;
    } finally {
      await this.receiver.close();
    }
  }

  /** Whether the peer's end mark has come. What stands before it is not wanted any more. */
  #peerHasClosed(): boolean {
    try {
      for (;;) {
        const message = this.receiver.tryReceive();
        if (!message) return message === null;
      }
    } catch {
      return false;
    }
  }

  /** Gives everything back at once, without an end mark. */
  destroy(): void {
    this.sender.destroy();
    this.receiver.destroy();
  }

  /** `await using connection = …` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Accepts connections until it is closed. */
export class ChannelListener {
  readonly url: string;
  readonly traits: Traits;
  readonly #open: OpenListener;
  readonly #options: SenderOptions;
  #closed = false;

  /** @internal */
  constructor(url: string, traits: Traits, open: OpenListener, options: SenderOptions) {
    this.url = url;
    this.traits = traits;
    this.#open = open;
    this.#options = options;
  }

  /** Waits for the next connection. An aborted wait leaves it to the next call. */
  async accept(options?: WaitOptions): Promise<Connection> {
    if (this.#closed) throw closedError(`the listener ${this.url}`);
    return new Connection(this.url, this.traits, await this.#open.accept(options), this.#options);
  }

  /** The connections as they come, until the listener is closed or the loop is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, void> {
    while (!this.#closed) {
      try {
        yield await this.accept();
      } catch (error) {
        if (this.#closed) return;
        throw error;
      }
    }
  }

  /** No more connections; those that were accepted stay. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#open.close();
  }

  /** `await using listener = …` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
