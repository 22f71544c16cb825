/** The latch: a count that goes down to zero once, which any number wait for. */
import { checkInteger, checkOptions } from '../core/arguments.js';
import { rangeError } from '../core/errors.js';
import { type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import type { Mapping } from '../mmap/index.js';
import { OWN } from './layout.js';
import { Table, type Wish } from './table.js';
import { checkSeats, checkTable, createTable, formatTable, type SeatOptions } from './tableMemory.js';

/** How a latch is made. */
export interface LatchCreateOptions extends SeatOptions {
  /** What is to be counted down, 1 to 2^31 - 1. */
  count: number;
}

const MOST_COUNT = 0x7fff_ffff;
/** The claim: some part of the thread waits. */
const WAITS = 1;

const COUNT = OWN;

/** A latch in shared memory. */
export class Latch extends Table {
  private constructor(mapping: Mapping, offset: number) {
    super({ mapping, offset }, 'latch');
  }

  /**
   * Makes one in memory that is zero.
   *
   * @param offset bytes from the beginning of the mapping, a multiple of 64
   * @throws IpcError EEXIST; Error ERR_INTERPROC_LAYOUT if something else is there
   */
  static create(mapping: Mapping, offset: number, options: LatchCreateOptions): Latch {
    const { seats, count } = checkCreate(options);
    createTable({ mapping, offset }, 'latch', seats, [count]);
    return new Latch(mapping, offset);
  }

  /** Uses the one that is there. @throws IpcError ENOENT; Error ERR_INTERPROC_LAYOUT */
  static open(mapping: Mapping, offset: number): Latch {
    checkTable({ mapping, offset }, 'latch');
    return new Latch(mapping, offset);
  }

  /** Uses the one that is there, whatever has been counted, or makes it. */
  static openOrCreate(mapping: Mapping, offset: number, options: LatchCreateOptions): Latch {
    const { seats, count } = checkCreate(options);
    if (formatTable({ mapping, offset }, 'latch', seats, [count])) return new Latch(mapping, offset);
    return Latch.open(mapping, offset);
  }

  /** What is left. */
  get count(): number {
    this.use();
    return this.load(COUNT);
  }

  /** A latch is waited for, never had. */
  get held(): boolean {
    return false;
  }

  /**
   * Counts down, in one step: who is killed has either counted or not. What one who dies would have counted stays.
   *
   * @param by 1 to what is left; 1 if omitted
   * @returns what is left
   * @throws RangeError for more than is left
   */
  countDown(by = 1): number {
    checkInteger('by', by, 1, MOST_COUNT);
    let left = 0;
    this.surely(() => {
      left = this.load(COUNT) - by;
      if (left >= 0) this.store(COUNT, left); // [count]
    });
    if (left < 0) throw rangeError(`by must be at most what is left, which is ${left + by}, got ${by}`);
    return left;
  }

  /** Waits until the count is zero. @throws IpcError ETIMEDOUT; EAGAIN if all seats are taken */
  async wait(options: WaitOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS);
    return this.waitFor(this.#wish(), options);
  }

  /** The same, blocking this thread. */
  waitSync(options: SyncWaitOptions = {}): void {
    checkOptions(options, ['timeoutMs']);
    this.waitForSync(this.#wish(), options);
  }

  #wish(): Wish<void> {
    return {
      ask: () => this.setClaim(this.seat, WAITS),
      granted: () => this.load(COUNT) === 0,
      withdraw: () => this.setClaim(this.seat, 0),
      got: () => {},
    };
  }

  protected died(): number {
    return 0;
  }

  protected settle(): void {
    if (this.load(COUNT) !== 0) return;
    const { top } = this;
    for (let seat = 0; seat < top; seat++) {
      if (this.claimOf(seat) === 0) continue;
      this.setClaim(seat, 0);
      this.tell(seat);
    }
  }
}

function checkCreate(options: LatchCreateOptions): { seats: number; count: number } {
  const seats = checkSeats(options, ['seats', 'count']);
  const { count } = options;
  checkInteger('count', count, 1, MOST_COUNT);
  return { seats, count };
}
