/** A lock that somebody has, to be given back once. */
import { inspect } from 'node:util';
import { IpcError } from '../core/errors.js';

/** Who had the lock and died. */
export interface DeadOwner {
  /** The process; `undefined` for one that was not ours: a C program leaves the number of its thread only. */
  pid: number | undefined;
  /** The thread (gettid(2)); `undefined` if it died in the very moment of taking or releasing the lock. */
  tid: number | undefined;
}

/** Of whom a guard tells. */
export interface Death {
  owners: readonly DeadOwner[];
  /** What the lock protects has not been repaired. */
  unrepaired: boolean;
}

/** What a guard gives back to. */
export interface Guarded {
  /** @internal */
  giveBack(guard: Guard): void;
  /** @internal */
  makeConsistent(guard: Guard): void;
}

/**
 * A lock that is held. `using guard = await mutex.lock()` releases it at the end of the block.
 *
 * It belongs to the thread of JavaScript that took the lock, and lasts at most as long as it.
 */
export class Guard {
  declare private lock: Guarded | undefined;
  declare private death: Death | undefined;

  /** @internal */
  constructor(lock: Guarded, death: Death | undefined) {
    this.lock = lock;
    this.death = death;
  }

  /** Whether it was given back. */
  get released(): boolean {
    return this.lock === undefined;
  }

  /**
   * Whether the owner before has died with the lock, so that what it protects may be half changed: repair it, and say so by `markConsistent()`.
   * Releasing without makes the lock useless for everybody (ENOTRECOVERABLE), as POSIX has it.
   */
  get ownerDied(): boolean {
    return this.death?.unrepaired === true;
  }

  /** Who died having the lock, the first of them if there were several. */
  get previousOwner(): DeadOwner | undefined {
    return this.death?.owners[0];
  }

  /** All who died having the lock since somebody was told last. Each death is told to one guard. */
  get previousOwners(): readonly DeadOwner[] {
    return this.death?.owners ?? [];
  }

  /**
   * What the lock protects is whole again (pthread_mutex_consistent(3)).
   *
   * @throws IpcError EINVAL if no owner has died, or it was said already
   */
  markConsistent(): void {
    this.lockHeld().makeConsistent(this);
    if (this.death !== undefined) this.death.unrepaired = false;
  }

  /** Gives the lock back; a second time it does nothing. Who waits for it gets it. */
  release(): void {
    const lock = this.lock;
    if (lock === undefined) return;
    this.lock = undefined;
    lock.giveBack(this);
  }

  /** `using guard = …` gives it back at the end of the block. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** @internal */
  [inspect.custom](_depth: number, options: object): string {
    const { released, ownerDied, previousOwners } = this;
    return `Guard ${inspect({ released, ownerDied, previousOwners }, options)}`;
  }

  /** The lock, if it is this one's and held. @internal */
  lockOf(): Guarded | undefined {
    return this.lock;
  }

  /** It has the lock again, after a condition was waited for. @internal */
  again(lock: Guarded, from: Guard): void {
    this.lock = lock;
    this.death = from.death;
    from.lock = undefined;
  }

  /** The lock has gone meanwhile. @internal */
  lose(): Guarded {
    const lock = this.lockHeld();
    this.lock = undefined;
    return lock;
  }

  private lockHeld(): Guarded {
    if (this.lock !== undefined) return this.lock;
    throw new IpcError({ code: 'EPERM', syscall: 'pthread_mutex_unlock', message: 'this guard has been released' });
  }
}
