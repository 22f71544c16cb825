/**
 * The waits of one handle for the same thing: for messages of one type, for room, for permits. They are served in their order,
 * and one call on a thread waits for all of them (places.ts says which lanes have a thread).
 *
 * Either the call only tells that there is something, and whoever is first takes it here; or it is made for the first and does all
 * of it (`CallLane`). Whoever is given up leaves at once, unless the call is for nobody else: then the call is cancelled first,
 * and what it had done by then counts.
 */
import { callBlocking } from './blocking.js';
import { EAGAIN, ENOMEM } from './errno.js';
import { IpcError } from './errors.js';
import { enter, leave, type Waiting, withoutThread } from './places.js';
import type { Awaited, WaitOwner } from './wait.js';

/** One wait. */
export interface Waiter {
  /** Tries again; whether it is over, by success or error. */
  attempt(): boolean;
  reject(why: unknown): void;
  /** Rejects with the error for what a call answered. */
  fail(result: number): void;
}

/** A wait for which a call does everything. */
export interface Caller extends Waiter {
  /** Begins the call, under this token. */
  begin(token: number): number;
  /** It was done. */
  done(): void;
}

const GIVEN_UP = new Error('nobody waits any more');

/** Those who wait for the same thing. */
export abstract class Lane<Kind extends Waiter> implements Waiting {
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
  /** The call has done what it was for. */
  protected abstract succeeded(result: number): void;
  /** Whether the call that runs is for this wait alone. */
  protected abstract isForOnly(waiter: Kind): boolean;
  /** Takes out those whom the failure of the call is about. */
  protected abstract failing(): Kind[];

  protected isSuccess(result: number): boolean {
    return result >= 0;
  }

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
    if (this.isSuccess(result)) {
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

/** Those for each of whom a call is made, the first first. */
export class CallLane extends Lane<Caller> {
  protected begin(token: number): number {
    return (this.waiters[0] as Caller).begin(token);
  }

  protected isForOnly(waiter: Caller): boolean {
    return this.waiters[0] === waiter;
  }

  protected failing(): Caller[] {
    return this.waiters.splice(0, 1);
  }

  protected succeeded(): void {
    this.waiters.shift()?.done();
  }
}
