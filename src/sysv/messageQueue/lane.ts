/**
 * The waits of one handle for the same thing: for messages of one type, or for room. They are served in their order, and
 * one call on a thread waits for all of them (places.ts says which lanes have a thread).
 *
 * A lane of receivers waits until there is a message and takes it only then, here (native/sysv.c); a lane of senders has its
 * first message sent by the thread. Whoever is given up leaves at once, unless the call is for nobody else: then the call is
 * cancelled first, and what it had done by then counts.
 */
import { callBlocking } from '../../core/blocking.js';
import { E2BIG, EAGAIN, ENOMEM } from '../../core/errno.js';
import { IpcError } from '../../core/errors.js';
import type { Awaited, WaitOwner } from '../../core/wait.js';
import { native } from '../../sys/index.js';
import { enter, leave, type Waiting, withoutThread } from './places.js';

/** One wait. */
export interface Waiter {
  /** Tries again; whether it is over, by success or error. */
  attempt(): boolean;
  reject(why: unknown): void;
  /** Rejects with the error for what a call answered. */
  fail(result: number): void;
}

/** A wait for a message. */
export interface Receiver extends Waiter {
  /** An empty message of this type was taken for it. */
  take(type: bigint): void;
}

/** A wait for room. */
export interface Sender extends Waiter {
  /** Begins the call that sends its message, under this token. */
  begin(token: number): number;
  /** Its message was sent. */
  sent(): void;
}

const GIVEN_UP = new Error('nobody waits any more');

abstract class Lane<Kind extends Waiter> implements Waiting {
  protected readonly waiters: Kind[] = [];
  /** Why a wait that is given up will be rejected, once the call that runs for it has ended. */
  readonly #leaving = new Map<Kind, Error>();
  readonly #awaited: Awaited;
  readonly #empty: () => void;
  /** From the beginning of a call until what it returned has been seen to. */
  #running = false;
  #cancel: ((why: Error) => void) | undefined;
  /** Not a wait that anybody sees: those of the waiters keep the process alive. */
  readonly #owner: WaitOwner = {
    beginWait: (cancel) => {
      this.#cancel = cancel;
    },
    endWait: () => {
      this.#cancel = undefined;
    },
  };

  /** `empty` is told when nobody waits any more. */
  constructor(awaited: Awaited, empty: () => void) {
    this.#awaited = awaited;
    this.#empty = empty;
  }

  protected abstract begin(token: number): number;
  /** The call has succeeded. */
  protected abstract succeeded(result: number): void;
  /** Whether the call that runs is for this wait alone. */
  protected abstract isForOnly(waiter: Kind): boolean;
  /** Takes out those whom the failure of the call is about. */
  protected abstract failing(): Kind[];

  /** Whether somebody waits, and has not given up. */
  get awaited(): boolean {
    return this.waiters.some((waiter) => !this.#leaving.has(waiter));
  }

  /** Waits behind the others; the returned function gives it up. */
  add(waiter: Kind): (why: Error) => void {
    this.waiters.push(waiter);
    if (this.waiters.length === 1) enter(this);
    return (why) => this.#giveUp(waiter, why);
  }

  protected isLeaving(waiter: Kind): boolean {
    return this.#leaving.has(waiter);
  }

  #giveUp(waiter: Kind, why: Error): void {
    if (!this.waiters.includes(waiter) || this.#leaving.has(waiter)) return;
    if (this.#running && this.isForOnly(waiter)) {
      this.#leaving.set(waiter, why);
      this.#cancel?.(GIVEN_UP);
      return;
    }
    this.#remove(waiter);
    waiter.reject(why);
    this.#leaveIfEmpty();
  }

  #remove(waiter: Kind): void {
    this.waiters.splice(this.waiters.indexOf(waiter), 1);
  }

  block(): void {
    this.#running = true;
    callBlocking((token) => this.begin(token), undefined, this.#awaited, this.#owner).then(
      (result) => this.#returned(result),
      (why) => this.#notReturned(why),
    );
  }

  #returned(result: number): void {
    this.#running = false;
    if (result >= 0 || result === -E2BIG) {
      this.succeeded(result);
    } else {
      for (const waiter of this.failing()) {
        const why = this.#leaving.get(waiter);
        if (why === undefined) waiter.fail(result);
        else waiter.reject(why);
      }
    }
    this.#goOn();
  }

  #notReturned(why: unknown): void {
    this.#running = false;
    if (isForLackOfThreads(why)) {
      withoutThread(this);
      this.#letLeave();
      this.#leaveIfEmpty();
      return;
    }
    if (why !== GIVEN_UP) for (const waiter of this.failing()) waiter.reject(why);
    this.#goOn();
  }

  /** The call has ended: those whom it did not serve leave or try, and wait again. */
  #goOn(): void {
    this.#letLeave();
    this.#serve();
    if (this.waiters.length > 0) this.block();
    else this.#leaveIfEmpty();
  }

  #letLeave(): void {
    for (const [waiter, why] of this.#leaving) {
      if (this.waiters.includes(waiter)) {
        this.#remove(waiter);
        waiter.reject(why);
      }
    }
    this.#leaving.clear();
  }

  look(): void {
    this.#serve();
    this.#leaveIfEmpty();
  }

  /** Who comes meanwhile, out of what an attempt has run, has his turn at the next message. */
  #serve(): void {
    for (let left = this.waiters.length; left > 0; left--) {
      const first = this.waiters[0];
      if (first?.attempt() !== true) return;
      if (this.waiters[0] === first) this.waiters.shift();
    }
  }

  #leaveIfEmpty(): void {
    if (this.waiters.length > 0) return;
    leave(this);
    this.#empty();
  }
}

/** RLIMIT_NPROC, pids.max, or memory: not the fault of the wait. */
function isForLackOfThreads(why: unknown): boolean {
  return why instanceof IpcError && [-EAGAIN, -ENOMEM].includes(why.errno);
}

/** Those who wait for messages of one type. */
export class ReceiveLane extends Lane<Receiver> {
  readonly #begin: (token: number) => number;

  /** `begin` begins a call that returns when there is such a message. */
  constructor(begin: (token: number) => number, awaited: Awaited, empty: () => void) {
    super(awaited, empty);
    this.#begin = begin;
  }

  protected begin(token: number): number {
    return this.#begin(token);
  }

  protected isForOnly(waiter: Receiver): boolean {
    return this.waiters.every((other) => other === waiter || this.isLeaving(other));
  }

  protected failing(): Receiver[] {
    return this.waiters.splice(0);
  }

  /** An empty message has been taken already: for whoever has waited longest, also if it would have given up. */
  protected succeeded(result: number): void {
    if (result <= 0) return;
    const type = native().msgTaken(result);
    if (typeof type === 'bigint') this.waiters.shift()?.take(type);
  }
}

/** Those who wait for room. */
export class SendLane extends Lane<Sender> {
  protected begin(token: number): number {
    return (this.waiters[0] as Sender).begin(token);
  }

  protected isForOnly(waiter: Sender): boolean {
    return this.waiters[0] === waiter;
  }

  protected failing(): Sender[] {
    return this.waiters.splice(0, 1);
  }

  protected succeeded(): void {
    this.waiters.shift()?.sent();
  }
}
