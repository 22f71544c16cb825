/**
 * The door and the seats of a table: who takes part, who has died, and how what is common is changed.
 *
 * glibc's own are not crash-safe between processes, so these are not theirs. Whoever changes a table is behind its door, a robust mutex.
 * Each thread that takes part has a seat, whose robust mutex it holds for as long as it does: the kernel itself tells of its death. All
 * that a thread has and wants is one word, its claim. Nothing else is stored: what is free is what the claims leave. So whoever
 * dies at whatever step leaves a table that is right, and the next one behind the door only has to take the dead one's claim away and to
 * go on. (docs/design/locks.md; the labels in brackets are those of the models in model/.)
 */
import { performance } from 'node:perf_hooks';
import { EBUSY, EDEADLK, EOWNERDEAD } from '../core/errno.js';
import { codedError, IpcError } from '../core/errors.js';
import { atExit } from '../core/exit.js';
import { Handle } from '../core/handle.js';
import type { Mapping } from '../mmap/index.js';
import { native } from '../sys/index.js';
import type { DeadOwner } from './guard.js';
import {
  DIRTY,
  HANDLED,
  type ObjectName,
  OWNER,
  OWNER_DIED,
  SEAT_BYTES,
  SEAT_CLAIM,
  SEAT_DEAD_TID,
  SEAT_PID,
  SEAT_TICKET,
  SEAT_WAKE,
  SEATS,
  TABLE_BYTES,
  TICKET,
  TID_MASK,
  TOP,
} from './layout.js';
import { wordAt } from './place.js';
import { Robust } from './robust.js';
import type { Place } from './tableMemory.js';

/** How long somebody else may be behind the door before a wait leaves the thread of JavaScript. It is a matter of microseconds. */
export const PATIENCE_MS = 2;
/** A blocked thread looks up this often, so that a worker can be terminated. */
export const SLICE_MS = 50;

/** The seat that this thread has at a table, through one handle, and all that is done behind the door. */
export abstract class Seats extends Handle {
  readonly mapping: Mapping;
  readonly offset: number;
  readonly name: ObjectName;
  readonly seats: number;
  readonly #door: Robust;
  /** The first word of the table in the mapping. */
  protected readonly base: number;
  /** Our seat, -1 while we have none. */
  protected seat = -1;
  #life: Robust | undefined;
  #stayAtExit: (() => void) | undefined;
  #inside = false;
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
  }

  // ---- words

  protected get words(): Int32Array {
    return this.mapping.int32;
  }

  /** A word of the table. */
  protected load(offset: number): number {
    return Atomics.load(this.words, this.base + offset / 4);
  }

  /** In one step, whatever others do to it meanwhile. */
  protected add(offset: number, amount: number): void {
    Atomics.add(this.words, this.base + offset / 4, amount);
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

  /** Seats of which this holds. */
  protected seatsWhere(holds: (claim: number, seat: number) => boolean): number[] {
    const found: number[] = [];
    const { top } = this;
    for (let seat = 0; seat < top; seat++) if (holds(this.claimOf(seat), seat)) found.push(seat);
    return found;
  }

  /** Seats for which `wants` holds, in the order of their tickets. Behind the door. */
  protected inOrder(wants: (claim: number) => boolean): number[] {
    // Tickets run over: their distance counts.
    return this.seatsWhere(wants).sort((one, other) => (this.ticketOf(one) - this.ticketOf(other)) | 0);
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
      this.store(HANDLED, seen);
      this.bury();
      try {
        change?.();
      } finally {
        this.settle(); // also of what was found dead by one who cannot sit down
      }
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
      if (this.mayLeave()) this.rise();
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
  protected rise(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    this.seat = -1;
    this.#stayAtExit?.();
    life.give();
    life.unbind();
  }

  /** @internal */
  remapped(): void {
    this.#door.remapped();
    this.#life?.remapped();
  }

  /** What a stranger has written there cannot be. */
  protected damaged(what: string): Error {
    return codedError('ERR_INTERPROC_LAYOUT', `${this.describe()} ${what}: its memory was overwritten`);
  }

  /** Nothing is done here any more. */
  protected letGo(): void {
    this.rise(); // [close]
    this.#door.unbind();
  }

  describe(): string {
    return `the ${this.name} at ${this.offset}`;
  }

  protected override details(): Record<string, unknown> {
    return { offset: this.offset, seats: this.seats };
  }
}
