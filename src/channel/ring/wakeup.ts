/**
 * How one side of a ring wakes the other, once that has said in the ring's memory that it sleeps:
 * through an eventfd where the two have exchanged some, else through a futex on the very word.
 */

import { callBlocking } from '../../core/blocking.js';
import { type EdgeWatch, watchEdges } from '../../core/readiness.js';
import { Waits } from '../../core/waits.js';
import { type NativeMapping, native, POLLIN } from '../../sys/index.js';

/** How often who cannot sleep on a thread looks. */
const LOOK_MS = 5;

/** Waking, and being woken. */
export interface Wakeup {
  /** Wakes the other side. */
  ringPeer(): void;
  /** Calls `rang` each time the other side rings, until the returned function is called. */
  listen(rang: () => void): () => void;
  /** Blocks this thread until the other side rings, at most this long; may return early. */
  block(timeoutMs: number): void;
  /** Gives everything back. */
  close(): void;
}

/**
 * Two eventfds, one for each side. Ours is watched for edges for as long as the channel lasts: a
 * ring costs the one that rings a write(2), and us neither a read(2) nor a change of interest.
 */
export class EventfdWakeup implements Wakeup {
  readonly #own: number;
  readonly #peer: number;
  readonly #watch: EdgeWatch;
  #rang: (() => void) | undefined;

  /** Takes over both descriptors. */
  constructor(own: number, peer: number) {
    this.#own = own;
    this.#peer = peer;
    for (const fd of [own, peer]) native().holdDescriptor(fd);
    this.#watch = watchEdges(own, POLLIN, () => this.#rang?.());
  }

  ringPeer(): void {
    native().eventfdRing(this.#peer);
  }

  listen(rang: () => void): () => void {
    this.#rang = rang;
    return () => {
      this.#rang = undefined;
    };
  }

  /** The counter is lowered afterwards, so that a later block does not return for this ring. */
  block(timeoutMs: number): void {
    native().poll(this.#own, POLLIN, Math.ceil(timeoutMs));
    native().eventfdRead(this.#own);
  }

  close(): void {
    this.#rang = undefined;
    this.#watch.close();
    native().close(this.#own);
    native().close(this.#peer);
  }
}

/**
 * futex(2) on the words "asleep" themselves: all that two processes have that share nothing but
 * the memory. A thread sleeps for us, since a futex cannot be polled.
 */
export class FutexWakeup implements Wakeup {
  readonly #mapping: NativeMapping;
  readonly #int32: Int32Array;
  readonly #own: number;
  readonly #peer: number;
  readonly #stop = new AbortController();
  readonly #waits = new Waits();
  #rang: (() => void) | undefined;
  #sleeping = false;

  /** @param own index of the word in which this side says that it sleeps; `peer` likewise */
  constructor(mapping: NativeMapping, int32: Int32Array, own: number, peer: number) {
    this.#mapping = mapping;
    this.#int32 = int32;
    this.#own = own;
    this.#peer = peer;
    this.#waits.referenced = false;
  }

  ringPeer(): void {
    native().futexWake(this.#mapping, this.#peer * 4, 0x7fffffff);
  }

  listen(rang: () => void): () => void {
    this.#rang = rang;
    this.#sleep();
    return () => {
      this.#rang = undefined;
    };
  }

  /** A thread that sleeps already sleeps on the same word: one is enough. */
  #sleep(): void {
    if (this.#sleeping || this.#stop.signal.aborted) return;
    this.#sleeping = true;
    const expected = Atomics.load(this.#int32, this.#own);
    callBlocking(
      (token) => native().blockingFutexWait(token, this.#mapping, this.#own * 4, expected === 0 ? -1 : expected),
      { signal: this.#stop.signal },
      { syscall: 'futex' },
      this.#waits,
    ).then(
      () => {
        this.#sleeping = false;
        const rang = this.#rang;
        if (rang === undefined) return;
        rang();
        // Still listening after a ring for nothing: sleep again.
        if (this.#rang !== undefined) this.#sleep();
      },
      () => {
        this.#sleeping = false;
        // There is no thread to sleep for us (EAGAIN of pthread_create): then we look ourselves.
        if (!this.#stop.signal.aborted) setTimeout(() => this.#lookOnce(), LOOK_MS).unref();
      },
    );
  }

  #lookOnce(): void {
    this.#rang?.();
    if (this.#rang !== undefined) this.#sleep();
  }

  block(timeoutMs: number): void {
    const expected = Atomics.load(this.#int32, this.#own);
    if (expected !== 0) native().futexWait(this.#mapping, this.#own * 4, expected, Math.ceil(timeoutMs));
  }

  close(): void {
    this.#rang = undefined;
    this.#stop.abort();
  }
}
