/**
 * A table of who has and who wants something, in shared memory: what rwlock, semaphore, condition, barrier and latch are made of. Here is
 * how one waits for what he wants: in three forms, behind those of this thread who wait already, until somebody grants it, or says that he
 * looks (seats.ts has the table itself).
 */
import { performance } from 'node:perf_hooks';
import { closedError, codedError, IpcError, systemError, timeoutError } from '../core/errors.js';
import { type Awaited, checkSignal, checkTimeout, pend, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import { native } from '../sys/index.js';
import { DIRTY, HANDLED, type ObjectName, OWNER_DIED, SEAT_WAKE } from './layout.js';
import { PATIENCE_MS, Seats, SLICE_MS } from './seats.js';
import { Sleepers } from './sleepers.js';
import { checkSeats, DEFAULT_SEATS, type Place, tableBytes } from './tableMemory.js';

/** What somebody waits for at a table. All but `got` runs behind the door. */
export interface Wish<T> {
  /** Whether it is said at once, though others of this thread wait already: whoever takes part counts. */
  readonly early?: boolean;
  /** Whether it was said before the wait began. */
  readonly asked?: boolean;
  /** Says in the seat what is wanted, if it was not said yet. */
  ask(): void;
  /** Whether it was granted. */
  granted(): boolean;
  /** He waits no longer: what was asked is taken back. */
  withdraw(): void;
  /** What was granted, for who asked. */
  got(): T;
}

/** What has to be done behind the door as soon as nobody else stands still in there. */
interface Errand {
  inside(): void;
  /** Once that has been done, or the handle is closed. */
  outside(): void;
}

/** A table, and the waits of this thread at it through this handle. */
export abstract class Table extends Seats {
  /** Bytes that it takes, with so many seats; `byteLength()` with 32. */
  static byteLength(seats = DEFAULT_SEATS): number {
    return tableBytes(checkSeats({ seats }));
  }

  readonly #awaited: Awaited;
  #lane: Sleepers | undefined;
  /** The door was shut too long at the last attempt. */
  #shut = false;
  #expected = 0;
  /** The last attempt was granted something: what else stands in the seat has not been looked at. */
  #served = false;
  /** All that stands in the seat goes. */
  #closing = false;
  /** In the order in which they are done, all before anything else is asked. */
  readonly #errands: Errand[] = [];
  #errandTimer: NodeJS.Timeout | undefined;

  protected constructor(place: Place, name: ObjectName) {
    super(place, name);
    this.#awaited = { syscall: name, subject: { object: this.describe() } };
    this.mapping.residents.keep(this, place.offset + tableBytes(this.seats));
  }

  // ---- waiting

  /** Whether we have to wait for one who sits there and has this claim, and want to be told of his death. */
  protected isInTheWay(_claim: number, _seat: number): boolean {
    return false;
  }

  /** The lives of those who are. */
  #watched(): Float64Array {
    const others = this.seatsWhere((claim, seat) => seat !== this.seat && this.isInTheWay(claim, seat));
    return Float64Array.from([this.offset, ...others.map((seat) => this.at(seat, 0) * 4)]);
  }

  /**
   * Whether a sleeper who looked up may sleep on: nobody has told it anything, nobody is dead whom nobody has buried, and no release is left to
   * see to. So whatever step somebody dies at who was to wake it, it goes on. [look]
   */
  #nothingHappened(): boolean {
    if (this.#shut || this.#served || this.seat < 0 || this.#errands.length > 0) return false;
    const { words } = this;
    if (Atomics.load(words, this.at(this.seat, SEAT_WAKE)) !== this.#expected) return false;
    if (Atomics.load(words, this.base + DIRTY / 4) !== Atomics.load(words, this.base + HANDLED / 4)) return false;
    if ((Atomics.load(words, this.base) & OWNER_DIED) !== 0) return false;
    const { top } = this;
    for (let seat = 0; seat < top; seat++) {
      if ((Atomics.load(words, this.at(seat, 0)) & OWNER_DIED) !== 0) return false;
    }
    return true;
  }

  /** Asks, behind the door; false if it has to wait, for what it wants or for the door. */
  #attempt<T>(wish: Wish<T>, patienceMs: number): boolean {
    let granted = false;
    if (!this.#runErrands(patienceMs)) return false;
    const entered = this.within(
      patienceMs,
      () => {
        this.sit();
        // What happens from here on wakes the sleeper.
        this.#expected = Atomics.load(this.words, this.at(this.seat, SEAT_WAKE));
        wish.ask(); // [wish]
      },
      () => {
        granted = wish.granted();
      },
    );
    this.#shut = !entered;
    this.#served = granted;
    return granted;
  }

  /** Does something behind the door, however long that takes: while another process stands still in there, this thread does, too. */
  protected surely(change: () => void, after?: () => void): void {
    while (!this.within(SLICE_MS, change, after));
  }

  /** The same, without keeping the thread: while another process stands still in there, it is done later. */
  protected eventually(change: () => void): Promise<void> | undefined {
    return this.within(PATIENCE_MS, change) ? undefined : this.#later(change);
  }

  async #later(change: () => void): Promise<void> {
    do await new Promise((resolve) => setTimeout(resolve, SLICE_MS));
    while (!this.within(PATIENCE_MS, change));
  }

  #send(errand: Errand): void {
    this.#errands.push(errand);
    this.#runErrands(PATIENCE_MS);
  }

  /** Whether all has been done that was to be done. */
  #runErrands(patienceMs: number): boolean {
    if (this.#errands.length === 0) return true;
    const done: Errand[] = [];
    const entered = this.within(patienceMs, () => {
      for (const errand of this.#errands.splice(0)) {
        errand.inside();
        done.push(errand);
      }
    });
    this.#shut = !entered;
    for (const errand of done) errand.outside();
    if (!entered) this.#errandTimer ??= setTimeout(() => this.#runErrandsLater(), SLICE_MS);
    return entered;
  }

  #runErrandsLater(): void {
    this.#errandTimer = undefined;
    if (!this.closed) this.#runErrands(PATIENCE_MS);
  }

  /** What became of a wish that is taken back: `granted` if it was granted all the same. [withdraw-wish] */
  #withdrawal<T>(wish: Wish<T>, then: (granted: boolean) => void): Errand {
    let granted = false;
    return {
      inside: () => {
        if (this.#closing) return;
        granted = wish.granted();
        if (!granted) wish.withdraw();
      },
      outside: () => {
        // Whoever waits next, in this thread, asks now.
        if (!this.closed && this.seat >= 0) this.tell(this.seat);
        then(granted);
      },
    };
  }

  /** Whether somebody of this thread waits. */
  get #awaitedHere(): boolean {
    return this.#lane?.awaited === true;
  }

  /** Gets it without waiting, or not at all. */
  protected tryWish<T>(wish: Wish<T>): { got: T } | undefined {
    if (this.#awaitedHere && wish.asked !== true) return undefined;
    let granted = false;
    if (!this.#runErrands(PATIENCE_MS)) return undefined;
    this.within(
      PATIENCE_MS,
      () => {
        this.sit();
        wish.ask();
      },
      () => {
        granted = wish.granted();
        if (!granted) wish.withdraw();
      },
    );
    return granted ? { got: wish.got() } : undefined;
  }

  /** Waits behind those of this thread who wait already. */
  protected waitFor<T>(wish: Wish<T>, options: WaitOptions | undefined): Promise<T> {
    checkSignal(options?.signal);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    this.use();
    if (timeoutMs === 0) {
      const found = this.tryWish(wish);
      if (found === undefined) throw this.late(0);
      return Promise.resolve(found.got);
    }
    let asked = wish.asked === true;
    if (!this.#awaitedHere) {
      if (this.#attempt(wish, PATIENCE_MS)) return Promise.resolve(wish.got());
      asked ||= !this.#shut;
    }
    return pend<T>(this, options, this.#awaited, (settle) => {
      let over = false;
      const end = (granted: boolean, why?: unknown, then?: () => void): void => {
        over = true;
        try {
          if (granted) settle.resolve(wish.got());
          else settle.reject(why);
        } catch (other) {
          settle.reject(other);
        }
        then?.();
      };
      let leaves = false;
      const leave = (why: unknown, then?: () => void): void => {
        if (leaves || over) return;
        leaves = true;
        // What stands in the seat goes at once, so that the next one of this thread finds it as it was.
        if (asked) this.#send(this.#withdrawal(wish, (granted) => end(granted, why, then)));
        else end(false, why, then);
      };
      this.#lane ??= this.#newLane();
      const giveUp = this.#lane.add({
        attempt: () => {
          try {
            // This wait may be one that is to be taken back.
            if (!over) this.#runErrands(PATIENCE_MS);
            if (over) return true;
            if (leaves || (asked && this.#nothingHappened()) || !this.#attempt(wish, PATIENCE_MS)) {
              asked ||= !this.#shut;
              return false;
            }
            end(true);
          } catch (why) {
            end(false, why);
          }
          return true;
        },
        reject: leave,
        fail: (result) => leave(systemError(result, this.name, this.#awaited.subject)),
      });
      if (wish.early === true && !asked) {
        this.#send({
          inside: () => {
            if (over || asked) return;
            try {
              this.sit();
              wish.ask();
              asked = true; // [announce-early]
            } catch (why) {
              end(false, why);
            }
          },
          outside: () => {
            if (over) giveUp(closedError(this.describe()));
          },
        });
      }
      return (why) => leave(why, () => giveUp(why));
    });
  }

  #newLane(): Sleepers {
    return new Sleepers(this.#awaited, {
      sleep: (token) => this.#sleep(token),
      // What changed stands in the seat.
      passOn: () => {},
      empty: () => {
        this.#lane = undefined;
      },
    });
  }

  #sleep(token: number): number {
    const { mapping } = this;
    if (this.#shut) return native().blockingLockWait(token, mapping.native, this.offset);
    const wake = this.at(this.seat, SEAT_WAKE) * 4;
    const bytes = tableBytes(this.seats);
    return native().blockingSeatWait(token, mapping.native, wake, this.#expected, this.#watched(), this.offset, bytes);
  }

  /** Throws if this thread must not block. */
  protected checkBlocking(): void {
    if (!this.#awaitedHere) return;
    throw this.deadlock('other parts of this thread wait for it already, and could not go on meanwhile');
  }

  /** Waits, blocking this thread. */
  protected waitForSync<T>(wish: Wish<T>, options: SyncWaitOptions | undefined): T {
    const timeoutMs = checkTimeout(options?.timeoutMs);
    this.use();
    if (timeoutMs === 0) {
      const found = this.tryWish(wish);
      if (found !== undefined) return found.got;
      throw this.late(0);
    }
    this.checkBlocking();
    const deadline = performance.now() + timeoutMs;
    let asked = wish.asked === true;
    for (;;) {
      const left = deadline - performance.now();
      if (!(asked && left > 0 && this.#nothingHappened()) && this.#attempt(wish, Math.min(left, SLICE_MS)))
        return wish.got();
      asked ||= !this.#shut;
      if (!(left > 0)) {
        if (asked && this.#takeBackSync(wish)) return wish.got();
        throw this.late(timeoutMs);
      }
      if (this.#shut) continue;
      const wake = this.at(this.seat, SEAT_WAKE) * 4;
      native().seatWait(this.mapping.native, wake, this.#expected, this.#watched(), Math.min(left, SLICE_MS));
    }
  }

  /** Nobody may go without having done so: a wish that stays would be granted to nobody. */
  #takeBackSync<T>(wish: Wish<T>): boolean {
    let granted = false;
    const withdrawal = this.#withdrawal(wish, (was) => {
      granted = was;
    });
    this.surely(() => withdrawal.inside());
    withdrawal.outside();
    return granted;
  }

  protected late(timeoutMs: number): Error {
    return timeoutError(this.name, timeoutMs, this.#awaited.subject);
  }

  protected deadlock(message: string): Error {
    return new IpcError({ code: 'EDEADLK', syscall: this.name, object: this.describe(), message });
  }

  // ---- the end

  /** Whether this thread has something, through this handle, that others wait for. */
  abstract get held(): boolean;

  /** @internal */
  checkLeaving(): void {
    if (!this.held) return;
    throw codedError(
      'ERR_INTERPROC_LOCKED',
      `${this.describe()} is held by this thread: release it before its memory goes`,
    );
  }

  /**
   * Lets go of the handle, and gives its seat back; the object stays. Waits that are pending reject with `ERR_INTERPROC_CLOSED`.
   *
   * @throws Error ERR_INTERPROC_LOCKED while this thread has something of it
   */
  override close(): void {
    if (this.closed) return;
    this.checkLeaving();
    this.#closing = true;
    this.cancelWaits(closedError(this.describe()));
    if (this.seat >= 0) this.#leaveNothing();
    super.close();
    clearTimeout(this.#errandTimer);
    for (const errand of this.#errands.splice(0)) errand.outside();
  }

  /** Nothing that stands in the seat may outlive it. */
  #leaveNothing(): void {
    if (this.within(PATIENCE_MS, () => this.leave())) return;
    // Whoever stands still in there grants nothing to one who wants nothing.
    this.leave();
    this.released();
  }

  /** What stands in our seat goes, with what others may need of it. Behind the door, unless somebody stands still there. */
  protected leave(): void {
    this.setClaim(this.seat, 0);
  }

  protected onClose(): void {
    this.mapping.residents.remove(this);
    this.letGo();
  }
}
