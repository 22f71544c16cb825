/**
 * Messages that wait for room, in the order of the calls: whoever is woken serves the queue from its head, so that none is
 * overtaken by a later one on the same way.
 */
import { POLLOUT } from '../sys/index.js';
import type { DescriptorHandle } from '../core/handle.js';
import { whenPossible, whenPossibleSync } from '../core/readiness.js';
import type { Awaited, SyncWaitOptions, WaitOptions } from '../core/wait.js';

/** Sends what can be sent now: whether that was all. What it throws is the end of this send. */
export type Put = () => boolean;

/** A send that stands in the queue. */
interface Pending {
  put: Put;
  done: boolean;
  failure: unknown;
}

/** The sends that wait for the same room. */
export abstract class Lane {
  protected readonly socket: DescriptorHandle;
  protected readonly awaited: Awaited;
  readonly #queue: Pending[] = [];

  constructor(socket: DescriptorHandle, awaited: Awaited) {
    this.socket = socket;
    this.awaited = awaited;
  }

  /** Whether earlier sends still wait, after trying to serve them. */
  get behind(): boolean {
    if (this.#queue.length > 0) this.#serve();
    return this.#queue.length > 0;
  }

  /** Resolves when all of it is out, after what was there before. A wait that ends early takes the rest back. */
  wait(put: Put, options: WaitOptions | undefined): Promise<void> {
    const pending = this.#enqueue(put);
    return this.whenRoom(() => this.#advance(pending), options).then(
      () => {},
      (why) => this.#giveUp(pending, why),
    );
  }

  /** As `wait`, blocking this thread. */
  block(put: Put, options: SyncWaitOptions | undefined): void {
    const pending = this.#enqueue(put);
    try {
      this.blockForRoom(() => this.#advance(pending), options);
    } catch (why) {
      this.#giveUp(pending, why);
    }
  }

  #enqueue(put: Put): Pending {
    const pending: Pending = { put, done: false, failure: undefined };
    this.#queue.push(pending);
    return pending;
  }

  #serve(): void {
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      try {
        if (!head.put()) return;
        head.done = true;
      } catch (why) {
        head.failure = why;
      }
      this.#queue.shift();
    }
  }

  #advance(pending: Pending): true | undefined {
    this.#serve();
    if (pending.failure !== undefined) throw pending.failure;
    return pending.done ? true : undefined;
  }

  #giveUp(pending: Pending, why: unknown): void {
    if (pending.done) return;
    const at = this.#queue.indexOf(pending);
    if (at >= 0) this.#queue.splice(at, 1);
    throw why;
  }

  /** What `attempt` gives, as soon as there is room for it. */
  protected abstract whenRoom(attempt: () => true | undefined, options: WaitOptions | undefined): Promise<true>;

  /** As `whenRoom`, blocking this thread. */
  protected abstract blockForRoom(attempt: () => true | undefined, options: SyncWaitOptions | undefined): void;
}

/** The way to whom the socket is connected: the kernel tells when there is room again. */
export class ConnectedLane extends Lane {
  protected whenRoom(attempt: () => true | undefined, options: WaitOptions | undefined): Promise<true> {
    return whenPossible(this.socket, POLLOUT, attempt, options, this.awaited);
  }

  protected blockForRoom(attempt: () => true | undefined, options: SyncWaitOptions | undefined): void {
    whenPossibleSync(this.socket, POLLOUT, attempt, options, this.awaited);
  }
}
