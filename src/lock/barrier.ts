/**
 * The barrier: so many threads wait until all of them have come. As pthread_barrier_t, but the dead are not counted: where glibc lets
 * the others go on without one who was killed, here they learn of it.
 */
import { checkInteger, checkOptions } from '../core/arguments.js';
import { IpcError } from '../core/errors.js';
import { type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import type { Mapping } from '../mmap/index.js';
import { BARRIER } from './claims.js';
import { OWN } from './layout.js';
import { Table, type Wish } from './table.js';
import { checkSeats, checkTable, createTable, formatTable, MOST_SEATS, type SeatOptions } from './tableMemory.js';

/** How a barrier is made. */
export interface BarrierCreateOptions extends SeatOptions {
  /** How many have to come, 1 to 1023. */
  parties: number;
}

const { most: MOST, passedAt: PASSED_SHIFT, brokenAt: BROKEN_SHIFT } = BARRIER;
const ARRIVED = 1;
const PASSED = 1 << PASSED_SHIFT;
const BROKEN = 1 << BROKEN_SHIFT;
const arrivedOf = (claim: number): number => claim & MOST;
const passedOf = (claim: number): number => (claim >>> PASSED_SHIFT) & MOST;
const brokenOf = (claim: number): number => (claim >>> BROKEN_SHIFT) & MOST;

const PARTIES = OWN;
/** Rounds that are over. */
const ROUND = OWN + 4;
/** While a round ends: PASSED or BROKEN, for all who have arrived; else 0. Who finds it ends the round for the one who died doing so. */
const OUTCOME = OWN + 8;
/** One who took part has died in this round. */
const DEATH = OWN + 12;

/** A barrier in shared memory. */
export class Barrier extends Table {
  /** Of the wait that is just arriving: it was the last. */
  #last = false;

  private constructor(mapping: Mapping, offset: number) {
    super({ mapping, offset }, 'barrier');
  }

  /**
   * Makes one in memory that is zero.
   *
   * @param offset bytes from the beginning of the mapping, a multiple of 64
   * @throws IpcError EEXIST; Error ERR_INTERPROC_LAYOUT if something else is there
   */
  static create(mapping: Mapping, offset: number, options: BarrierCreateOptions): Barrier {
    const { seats, parties } = checkCreate(options);
    createTable({ mapping, offset }, 'barrier', seats, [parties]);
    return new Barrier(mapping, offset);
  }

  /** Uses the one that is there. @throws IpcError ENOENT; Error ERR_INTERPROC_LAYOUT */
  static open(mapping: Mapping, offset: number): Barrier {
    checkTable({ mapping, offset }, 'barrier');
    return new Barrier(mapping, offset);
  }

  /** Uses the one that is there, for as many as it was made for, or makes it. */
  static openOrCreate(mapping: Mapping, offset: number, options: BarrierCreateOptions): Barrier {
    const { seats, parties } = checkCreate(options);
    if (formatTable({ mapping, offset }, 'barrier', seats, [parties])) return new Barrier(mapping, offset);
    return Barrier.open(mapping, offset);
  }

  /** How many have to come. */
  get parties(): number {
    this.use();
    return this.load(PARTIES);
  }

  /** A barrier is waited at, never had. */
  get held(): boolean {
    return false;
  }

  /**
   * Waits until as many have come as the barrier is for (pthread_barrier_wait(3)). An abort takes the arrival back, and the others go on
   * waiting.
   *
   * A thread takes part from its first wait on until `close()`. If it dies before, however it does, the round is broken for everybody who has arrived, and if
   * nobody has, for the first who comes; the next round begins with those who come then.
   *
   * @returns true for the one who came last, once in each round
   * @throws IpcError EOWNERDEAD: the round was broken; ETIMEDOUT; EAGAIN if all seats are taken
   */
  async wait(options: WaitOptions = {}): Promise<boolean> {
    checkOptions(options, WAIT_OPTIONS);
    return this.waitFor(this.#arrival(), options);
  }

  /** The same, blocking this thread. */
  waitSync(options: SyncWaitOptions = {}): boolean {
    checkOptions(options, ['timeoutMs']);
    return this.waitForSync(this.#arrival(), options);
  }

  #arrival(): Wish<boolean> {
    let asked = false;
    let last = false;
    let broken = false;
    return {
      early: true,
      ask: () => {
        if (asked) return;
        asked = true;
        this.changeClaim(this.seat, (seen) => seen + ARRIVED); // [arrive]
        this.settle();
        last = this.#last;
        this.#last = false;
      },
      granted: () => {
        const { claim } = this;
        broken = passedOf(claim) === 0;
        if (broken && brokenOf(claim) === 0) return false;
        this.changeClaim(this.seat, (seen) => seen - (broken ? BROKEN : PASSED));
        return true;
      },
      withdraw: () => {
        this.changeClaim(this.seat, (seen) => (arrivedOf(seen) === 0 ? undefined : seen - ARRIVED));
      },
      got: () => {
        if (broken) throw this.#brokenRound();
        return last;
      },
    };
  }

  /** A round that somebody was just ending is ended before anything else happens. */
  protected override bury(): void {
    this.#end();
    super.bury();
  }

  /** [note-death] */
  protected died(): number {
    this.store(DEATH, 1);
    return 0;
  }

  protected settle(): void {
    let arrived = 0;
    const { top } = this;
    for (let seat = 0; seat < top; seat++) arrived += arrivedOf(this.claimOf(seat));
    if (arrived === 0) return;
    if (this.load(DEATH) !== 0) {
      this.store(OUTCOME, BROKEN); // [break]
    } else if (arrived >= this.load(PARTIES)) {
      this.store(OUTCOME, PASSED); // [pass]
      this.#last = true;
    }
    this.#end();
  }

  /** What was decided is told to all who have arrived; can be done again at any of its steps. [end-round] */
  #end(): void {
    const outcome = this.load(OUTCOME);
    if (outcome === 0) return;
    const { top } = this;
    for (let seat = 0; seat < top; seat++) {
      const before = this.changeClaim(seat, (seen) => {
        const arrived = arrivedOf(seen);
        return arrived === 0 ? undefined : seen - arrived + arrived * (outcome === PASSED ? PASSED : BROKEN);
      });
      if (arrivedOf(before) > 0) this.tell(seat);
    }
    if (outcome !== PASSED) this.store(DEATH, 0);
    this.store(ROUND, (this.load(ROUND) + 1) | 0);
    this.store(OUTCOME, 0);
  }

  #brokenRound(): IpcError {
    return new IpcError({
      code: 'EOWNERDEAD',
      syscall: 'barrier',
      object: this.describe(),
      message: 'one who took part has died: the round is broken for all who had come',
    });
  }

  /** Others count on whoever takes part. */
  protected override mayLeave(): boolean {
    return false;
  }

  /** Whoever takes part may break the round. */
  protected override isInTheWay(_claim: number, seat: number): boolean {
    return this.lives(seat);
  }
}

function checkCreate(options: BarrierCreateOptions): { seats: number; parties: number } {
  const seats = checkSeats(options, ['seats', 'parties']);
  const { parties } = options;
  checkInteger('parties', parties, 1, Math.min(MOST, MOST_SEATS));
  return { seats, parties };
}
