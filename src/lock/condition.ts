/**
 * The condition variable: waiting, without the mutex, until somebody says that something has changed. As pthread_cond_t, but one who
 * is killed while he waits is forgotten: glibc's hangs for ever after that.
 */
import { checkOptions } from '../core/arguments.js';
import { argumentError, IpcError } from '../core/errors.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import type { Mapping } from '../mmap/index.js';
import { Guard } from './guard.js';
import { OWN } from './layout.js';
import { Mutex } from './mutex.js';
import { Table, type Wish } from './table.js';
import { checkSeats, checkTable, createTable, formatTable, type SeatOptions } from './tableMemory.js';

/* The claim: how many parts of the thread wait, and for how many of them there is a signal. */
const WAITING = 0x7fff;
const SIGNALLED_SHIFT = 15;
const SIGNAL = 1 << SIGNALLED_SHIFT;

/** Signals for those who have died before they knew, to be given to others. Behind the door. */
const LEFT = OWN;

const signalledOf = (claim: number): number => (claim >>> SIGNALLED_SHIFT) & WAITING;
const isWaiting = (claim: number): boolean => (claim & WAITING) > signalledOf(claim);

/** A condition variable in shared memory. */
export class Condition extends Table {
  /** Signals that this thread has got, and not given to one who waits. */
  #signals = 0;

  private constructor(mapping: Mapping, offset: number) {
    super({ mapping, offset }, 'condition');
  }

  /**
   * Makes one in memory that is zero.
   *
   * @param offset bytes from the beginning of the mapping, a multiple of 64
   * @throws IpcError EEXIST; Error ERR_INTERPROC_LAYOUT if something else is there
   */
  static create(mapping: Mapping, offset: number, options: SeatOptions = {}): Condition {
    createTable({ mapping, offset }, 'condition', checkSeats(options), []);
    return new Condition(mapping, offset);
  }

  /** Uses the one that is there. @throws IpcError ENOENT; Error ERR_INTERPROC_LAYOUT */
  static open(mapping: Mapping, offset: number): Condition {
    checkTable({ mapping, offset }, 'condition');
    return new Condition(mapping, offset);
  }

  /** Uses the one that is there, or makes it. Of several who do so at once one makes it. */
  static openOrCreate(mapping: Mapping, offset: number, options: SeatOptions = {}): Condition {
    if (formatTable({ mapping, offset }, 'condition', checkSeats(options), [])) return new Condition(mapping, offset);
    return Condition.open(mapping, offset);
  }

  /** A condition is waited for, never had. */
  get held(): boolean {
    return false;
  }

  /**
   * Releases the mutex, waits for a signal, and takes the mutex again (pthread_cond_wait(3)), without a gap between the first two in which
   * a signal could be missed. It may return for no reason: look again at what you wait for. Whatever ends the wait, an abort too, the guard has
   * the mutex again, and `ownerDied` says whether an owner has died meanwhile.
   *
   * @param guard of a mutex, held once
   * @throws IpcError EPERM if the guard is released; ETIMEDOUT; ENOTRECOVERABLE of the mutex, which is not held then
   */
  async wait(guard: Guard, options: WaitOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS);
    checkSignal(options.signal);
    checkTimeout(options.timeoutMs);
    const mutex = mutexOf(guard);
    const registered = this.eventually(() => this.#register());
    if (registered !== undefined) await registered;
    this.#release(mutex, guard); // [release-mutex]
    try {
      await this.waitFor(this.#wish(), options);
    } finally {
      guard.again(mutex, await mutex.lock());
    }
  }

  /** The same, blocking this thread. @throws IpcError EDEADLK if other parts of this thread wait already */
  waitSync(guard: Guard, options: SyncWaitOptions = {}): void {
    checkOptions(options, ['timeoutMs']);
    checkTimeout(options.timeoutMs);
    const mutex = mutexOf(guard);
    this.checkBlocking();
    this.surely(() => this.#register());
    this.#release(mutex, guard); // [release-mutex]
    try {
      this.waitForSync(this.#wish(), options);
    } finally {
      guard.again(mutex, mutex.lockSync());
    }
  }

  /** From here on a signal counts for us. Behind the door. [register] */
  #register(): void {
    this.sit();
    if ((this.claim & WAITING) === 0) this.takeTicket(this.seat);
    this.changeClaim(this.seat, (seen) => seen + 1);
  }

  /** Who may not release the mutex does not wait either. */
  #release(mutex: Mutex, guard: Guard): void {
    try {
      mutex.release(guard);
    } catch (why) {
      const wish = this.#wish();
      // The signal that has come meanwhile is for another one.
      this.surely(() => (wish.granted() ? this.add(LEFT, 1) : wish.withdraw()));
      throw why;
    }
  }

  #wish(): Wish<void> {
    return {
      asked: true,
      ask: () => {},
      granted: () => {
        if (this.#signals === 0) this.#collect();
        if (this.#signals === 0) return false;
        this.#signals--;
        return true;
      },
      withdraw: () => {
        this.changeClaim(this.seat, (seen) => ((seen & WAITING) === 0 ? undefined : seen - 1));
      },
      got: () => {},
    };
  }

  /** [consume] */
  #collect(): void {
    const before = this.changeClaim(this.seat, (seen) => {
      const signalled = signalledOf(seen);
      return signalled === 0 ? undefined : Math.max(0, (seen & WAITING) - signalled);
    });
    this.#signals += signalledOf(before);
  }

  /** Wakes the one who has waited longest, if anybody waits (pthread_cond_signal(3)). Threads with several waits take turns with others. */
  signal(): void {
    this.surely(() => {
      this.#signalOne();
    });
  }

  /** Wakes all who wait (pthread_cond_broadcast(3)). */
  broadcast(): void {
    this.surely(() => {
      for (const seat of this.inOrder(isWaiting)) {
        this.changeClaim(seat, (seen) => (seen & WAITING) | ((seen & WAITING) << SIGNALLED_SHIFT));
        this.tell(seat);
      }
    });
  }

  /** Whether there was one who waits. [signal] */
  #signalOne(): boolean {
    for (const seat of this.inOrder(isWaiting)) {
      const before = this.changeClaim(seat, (seen) => (isWaiting(seen) ? seen + SIGNAL : undefined));
      if (!isWaiting(before)) continue; // its handle is being closed
      this.takeTicket(seat);
      this.tell(seat);
      return true;
    }
    return false;
  }

  /** One signal too many is nothing: a wait may end for no reason. So it is noted before the claim goes. */
  protected died(_seat: number, claim: number): number {
    this.add(LEFT, signalledOf(claim)); // [note-signal]
    return 0;
  }

  /** What those of this thread have not used goes to others. */
  protected override leave(): void {
    let noted = 0;
    this.changeClaim(this.seat, (claim) => {
      const signals = this.#signals + signalledOf(claim);
      this.add(LEFT, signals - noted);
      noted = signals;
      return 0;
    });
    this.#signals = 0;
  }

  /** What the dead have not used goes to others. [pass-on-signal] */
  protected settle(): void {
    while (this.load(LEFT) > 0) {
      if (this.#signalOne()) this.add(LEFT, -1);
      else this.store(LEFT, 0);
    }
  }
}

function mutexOf(guard: Guard): Mutex {
  if (!(guard instanceof Guard)) throw argumentError('guard must be the guard of a mutex');
  const lock = guard.lockOf();
  if (lock === undefined) {
    throw new IpcError({
      code: 'EPERM',
      syscall: 'pthread_cond_wait',
      message: 'the guard has been released: nobody may wait without the mutex',
    });
  }
  if (!(lock instanceof Mutex)) throw argumentError('a condition is waited for with the guard of a Mutex');
  return lock;
}
