/**
 * A table of who has and who wants something, in shared memory: what rwlock, semaphore, condition, barrier and latch are made of.
 *
 * glibc's own are not crash-safe between processes, so these are not theirs. Whoever changes a table is behind its door, a robust mutex.
 * Each thread that takes part has a seat, whose robust mutex it holds for as long as it does: the kernel itself tells of its death. All
 * that a thread has and wants is one word, its claim. Nothing else is stored: what is free is what the claims leave. So whoever
 * dies at whatever step leaves a table that is right, and the next one behind the door only has to take the dead one's claim away and to
 * go on. (docs/design/locks.md; the labels in brackets are those of the models in model/.)
 */
import { performance } from 'node:perf_hooks';
import { EBUSY, EDEADLK, EOWNERDEAD } from '../core/errno.js';
import { closedError, codedError, IpcError, systemError, timeoutError } from '../core/errors.js';
import { atExit } from '../core/exit.js';
import { Handle } from '../core/handle.js';
import { type Awaited, checkSignal, checkTimeout, pend, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import type { Mapping } from '../mmap/index.js';
import { native } from '../sys/index.js';
import type { DeadOwner } from './guard.js';
import {
  DIRTY,
  KIND,
  type ObjectName,
  OWNER,
  OWNER_DIED,
  ROBUST_AND_SHARED,
  SEAT_BYTES,
  SEAT_CLAIM,
  SEAT_DEAD_TID,
  SEAT_INDEX,
  SEAT_PID,
  SEAT_TICKET,
  SEAT_WAKE,
  SEATS,
  TABLE_BYTES,
  TICKET,
  TID_MASK,
  TOP,
} from './layout.js';
import { checkPlace, checkThere, existsError, format, wordAt } from './place.js';
import { Robust } from './robust.js';
import { Sleepers } from './sleepers.js';

/** How many threads may take part, unless it is said. */
export const DEFAULT_SEATS = 32;
export const MOST_SEATS = 4096;

/** Bytes of a table with so many seats. */
export function tableBytes(seats: number): number {
  return TABLE_BYTES + seats * SEAT_BYTES;
}

/** How long somebody else may be behind the door before a wait leaves the thread of JavaScript. It is a matter of microseconds. */
const PATIENCE_MS = 2;
/** A blocked thread looks up this often, so that a worker can be terminated. */
const SLICE_MS = 50;

/** Where a table is. */
export interface Place {
  mapping: Mapping;
  offset: number;
}

/** Makes a table in memory that is zero, or answers false if there is one. `own` are the first words of its kind. */
export function formatTable(
  { mapping, offset }: Place,
  name: ObjectName,
  seats: number,
  own: readonly number[],
): boolean {
  checkPlace(mapping, offset, tableBytes(seats));
  const image = new Int32Array(tableBytes(seats) / 4);
  image[KIND / 4] = ROBUST_AND_SHARED;
  image[SEATS / 4] = seats;
  own.forEach((word, index) => {
    image[16 + index] = word;
  });
  for (let seat = 0; seat < seats; seat++) {
    const at = (TABLE_BYTES + seat * SEAT_BYTES) / 4;
    image[at + KIND / 4] = ROBUST_AND_SHARED;
    image[at + SEAT_INDEX / 4] = seat;
  }
  return format(mapping, offset, name, image);
}

/** Makes a table that must not be there yet. */
export function createTable(place: Place, name: ObjectName, seats: number, own: readonly number[]): void {
  if (!formatTable(place, name, seats, own)) throw existsError(name, place.offset);
}

/** Throws unless there is such a table, all of it in the mapping. */
export function checkTable({ mapping, offset }: Place, name: ObjectName): void {
  checkPlace(mapping, offset, TABLE_BYTES);
  checkThere(mapping, offset, name);
  const seats = wordAt(mapping, offset + SEATS);
  if (seats < 1 || seats > MOST_SEATS) {
    throw codedError('ERR_INTERPROC_LAYOUT', `the ${name} at ${offset} is damaged: it has ${seats} seats`);
  }
  checkPlace(mapping, offset, tableBytes(seats));
}

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

/** A table, and the seat that this thread has at it through this handle. */
export abstract class Table extends Handle {
  readonly mapping: Mapping;
  readonly offset: number;
  readonly name: ObjectName;
  readonly seats: number;
  readonly #door: Robust;
  readonly #awaited: Awaited;
  /** The first word of the table in the mapping. */
  protected readonly base: number;
  /** Our seat, -1 while we have none. */
  protected seat = -1;
  #life: Robust | undefined;
  #stayAtExit: (() => void) | undefined;
  #inside = false;
  #lane: Sleepers | undefined;
  /** The door was shut too long at the last attempt. */
  #shut = false;
  #expected = 0;
  /** All that stands in the seat goes. */
  #closing = false;
  /** In the order in which they are done, all before anything else is asked. */
  readonly #errands: Errand[] = [];
  #errandTimer: NodeJS.Timeout | undefined;
  /** Who has died having it, and is to be told to our next guard: we sit where they sat. */
  #inherited: DeadOwner[] = [];

  protected constructor({ mapping, offset }: Place, name: ObjectName) {
    super();
    this.mapping = mapping;
    this.offset = offset;
    this.name = name;
    this.base = offset / 4;
    this.seats = wordAt(mapping, offset + SEATS);
    this.#door = new Robust(mapping, offset, false);
    this.#awaited = { syscall: name, subject: { object: this.describe() } };
    mapping.admit(this);
  }

  // ---- words

  protected get words(): Int32Array {
    return this.mapping.int32;
  }

  /** A word of the table. */
  protected load(offset: number): number {
    return Atomics.load(this.words, this.base + offset / 4);
  }

  protected store(offset: number, value: number): void {
    Atomics.store(this.words, this.base + offset / 4, value);
  }

  /** Where a word of a seat is. */
  protected at(seat: number, offset: number): number {
    return this.base + (TABLE_BYTES + seat * SEAT_BYTES + offset) / 4;
  }

  protected claimOf(seat: number): number {
    return Atomics.load(this.words, this.at(seat, SEAT_CLAIM));
  }

  protected setClaim(seat: number, claim: number): void {
    Atomics.store(this.words, this.at(seat, SEAT_CLAIM), claim);
  }

  /** Changes a claim in one step, whatever others do to it meanwhile; `undefined` leaves it. What it was before. */
  protected changeClaim(seat: number, change: (claim: number) => number | undefined): number {
    const at = this.at(seat, SEAT_CLAIM);
    for (let seen = Atomics.load(this.words, at); ; ) {
      const wanted = change(seen);
      if (wanted === undefined) return seen;
      const found = Atomics.compareExchange(this.words, at, seen, wanted);
      if (found === seen) return seen;
      seen = found;
    }
  }

  protected get claim(): number {
    return this.seat < 0 ? 0 : this.claimOf(this.seat);
  }

  /** Seats that were ever taken. The word is a stranger's, too. */
  protected get top(): number {
    const top = this.load(TOP);
    return top >= 0 && top <= this.seats ? top : this.seats;
  }

  protected ticketOf(seat: number): number {
    return this.words[this.at(seat, SEAT_TICKET)] as number;
  }

  /** Stands behind all others. Behind the door. [ticket] */
  protected takeTicket(seat: number): void {
    const ticket = this.load(TICKET);
    this.store(TICKET, (ticket + 1) | 0);
    this.words[this.at(seat, SEAT_TICKET)] = ticket;
  }

  /** Seats for which `wants` holds, in the order of their tickets. Behind the door. */
  protected inOrder(wants: (claim: number) => boolean): number[] {
    const found: number[] = [];
    const top = this.top;
    for (let seat = 0; seat < top; seat++) if (wants(this.claimOf(seat))) found.push(seat);
    // Tickets run over: their distance counts.
    return found.sort((one, other) => (this.ticketOf(one) - this.ticketOf(other)) | 0);
  }

  // ---- the door

  /** Whether we are behind the door, waiting so many milliseconds at most. [enter] */
  #enter(patienceMs: number): boolean {
    this.use();
    let result = this.#door.take();
    if (result === -EBUSY) {
      const deadline = performance.now() + patienceMs;
      for (;;) {
        const left = deadline - performance.now();
        if (!(left > 0)) return false;
        native().lockWait(this.mapping.native, this.offset, Math.min(left, SLICE_MS));
        result = this.#door.takeAfterSleep();
        if (result !== -EBUSY) break;
      }
    }
    if (result !== undefined && result !== -EOWNERDEAD)
      throw this.damaged(result === -EDEADLK ? 'is entered twice' : 'has no door');
    this.#inside = true;
    if (result === -EOWNERDEAD) {
      this.#door.consistent();
      // Whom the dead one has granted something may not have been told.
      this.tellAll(); // [tell-all]
    }
    return true;
  }

  /**
   * Does something behind the door, and what follows from it for others; `after` sees what came of it. False if somebody else was
   * behind it for too long.
   */
  protected within(patienceMs: number, change?: () => void, after?: () => void): boolean {
    if (!this.#enter(patienceMs)) return false;
    let seen = 0;
    try {
      seen = this.load(DIRTY); // [see]
      this.bury();
      change?.();
      this.settle();
      after?.();
    } finally {
      this.#inside = false;
      this.#door.give(); // [leave]
      if (this.load(DIRTY) !== seen) this.settleSoon();
    }
    return true;
  }

  /** Something was released outside of the door: who is behind it settles that, we or whoever is there now. [settle-soon] */
  protected settleSoon(): void {
    if (this.closed || this.#inside) return;
    this.within(0);
  }

  /** Says that something was released outside of the door, and settles it. */
  protected released(): void {
    Atomics.add(this.words, this.base + DIRTY / 4, 1); // [dirty]
    this.settleSoon();
  }

  /** Gives everybody who can get it what he wants. Behind the door; after any death at any of its steps it can be done again. */
  protected abstract settle(): void;

  /** What becomes of the claim of one who has died; 0 if it leaves nothing that somebody has to be told. */
  protected abstract died(seat: number, claim: number): number;

  /** Takes away what the dead had. [bury] */
  protected bury(): void {
    const top = this.top;
    for (let seat = 0; seat < top; seat++) {
      const life = Atomics.load(this.words, this.at(seat, 0));
      if ((life & OWNER_DIED) === 0) continue;
      // Each of these steps can be done again.
      this.words[this.at(seat, SEAT_DEAD_TID)] = this.words[this.at(seat, OWNER)] as number;
      this.setClaim(seat, this.died(seat, this.claimOf(seat)));
      this.words[this.at(seat, OWNER)] = 0;
      Atomics.store(this.words, this.at(seat, 0), 0);
    }
  }

  /** Who sat there and died. */
  protected deadOwner(seat: number): DeadOwner {
    const pid = this.words[this.at(seat, SEAT_PID)] as number;
    const tid = this.words[this.at(seat, SEAT_DEAD_TID)] as number;
    return { pid: pid === 0 ? undefined : pid, tid: tid === 0 ? undefined : tid };
  }

  /** Whether somebody lives at this seat. */
  protected lives(seat: number): boolean {
    const life = Atomics.load(this.words, this.at(seat, 0));
    return (life & TID_MASK) !== 0 && (life & OWNER_DIED) === 0;
  }

  /** Wakes whoever sits there. [tell] */
  protected tell(seat: number): void {
    Atomics.add(this.words, this.at(seat, SEAT_WAKE), 1);
    native().futexWake(this.mapping.native, this.at(seat, SEAT_WAKE) * 4, 1);
  }

  protected tellAll(): void {
    const top = this.top;
    for (let seat = 0; seat < top; seat++) if (this.lives(seat)) this.tell(seat);
  }

  // ---- our seat

  /** Takes a seat, if we have none. Behind the door. [sit] */
  protected sit(): void {
    if (this.seat >= 0) return;
    const seat = this.#freeSeat();
    if (seat === undefined) throw this.#noSeat();
    // First: nobody looks behind it for the dead.
    if (seat >= this.top) this.store(TOP, seat + 1);
    const life = new Robust(this.mapping, this.offset + TABLE_BYTES + seat * SEAT_BYTES, false);
    if (life.take() !== undefined) {
      life.unbind();
      throw this.damaged(`has a seat ${seat} that nobody can have`);
    }
    this.words[this.at(seat, SEAT_PID)] = process.pid;
    this.#life = life;
    this.seat = seat;
    this.#stayAtExit = atExit(() => {
      // Who exits having something, or waiting for it, is as dead as any other.
      if (this.mayLeave()) this.#rise();
    });
  }

  /** Whether who exits now has nothing and owes nothing. */
  protected mayLeave(): boolean {
    return this.claim === 0;
  }

  /** A seat of nobody, if possible one without a death that somebody has to be told of. */
  #freeSeat(): number | undefined {
    let dead: number | undefined;
    for (let seat = 0; seat < this.seats; seat++) {
      if (Atomics.load(this.words, this.at(seat, 0)) !== 0) continue;
      const claim = this.claimOf(seat);
      if (claim === 0) return seat;
      if (dead === undefined && this.tellsOfDeath(claim)) dead = seat;
    }
    if (dead === undefined) return undefined;
    // The seats are full of the dead. Whoever sits down among them tells of the one whose place that was.
    this.#inherited.push(this.deadOwner(dead));
    this.setClaim(dead, 0);
    return dead;
  }

  /** Whether this is all that is left of one who died having something. */
  protected tellsOfDeath(_claim: number): boolean {
    return false;
  }

  /** Who has died having something, and was told to nobody yet. Behind the door. [report] */
  protected report(): DeadOwner[] | undefined {
    const dead = this.#inherited;
    this.#inherited = [];
    const { top } = this;
    for (let seat = 0; seat < top; seat++) {
      if (!this.tellsOfDeath(this.claimOf(seat))) continue;
      dead.push(this.deadOwner(seat));
      this.setClaim(seat, 0);
    }
    return dead.length === 0 ? undefined : dead;
  }

  #noSeat(): IpcError {
    return new IpcError({
      code: 'EAGAIN',
      syscall: this.name,
      object: this.describe(),
      message: `all ${this.seats} seats are taken: so many threads take part at once`,
      hint: 'the option seats of create() says how many may',
    });
  }

  /** Gives the seat back. Nothing is claimed any more. */
  #rise(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    this.seat = -1;
    this.#stayAtExit?.();
    life.give();
    life.unbind();
  }

  // ---- waiting

  /** Words of those who are in our way; told of in their deaths. Their offsets in the mapping. */
  protected abstract inTheWay(): number[];

  /** Where the life of who sits there is. */
  protected lifeOffset(seat: number): number {
    return this.at(seat, 0) * 4;
  }

  #watched(): Float64Array {
    return Float64Array.from([this.offset, ...this.inTheWay()]);
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
            if (leaves || !this.#attempt(wish, PATIENCE_MS)) {
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
    return native().blockingSeatWait(token, mapping.native, wake, this.#expected, this.#watched());
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
      if (this.#attempt(wish, Math.min(left, SLICE_MS))) return wish.got();
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

  /** What a stranger has written there cannot be. */
  protected damaged(what: string): Error {
    return codedError('ERR_INTERPROC_LAYOUT', `${this.describe()} ${what}: its memory was overwritten`);
  }

  // ---- the end

  /** Whether this thread has something, through this handle, that others wait for. */
  abstract get held(): boolean;

  /** @internal */
  remapped(): void {
    this.#door.remapped();
    this.#life?.remapped();
  }

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
    const { seat } = this;
    if (this.within(PATIENCE_MS, () => this.leave())) return;
    // Whoever stands still in there grants nothing to one who wants nothing.
    this.setClaim(seat, 0);
    this.released();
  }

  /** What stands in our seat goes, with what others may need of it. Behind the door. */
  protected leave(): void {
    this.setClaim(this.seat, 0);
  }

  protected onClose(): void {
    this.mapping.dismiss(this);
    this.#rise(); // [close]
    this.#door.unbind();
  }

  describe(): string {
    return `the ${this.name} at ${this.offset}`;
  }

  protected override details(): Record<string, unknown> {
    return { offset: this.offset, seats: this.seats };
  }
}
