/** A lock that is held: what it is on, how it is converted, and how it is given back. */
import { callBlocking, callBlockingSync } from '../core/blocking.js';
import { EAGAIN } from '../core/errno.js';
import { check, IpcError } from '../core/errors.js';
import { Handle } from '../core/handle.js';
import { traceOf } from '../core/trace.js';
import { type Awaited, checkSyncWait, checkWait, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import type { OpenFile } from './file.js';
import { locksThrough, ofProcess } from './kernelLocks.js';
import { type Kind, RECORD } from './kind.js';
import { cover, type Range } from './range.js';

const trace = traceOf('filelock');

interface Held {
  kind: Kind;
  file: OpenFile;
  range: Range;
  /** Ends the claim to the range in this process. */
  unclaim: () => void;
}

function letGo({ file, unclaim }: Held): void {
  file.close();
  unclaim();
}

function giveBack(held: Held): void {
  held.kind.give(held.file.fd, held.range);
  letGo(held);
}

const abandoned = new FinalizationRegistry<Held>((held) => {
  giveBack(held);
  process.emitWarning(`a lock (${held.kind.name}) on ${held.file.name} was garbage collected without release()`, {
    type: 'InterprocWarning',
    code: 'INTERPROC_NOT_CLOSED',
  });
});

/** A lock on a file, held until it is released: `using lock = await filelock.ofd.acquire(path)`. */
export class FileLock extends Handle {
  readonly #held: Held;
  #shared: boolean;
  #gap = false;
  #lost = false;
  #converting = false;
  #leaving = false;

  /** @internal */
  constructor(kind: Kind, file: OpenFile, range: Range, shared: boolean, unclaim: () => void) {
    super();
    this.#held = { kind, file, range, unclaim };
    this.#shared = shared;
    abandoned.register(this, this.#held, this);
    trace('acquire', { kind: kind.name, file: file.name, shared, ...range });
  }

  /** Which of the three it is. */
  get kind(): 'flock' | 'record' | 'ofd' {
    return this.#held.kind.name;
  }

  /** The path by which it was taken, or the number that the caller's descriptor had. */
  get file(): string | number {
    return this.#held.file.name;
  }

  /** The descriptor through which it is held, -1 once it is released. It is close-on-exec; a child that is given it shares a `flock` or `ofd` lock. */
  get fd(): number {
    return this.closed ? -1 : this.#held.file.fd;
  }

  /** The first byte that is locked. */
  get offset(): bigint {
    return this.#held.range.offset;
  }

  /** How many bytes are locked, 0 for all up to the end. */
  get length(): bigint {
    return this.#held.range.length;
  }

  /** Whether others may have a shared lock there, too. */
  get shared(): boolean {
    return this.#shared;
  }

  /**
   * Whether a conversion gave the lock up for a moment: another may have had it exclusively, and what was read before has to be read
   * again. Only a `flock` lock that had to wait, or did not get through, has such a gap.
   */
  get gap(): boolean {
    return this.#gap;
  }

  /** Whether a conversion has lost the lock: somebody else was quicker. It is closed then. */
  get lost(): boolean {
    return this.#lost;
  }

  /**
   * Whether the kernel says that this lock is held (proc_pid_fdinfo(5)). A record lock is gone when any part of this process
   * has closed the file meanwhile, a lock on a descriptor of yours when that was unlocked by other means.
   */
  isHeld(): boolean {
    if (this.closed) return false;
    const { kind, file, range } = this.#held;
    const locks = (kind === RECORD ? ofProcess(file.fd) : locksThrough(file.fd)).filter(
      (lock) => lock.kind === kind.name && !lock.waiting,
    );
    return cover(
      locks.filter(({ shared }) => this.#shared || !shared),
      range,
    );
  }

  /**
   * Makes a shared lock exclusive; waits until nobody else shares it.
   *
   * `record` and `ofd` keep the shared lock until then. Two that share a lock and both upgrade wait for each other: of records
   * one gets `EDEADLK`, of the others nobody ever does, so give a time-out. A `flock` that must wait gives its shared lock up
   * (flock(2)): `gap` is true then. After an abort or a time-out it is shared again, or `lost` if another has it exclusively.
   *
   * @throws IpcError ETIMEDOUT, EDEADLK (record), EBADF (`record` and `ofd` need a file that is open for writing)
   */
  async upgrade(options: WaitOptions = {}): Promise<void> {
    this.#usable();
    checkWait(options);
    if (this.#tryExclusive()) return;
    const { kind, file, range } = this.#held;
    this.#converting = true;
    try {
      const result = await callBlocking(kind.begin(file.fd, false, range), options, this.#awaited(), this);
      check(result, kind.waitSyscall, file.subject);
      this.#shared = false;
    } finally {
      this.#converted();
    }
    this.use();
  }

  /** As `upgrade`, blocking this thread. */
  upgradeSync(options: SyncWaitOptions = {}): void {
    this.#usable();
    checkSyncWait(options);
    if (this.#tryExclusive()) return;
    const { kind, file, range } = this.#held;
    this.#converting = true;
    try {
      const result = callBlockingSync(kind.begin(file.fd, false, range), options, this.#awaited());
      check(result, kind.waitSyscall, file.subject);
      this.#shared = false;
    } finally {
      this.#converted();
    }
  }

  /**
   * Makes a shared lock exclusive at once; false if others share it. Then it is still shared, but a `flock` was given up for a
   * moment (`gap`), or is `lost`.
   */
  tryUpgrade(): boolean {
    this.#usable();
    const exclusive = this.#tryExclusive();
    if (!exclusive) this.#regain();
    return exclusive;
  }

  /**
   * Makes an exclusive lock shared, at once.
   *
   * @throws IpcError EAGAIN where another lock got between: flock(2) does not promise that none can, and then the lock is `lost`;
   *   EBADF (`record` and `ofd` need a file that is open for reading)
   */
  downgrade(): void {
    this.#usable();
    if (this.#shared) return;
    const { kind, file, range } = this.#held;
    const taken = kind.take(file.fd, true, range);
    if (taken === -EAGAIN) this.#lose();
    check(taken, kind.syscall, file.subject);
    this.#shared = true;
    trace('downgrade', { kind: kind.name, file: file.name });
  }

  /** Gives the lock back. Calling it again does nothing. */
  release(): void {
    this.close();
  }

  protected override onClose(): void {
    abandoned.unregister(this);
    trace('release', { kind: this.kind, file: this.file });
    if (this.#leaving && this.#held.kind !== RECORD) {
      letGo(this.#held);
      return;
    }
    this.#held.kind.give(this.#held.file.fd, this.#held.range);
    // While a thread converts the lock, what that gets at the last moment has to be given back, too.
    if (!this.#converting) giveBack(this.#held);
  }

  /**
   * Closes the descriptor without giving a `flock` or `ofd` lock back: whoever else has the open file, as a child that was given `fd`,
   * keeps the lock; if nobody has, it is free. A record lock is given back. Calling it again does nothing.
   */
  leave(): void {
    if (this.closed) return;
    this.#usable();
    this.#leaving = true;
    this.close();
  }

  describe(): string {
    return `the ${this.kind} lock on ${this.file}`;
  }

  protected override details(): Record<string, unknown> {
    const { kind, file, shared, offset, length, lost } = this;
    return { kind, file, shared, ...(kind === 'flock' ? {} : { offset, length }), ...(lost ? { lost } : {}) };
  }

  #usable(): void {
    this.use();
    if (!this.#converting) return;
    const message = 'it is being converted already';
    throw new IpcError({ code: 'EBUSY', syscall: this.#held.kind.syscall, ...this.#held.file.subject, message });
  }

  #awaited(): Awaited {
    return { syscall: this.#held.kind.waitSyscall, subject: this.#held.file.subject };
  }

  /** After a failure a flock is held no longer. */
  #tryExclusive(): boolean {
    if (!this.#shared) return true;
    const { kind, file, range } = this.#held;
    const taken = kind.take(file.fd, false, range);
    if (taken === -EAGAIN) {
      if (kind.convertsWithGap) this.#gap = true;
      return false;
    }
    check(taken, kind.syscall, file.subject);
    this.#shared = false;
    trace('upgrade', { kind: kind.name, file: file.name });
    return true;
  }

  /** A conversion that waited is over. */
  #converted(): void {
    this.#converting = false;
    if (this.closed) giveBack(this.#held);
    else if (this.#shared) this.#regain();
  }

  /** A conversion has failed: the shared lock is taken back, where the kernel gave it up. */
  #regain(): void {
    const { kind, file, range } = this.#held;
    if (kind.convertsWithGap && kind.take(file.fd, true, range) === -EAGAIN) this.#lose();
  }

  #lose(): void {
    this.#lost = true;
    this.close();
  }
}
