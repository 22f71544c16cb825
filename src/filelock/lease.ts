/**
 * Leases: F_SETLEASE of fcntl(2). Who has one on a file is told when somebody else opens it, or cuts it, in a way that the lease
 * excludes; the other waits meanwhile, for at most the time of /proc/sys/fs/lease-break-time.
 *
 * The kernel tells it by SIGIO, for which each thread with leases has one handler. Since such signals coalesce, it looks at all its
 * leases then (F_GETLEASE).
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { F_GETLEASE, F_OWNER_PID, F_RDLCK, F_SETLEASE, F_SETSIG, F_UNLCK, F_WRLCK, native } from '../sys/index.js';
import { EAGAIN } from '../core/errno.js';
import { argumentError, check, type ErrorSubject, IpcError, timeoutError } from '../core/errors.js';
import { Handle } from '../core/handle.js';
import { traceOf } from '../core/trace.js';
import {
  checkSignal,
  checkSyncWait,
  checkTimeout,
  checkWait,
  pend,
  type SyncWaitOptions,
  type WaitOptions,
} from '../core/wait.js';
import { handle, open as openSignals, type SignalHandler } from '../signal/index.js';
import { checkOpenFile, type Lockable, OpenFile, type OpenFileOptions } from './file.js';
import { locksThrough } from './kernelLocks.js';

/** `'read'`: told when somebody opens the file for writing, or cuts it. `'write'`: when somebody opens it at all. */
export type LeaseType = 'read' | 'write';

/** That a lease has to be given up. */
export interface LeaseBreak {
  /** What may be kept: `'read'` (a write lease, and somebody reads: `downgrade()`), or `'none'` (`release()`). */
  keep: 'read' | 'none';
}

const AWAITED = { syscall: 'fcntl(F_GETLEASE)' };
const SET = 'fcntl(F_SETLEASE)';
const PLAIN = 0;
const trace = traceOf('filelock');

/** The leases of this thread, and its one handler of SIGIO. */
const leases = new Set<Lease>();
let handler: SignalHandler | undefined;

function listen(lease: Lease): void {
  leases.add(lease);
  handler ??= handle('SIGIO', () => {
    for (const one of [...leases]) one.look();
  }).unref();
}

function unlisten(lease: Lease): void {
  leases.delete(lease);
  if (leases.size > 0) return;
  handler?.close();
  handler = undefined;
}

/** Milliseconds that a lease can be kept after it was broken: /proc/sys/fs/lease-break-time. Then the kernel takes it away. */
export function leaseBreakMs(): number {
  return Number(readFileSync('/proc/sys/fs/lease-break-time', 'utf8')) * 1000;
}

interface Waiter {
  resolve(value: LeaseBreak): void;
}

/** A lease on a file, until it is released, or the kernel takes it away. Made by `lease`. */
export class Lease extends Handle {
  readonly #file: OpenFile;
  readonly #waiting = new Set<Waiter>();
  #type: LeaseType;

  /** @internal */
  constructor(file: OpenFile, type: LeaseType) {
    super();
    this.#file = file;
    this.#type = type;
    listen(this);
    trace('lease', { file: file.name, type });
  }

  /** The path by which it was taken, or the number that the caller's descriptor had. */
  get file(): string | number {
    return this.#file.name;
  }

  /** What it is now. */
  get type(): LeaseType {
    return this.#type;
  }

  /** The descriptor that has the lease, -1 once it is released. */
  get fd(): number {
    return this.closed ? -1 : this.#file.fd;
  }

  /** Whether the kernel says that it is there: it takes a broken one away after `leaseBreakMs()`. */
  isHeld(): boolean {
    return !this.closed && locksThrough(this.#file.fd).some(({ kind, waiting }) => kind === 'lease' && !waiting);
  }

  /** What may be kept of it, if somebody waits for it to be given up, else `undefined`. Also when the kernel has taken it away. */
  tryBroken(): LeaseBreak | undefined {
    this.use();
    const left = check(native().fcntl(this.#file.fd, F_GETLEASE, 0), AWAITED.syscall, this.#file.subject);
    if (left === F_UNLCK) return { keep: 'none' };
    return left === F_RDLCK && this.#type === 'write' ? { keep: 'read' } : undefined;
  }

  /**
   * Waits until somebody wants to open the file in a way that the lease excludes. From then on there are `leaseBreakMs()` to bring the
   * file into order and to call `release()`, or `downgrade()` if it may be kept for reading.
   *
   * An aborted wait leaves the lease as it is. A pending wait keeps the process alive, an idle lease does not.
   */
  async broken(options: WaitOptions = {}): Promise<LeaseBreak> {
    checkWait(options);
    checkSignal(options.signal);
    const now = this.tryBroken();
    if (now !== undefined) return now;
    if (options.timeoutMs === 0) throw timeoutError(AWAITED.syscall, 0, this.#file.subject);
    return pend<LeaseBreak>(this, options, { ...AWAITED, subject: this.#file.subject }, (settle) => {
      this.#waiting.add(settle);
      return (why) => {
        this.#waiting.delete(settle);
        settle.reject(why);
      };
    });
  }

  /** As `broken`, blocking this thread. */
  brokenSync(options: SyncWaitOptions = {}): LeaseBreak {
    checkSyncWait(options);
    this.use();
    const timeoutMs = checkTimeout(options.timeoutMs);
    const deadline = performance.now() + timeoutMs;
    using signals = openSignals('SIGIO');
    for (;;) {
      const now = this.tryBroken();
      if (now !== undefined) return now;
      const left = deadline - performance.now();
      if (left <= 0) throw timeoutError(AWAITED.syscall, timeoutMs, this.#file.subject);
      try {
        signals.receiveSync({ timeoutMs: left });
      } catch (why) {
        if ((why as { code?: unknown }).code !== 'ETIMEDOUT') throw why;
      }
    }
  }

  /**
   * Makes a write lease one for reading, which lets those go on who want to read.
   *
   * @throws IpcError EAGAIN if the kernel has taken the lease away and the file is open for writing
   */
  downgrade(): void {
    this.use();
    if (this.#type === 'read') return;
    check(native().fcntl(this.#file.fd, F_SETLEASE, F_RDLCK), SET, this.#file.subject);
    this.#type = 'read';
  }

  /** Gives it up: who waits for that goes on. Calling it again does nothing. */
  release(): void {
    this.close();
  }

  protected override onClose(): void {
    unlisten(this);
    native().fcntl(this.#file.fd, F_SETLEASE, F_UNLCK);
    this.#file.close();
    trace('releaseLease', { file: this.#file.name });
  }

  /** SIGIO came: perhaps for this one. @internal */
  look(): void {
    if (this.closed || this.#waiting.size === 0) return;
    const broken = this.tryBroken();
    if (broken === undefined) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const one of waiting) one.resolve(broken);
  }

  describe(): string {
    return `the ${this.#type} lease on ${this.#file.name}`;
  }

  protected override details(): Record<string, unknown> {
    return { file: this.#file.name, type: this.#type };
  }
}

/** F_SETLEASE, with the signal for this process: 0 or `-errno`. */
function take(fd: number, type: LeaseType, subject: ErrorSubject): number {
  check(native().setOwner(fd, F_OWNER_PID, process.pid), 'fcntl(F_SETOWN_EX)', subject);
  check(native().fcntl(fd, F_SETSIG, PLAIN), 'fcntl(F_SETSIG)', subject);
  return native().fcntl(fd, F_SETLEASE, type === 'read' ? F_RDLCK : F_WRLCK);
}

/** Opens the file; `undefined` if somebody has a lease on it that this breaks (EAGAIN, since the open does not wait). */
function openUnlessLeased(file: Lockable, options: OpenFileOptions): OpenFile | undefined {
  try {
    return OpenFile.of(file, options, 'read');
  } catch (why) {
    if (why instanceof IpcError && why.code === 'EAGAIN') return undefined;
    throw why;
  }
}

/**
 * Takes a lease on a regular file (F_SETLEASE of fcntl(2)); `undefined` if the file is open in a way that it excludes: for writing (a
 * read lease), or anywhere else at all, in this process too (a write lease), or if somebody has a lease that this call breaks.
 *
 * SIGIO is handled in this thread until its last lease is released. A broken lease that nobody waits for is found by `tryBroken()`.
 *
 * @param file a path, which is opened for reading; or what you have open, a read lease for reading only
 * @throws IpcError EACCES (the file is another user's, and there is no CAP_LEASE), EINVAL (no regular file), ENOENT
 * @example
 * using lease = filelock.lease('cache.db', 'write');
 * if (lease) lease.broken().then(() => { flush(); lease.release(); });
 */
export function lease(file: Lockable, type: LeaseType, options: OpenFileOptions = {}): Lease | undefined {
  if (type !== 'read' && type !== 'write') {
    throw argumentError(`a lease is of type 'read' or 'write', got ${inspect(type, { depth: 0 })}`);
  }
  checkOpenFile(options);
  const open = openUnlessLeased(file, options);
  if (open === undefined) return undefined;
  let made: Lease;
  try {
    made = new Lease(open, type);
  } catch (why) {
    open.close();
    throw why;
  }
  // Only now: the default of SIGIO, for which `made` has a handler, ends the process.
  try {
    const taken = take(open.fd, type, open.subject);
    if (taken >= 0) return made;
    if (taken !== -EAGAIN) check(taken, SET, open.subject);
  } catch (why) {
    made.close();
    throw why;
  }
  made.close();
  return undefined;
}
