/**
 * The lock of readers and writers: any number may read, or one may write. As pthread_rwlock_t, but whoever dies with it is
 * noticed: glibc's is blocked for ever by one killed reader.
 */
import { inspect } from 'node:util';
import { checkOptions } from '../core/arguments.js';
import { argumentError, IpcError } from '../core/errors.js';
import { type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import type { Mapping } from '../mmap/index.js';
import { RWLOCK } from './claims.js';
import { type DeadOwner, Guard, type Guarded } from './guard.js';
import { OWN } from './layout.js';
import { Table, type Wish } from './table.js';
import { checkSeats, checkTable, createTable, formatTable, type SeatOptions } from './tableMemory.js';

/** For what somebody has, or wants, the lock. */
export type RwLockMode = 'read' | 'write';

const {
  readers: READERS,
  wantsRead: WANTS_READ,
  wantsWrite: WANTS_WRITE,
  writes: WRITES,
  diedReading: DIED_READING,
  diedWriting: DIED_WRITING,
} = RWLOCK;
const WANTS = WANTS_READ | WANTS_WRITE;
const DIED = DIED_READING | DIED_WRITING;

/** What the lock protects: written by who has it for writing, and behind the door. */
const CONSISTENCY = OWN;
const CONSISTENT = 0;
/** A writer died. */
const INCONSISTENT = 1;
/** Nobody has repaired that. */
const BROKEN = 2;

/** What is wanted is had, alone or with others; one who has left meanwhile wants nothing. */
function granted(claim: number, alone: boolean): number | undefined {
  if ((claim & WANTS) === 0) return undefined;
  return alone ? (claim & ~WANTS) | WRITES : (claim & ~WANTS) + 1;
}

/** Without what was wanted, whether it was granted meanwhile or not. */
function withoutWish(claim: number, wanted: number): number {
  if ((claim & WANTS) !== 0) return claim & ~WANTS;
  if ((claim & WRITES) !== 0) return claim & ~WRITES;
  return wanted === WANTS_READ && (claim & READERS) > 0 ? claim - 1 : claim;
}

/** A lock of readers and writers in shared memory. */
export class RwLock extends Table implements Guarded {
  /** Which of the guards are for writing. */
  readonly #writers = new WeakSet<Guard>();
  /** Those that were asked for reading and are alone as long as what a dead writer has left is not repaired. */
  readonly #repairing = new WeakSet<Guard>();
  #guards = 0;

  private constructor(mapping: Mapping, offset: number) {
    super({ mapping, offset }, 'rwlock');
  }

  /**
   * Makes one in memory that is zero.
   *
   * @param offset bytes from the beginning of the mapping, a multiple of 64
   * @throws IpcError EEXIST; Error ERR_INTERPROC_LAYOUT if something else is there
   */
  static create(mapping: Mapping, offset: number, options: SeatOptions = {}): RwLock {
    createTable({ mapping, offset }, 'rwlock', checkSeats(options), []);
    return new RwLock(mapping, offset);
  }

  /** Uses the one that is there. @throws IpcError ENOENT; Error ERR_INTERPROC_LAYOUT */
  static open(mapping: Mapping, offset: number): RwLock {
    checkTable({ mapping, offset }, 'rwlock');
    return new RwLock(mapping, offset);
  }

  /** Uses the one that is there, or makes it. Of several who do so at once one makes it. */
  static openOrCreate(mapping: Mapping, offset: number, options: SeatOptions = {}): RwLock {
    if (formatTable({ mapping, offset }, 'rwlock', checkSeats(options), [])) return new RwLock(mapping, offset);
    return RwLock.open(mapping, offset);
  }

  /** Whether this thread has it, through this handle. */
  get held(): boolean {
    return this.#guards > 0;
  }

  /**
   * Takes it, for reading together with others or for writing alone, in the order in which threads asked: readers do not overtake a
   * writer who waits, so neither wait for ever. A thread that reads and wants to read again while a writer waits would wait for
   * itself.
   *
   * @throws IpcError ENOTRECOVERABLE: a writer has died, and who had the lock after him did not repair what it protects; ETIMEDOUT; EAGAIN if all seats are taken
   */
  async lock(mode: RwLockMode, options?: WaitOptions): Promise<Guard> {
    checkMode(mode);
    checkOptions(options, WAIT_OPTIONS);
    return this.waitFor(this.#wish(mode), options);
  }

  /** The same, blocking this thread. @throws IpcError EDEADLK if another part of this thread has it and is in the way */
  lockSync(mode: RwLockMode, options?: SyncWaitOptions): Guard {
    checkMode(mode);
    checkOptions(options, ['timeoutMs']);
    if (this.held && (mode === 'write' || (this.claim & WRITES) !== 0)) {
      throw this.deadlock('this thread has it already, and could not release it meanwhile');
    }
    return this.waitForSync(this.#wish(mode), options);
  }

  /** Takes it if that is possible at once; `undefined` if not. */
  tryLock(mode: RwLockMode): Guard | undefined {
    checkMode(mode);
    return this.tryWish(this.#wish(mode))?.got;
  }

  #wish(mode: RwLockMode): Wish<Guard> {
    const wanted = mode === 'read' ? WANTS_READ : WANTS_WRITE;
    let broken = false;
    let consistent = true;
    let asked = false;
    let dead: readonly DeadOwner[] | undefined;
    return {
      ask: () => {
        if (asked) return;
        asked = true;
        // Before the claim: who finds the claim finds the ticket.
        this.takeTicket(this.seat);
        this.changeClaim(this.seat, (seen) => seen | wanted);
      },
      granted: () => {
        broken = this.load(CONSISTENCY) === BROKEN;
        if (broken) {
          this.changeClaim(this.seat, (seen) => withoutWish(seen, wanted));
          return true;
        }
        if ((this.claim & WANTS) !== 0) return false;
        consistent = this.load(CONSISTENCY) === CONSISTENT;
        dead = this.report();
        return true;
      },
      withdraw: () => {
        this.changeClaim(this.seat, (seen) => seen & ~WANTS);
      },
      got: () => {
        if (broken) throw this.#broken();
        this.mapping.checkIntact();
        const guard = new Guard(
          this,
          consistent && dead === undefined ? undefined : { owners: dead ?? [], unrepaired: !consistent },
        );
        if ((this.claim & WRITES) !== 0) this.#writers.add(guard);
        if (!consistent && mode === 'read') this.#repairing.add(guard);
        this.#guards++;
        return guard;
      },
    };
  }

  protected override tellsOfDeath(claim: number): boolean {
    return (claim & DIED) !== 0;
  }

  protected died(_seat: number, claim: number): number {
    if ((claim & WRITES) !== 0) {
      if (this.load(CONSISTENCY) === CONSISTENT) this.store(CONSISTENCY, INCONSISTENT); // [inconsistent]
      return DIED_WRITING;
    }
    return (claim & READERS) === 0 ? claim & DIED : DIED_READING;
  }

  protected settle(): void {
    let readers = 0;
    let writers = 0;
    const { top } = this;
    for (let seat = 0; seat < top; seat++) {
      const claim = this.claimOf(seat);
      readers += claim & READERS;
      if ((claim & WRITES) !== 0) writers++;
    }
    // Second: who breaks it says so before he goes.
    const consistency = this.load(CONSISTENCY);
    for (const seat of this.inOrder((claim) => (claim & WANTS) !== 0)) {
      if (consistency === BROKEN) {
        this.tell(seat);
        continue;
      }
      const reads = (this.claimOf(seat) & WANTS_READ) !== 0;
      // Who comes first after a dead writer is alone, to repair what that one has left.
      const alone = !reads || consistency === INCONSISTENT;
      if (writers > 0 || (alone && readers > 0)) return;
      this.changeClaim(seat, (seen) => granted(seen, alone)); // [grant]
      if (alone) writers++;
      else readers++;
      this.tell(seat);
    }
  }

  protected override isInTheWay(claim: number): boolean {
    return (claim & (READERS | WRITES)) !== 0;
  }

  /** @internal */
  giveBack(guard: Guard): void {
    this.#guards--;
    const writes = this.#writers.has(guard);
    if (guard.ownerDied && writes) {
      // Who does not repair what it protects makes it useless.
      this.store(CONSISTENCY, BROKEN); // [break]
    }
    this.changeClaim(this.seat, (seen) => (writes ? seen & ~WRITES : (seen & READERS) === 0 ? undefined : seen - 1)); // [release]
    this.released();
  }

  /** @internal */
  makeConsistent(guard: Guard): void {
    if (!guard.ownerDied) {
      throw new IpcError({
        code: 'EINVAL',
        syscall: 'rwlock',
        object: this.describe(),
        message: 'no writer died, or its death was repaired already',
      });
    }
    // We have it alone, so nobody else writes that.
    this.store(CONSISTENCY, CONSISTENT); // [mark-consistent]
    if (!this.#repairing.has(guard)) return;
    this.#writers.delete(guard);
    this.changeClaim(this.seat, (seen) => (seen & ~WRITES) + 1);
    this.released();
  }

  #broken(): IpcError {
    return new IpcError({
      code: 'ENOTRECOVERABLE',
      syscall: 'rwlock',
      object: this.describe(),
      message: 'a writer died, and who had the lock after him did not call markConsistent()',
    });
  }
}

function checkMode(mode: unknown): asserts mode is RwLockMode {
  if (mode === 'read' || mode === 'write') return;
  throw argumentError(`mode must be 'read' or 'write', got ${inspect(mode, { depth: 0 })}`);
}
