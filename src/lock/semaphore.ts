/**
 * A semaphore with a number of permits that comes back: what one who dies has of them is free again, unlike sem_overview(7) and
 * semop(2) without SEM_UNDO.
 */
import { checkInteger, checkOptions } from '../core/arguments.js';
import { IpcError, rangeError } from '../core/errors.js';
import { type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import type { Mapping } from '../mmap/index.js';
import { SEMAPHORE } from './claims.js';
import { type DeadOwner, Guard, type Guarded } from './guard.js';
import { OWN } from './layout.js';
import { Table, type Wish } from './table.js';
import { checkSeats, checkTable, createTable, formatTable, type SeatOptions } from './tableMemory.js';

/** How a semaphore is made. */
export interface SemaphoreCreateOptions extends SeatOptions {
  /** How many permits there are, 1 to 32767. */
  permits: number;
}

/** How many permits are wanted. */
export interface PermitOptions {
  /** 1 to all that there are, at once or not at all; 1 if omitted. */
  permits?: number;
}

const { most: MOST_PERMITS, wantedAt: WANTED_SHIFT, died: DIED } = SEMAPHORE;
const HELD = MOST_PERMITS;
const WANTED = MOST_PERMITS << WANTED_SHIFT;

const PERMITS = OWN;

/** A semaphore in shared memory. */
export class Semaphore extends Table implements Guarded {
  /** How many permits each guard has. */
  readonly #permits = new WeakMap<Guard, number>();
  #held = 0;

  private constructor(mapping: Mapping, offset: number) {
    super({ mapping, offset }, 'semaphore');
  }

  /**
   * Makes one in memory that is zero.
   *
   * @param offset bytes from the beginning of the mapping, a multiple of 64
   * @throws IpcError EEXIST; Error ERR_INTERPROC_LAYOUT if something else is there
   */
  static create(mapping: Mapping, offset: number, options: SemaphoreCreateOptions): Semaphore {
    const { seats, permits } = checkCreate(options);
    createTable({ mapping, offset }, 'semaphore', seats, [permits]);
    return new Semaphore(mapping, offset);
  }

  /** Uses the one that is there. @throws IpcError ENOENT; Error ERR_INTERPROC_LAYOUT */
  static open(mapping: Mapping, offset: number): Semaphore {
    checkTable({ mapping, offset }, 'semaphore');
    return new Semaphore(mapping, offset);
  }

  /** Uses the one that is there, with as many permits as it was made with, or makes it. */
  static openOrCreate(mapping: Mapping, offset: number, options: SemaphoreCreateOptions): Semaphore {
    const { seats, permits } = checkCreate(options);
    if (formatTable({ mapping, offset }, 'semaphore', seats, [permits])) return new Semaphore(mapping, offset);
    return Semaphore.open(mapping, offset);
  }

  /** How many permits there are, free or not. */
  get permits(): number {
    this.use();
    return this.load(PERMITS);
  }

  /** How many are free now, as far as the dead have been noticed. */
  get free(): number {
    this.use();
    return this.permits - this.#inUse();
  }

  /** Whether this thread has a permit, through this handle. */
  get held(): boolean {
    return this.#held > 0;
  }

  /**
   * Takes permits, waiting for them, in the order in which threads asked: who wants many is not overtaken for ever by those who want few.
   *
   * @returns to be released; `previousOwners` are those who have died having permits, which are free again
   * @throws IpcError ETIMEDOUT; EAGAIN if all seats are taken; RangeError for more than there are
   */
  async acquire(options: PermitOptions & WaitOptions = {}): Promise<Guard> {
    checkOptions(options, ['permits', ...WAIT_OPTIONS]);
    return this.waitFor(this.#wish(this.#count(options)), options);
  }

  /** The same, blocking this thread. @throws IpcError EDEADLK if this thread itself has so many that it would wait for ever */
  acquireSync(options: PermitOptions & SyncWaitOptions = {}): Guard {
    checkOptions(options, ['permits', 'timeoutMs']);
    const count = this.#count(options);
    if (count > this.permits - this.#held) {
      throw this.deadlock(
        `this thread has ${this.#held} of ${this.permits} itself, and could not release them meanwhile`,
      );
    }
    return this.waitForSync(this.#wish(count), options);
  }

  /** Takes permits if that is possible at once; `undefined` if not. */
  tryAcquire(options: PermitOptions = {}): Guard | undefined {
    checkOptions(options, ['permits']);
    return this.tryWish(this.#wish(this.#count(options)))?.got;
  }

  #count({ permits = 1 }: PermitOptions): number {
    checkInteger('permits', permits, 1, MOST_PERMITS);
    if (permits > this.permits)
      throw rangeError(`${permits} permits are wanted of a semaphore that has ${this.permits}`);
    return permits;
  }

  #wish(count: number): Wish<Guard> {
    let asked = false;
    let dead: readonly DeadOwner[] | undefined;
    return {
      ask: () => {
        if (asked) return;
        asked = true;
        this.takeTicket(this.seat);
        this.changeClaim(this.seat, (seen) => seen | (count << WANTED_SHIFT));
      },
      granted: () => {
        if ((this.claim & WANTED) !== 0) return false;
        dead = this.report();
        return true;
      },
      withdraw: () => {
        this.changeClaim(this.seat, (seen) => seen & ~WANTED);
      },
      got: () => {
        this.mapping.checkIntact();
        const guard = new Guard(this, dead === undefined ? undefined : { owners: dead, unrepaired: false });
        this.#permits.set(guard, count);
        this.#held += count;
        return guard;
      },
    };
  }

  protected override tellsOfDeath(claim: number): boolean {
    return (claim & DIED) !== 0;
  }

  protected died(_seat: number, claim: number): number {
    return (claim & HELD) === 0 ? claim & DIED : DIED;
  }

  #inUse(): number {
    let used = 0;
    const { top } = this;
    for (let seat = 0; seat < top; seat++) used += this.claimOf(seat) & HELD;
    return used;
  }

  protected settle(): void {
    let free = this.load(PERMITS) - this.#inUse();
    for (const seat of this.inOrder((claim) => (claim & WANTED) !== 0)) {
      const wanted = (this.claimOf(seat) & WANTED) >> WANTED_SHIFT;
      if (wanted > free) return;
      this.changeClaim(seat, (seen) => ((seen & WANTED) === 0 ? undefined : (seen & ~WANTED) + wanted)); // [grant]
      free -= wanted;
      this.tell(seat);
    }
  }

  protected override isInTheWay(claim: number): boolean {
    return (claim & HELD) !== 0;
  }

  /** @internal */
  giveBack(guard: Guard): void {
    const count = this.#permits.get(guard) ?? 0;
    this.#held -= count;
    this.changeClaim(this.seat, (seen) => seen - count); // [release]
    this.released();
  }

  /** @internal */
  makeConsistent(): void {
    throw new IpcError({
      code: 'EINVAL',
      syscall: 'semaphore',
      object: this.describe(),
      message: 'a semaphore protects nothing that could be repaired: its permits came back by themselves',
    });
  }
}

function checkCreate(options: SemaphoreCreateOptions): { seats: number; permits: number } {
  const seats = checkSeats(options, ['seats', 'permits']);
  const { permits } = options;
  checkInteger('permits', permits, 1, MOST_PERMITS);
  return { seats, permits };
}
