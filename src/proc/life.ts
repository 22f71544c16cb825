/**
 * One child from its start to its end, whoever holds a handle of it: so that no zombie stays when nobody waits, or
 * when the handle was closed or collected.
 *
 * The end is told by the pidfd, which can be polled, and waitid(2) asks for this child alone. That it was stopped or
 * continued cannot be polled: a thread of core/blocking waits for that while somebody listens. SIGCHLD
 * is not touched, which libuv needs for child_process and which workers cannot have.
 */
import { native, POLLIN } from '../sys/index.js';
import { callBlocking } from '../core/blocking.js';
import { systemError } from '../core/errors.js';
import { blockOnce, forgetDescriptor, onceReady } from '../core/readiness.js';
import { Referenced } from '../core/referenced.js';
import { traceOf } from '../core/trace.js';
import { type Accounts, readAccounts } from './accounts.js';
import { type ExitStatus, statusOf } from './status.js';

export const WAITED = { syscall: 'waitid' };
/** A child that has ended, but is traced, can be waited for only when its tracer has done so. */
const TRACED_MS = 5;
const change = new Int32Array(2);
const trace = traceOf('proc');

/** Who waits for a wait's result without keeping the process alive. */
class Quiet extends Referenced {}

/** Told of each change; of the last one, the end, too. An `Error` says that how it ended is unknown. */
export type Listener = (change: ExitStatus | Error) => void;

/** Those that have not ended, by pid: no number is used twice before its child was waited for. */
const living = new Map<number, Life>();

/** The child of this pid, if this thread has it already. */
export function lifeOf(pid: number): Life | undefined {
  return living.get(pid);
}

/** A child that was started here, or adopted. */
export class Life {
  readonly pid: number;
  readonly #pidfd: number;
  /** Those that want the end only, and those that want every change. */
  readonly #enders = new Set<Listener>();
  readonly #listeners = new Set<Listener>();
  #end: ExitStatus | Error | undefined;
  #watch: AbortController | undefined;
  #keepers = 0;
  /** It was waited for and its pidfd is closed: both numbers may mean something else by now. */
  #gone = false;
  /** /proc/PID/io, open; -1 if it is not wanted. */
  readonly #accountsFd: number;
  #accounts: Accounts | null | undefined;

  /** Takes over the pidfd, which is in the addon's book of children already, and the descriptor of its accounts. */
  constructor(pid: number, pidfd: number, accountsFd = -1) {
    this.pid = pid;
    this.#pidfd = pidfd;
    this.#accountsFd = accountsFd;
    living.set(pid, this);
    this.#arm();
  }

  #arm(): void {
    onceReady(this.#pidfd, POLLIN, () => {
      if (this.end() === undefined) setTimeout(() => this.end() ?? this.#arm(), TRACED_MS).unref();
    });
  }

  /** How it ended, `undefined` while it has not. It is no zombie afterwards, unless somebody keeps it. */
  end(): ExitStatus | Error | undefined {
    if (this.#end !== undefined) return this.#end;
    const kept = this.#keepers > 0;
    const counted = this.#accountsFd >= 0;
    let found = kept || counted ? native().childEnd(this.#pidfd, change) : native().childReap(this.#pidfd, change);
    if (found === 0) return undefined;
    if (counted) {
      this.#accounts = readAccounts(this.#accountsFd); // nobody can once it was waited for
      native().close(this.#accountsFd);
      if (!kept) found = native().childReap(this.#pidfd, change);
    }
    const end = found > 0 ? statusOf(change[0] as number, change[1] as number) : systemError(found, 'waitid');
    this.#end = end;
    trace('end', { pid: this.pid, how: end instanceof Error ? end.message : end.description });
    forgetDescriptor(this.#pidfd);
    if (!kept) this.#letGo();
    this.#watch?.abort();
    for (const tell of [...this.#enders, ...this.#listeners]) tell(end);
    this.#enders.clear();
    this.#listeners.clear();
    return end;
  }

  /** What it has read and written so far, or in all its life; `null` where that was not asked for, or may not be known. */
  accounts(): Accounts | null {
    if (this.end() === undefined && this.#accountsFd >= 0) return readAccounts(this.#accountsFd);
    return this.#accounts ?? null;
  }

  #letGo(): void {
    this.#gone = true;
    living.delete(this.pid);
    native().close(this.#pidfd);
  }

  /**
   * Tells of its end, after which it stays a zombie until the returned function is called: so its number, and that of the group that it
   * leads, mean nobody else, and what /proc tells of it can still be read. Too late for one that was waited for: there is nothing to keep then.
   */
  keep(tell: Listener): () => void {
    this.#keepers++; // first: it may have ended already
    const end = this.end();
    if (end !== undefined) tell(end);
    else this.#enders.add(tell);
    let done = false;
    return () => {
      if (done) return;
      done = true;
      if (--this.#keepers > 0 || this.#end === undefined || this.#gone) return;
      native().childReap(this.#pidfd, change);
      this.#letGo();
    };
  }

  /** Calls back once, at the end; the returned function takes that back. */
  atEnd(tell: Listener): () => void {
    this.#enders.add(tell);
    return () => this.#enders.delete(tell);
  }

  /** Calls back at each change from now on, and for the last one before that if nobody has heard of it. */
  listen(tell: Listener): () => void {
    const end = this.end();
    if (end !== undefined) {
      tell(end);
      return () => {};
    }
    this.#listeners.add(tell);
    if (this.#watch === undefined) this.#watchChanges();
    return () => {
      this.#listeners.delete(tell);
      if (this.#listeners.size > 0) return;
      this.#watch?.abort();
      this.#watch = undefined;
    };
  }

  #watchChanges(): void {
    const watch = new AbortController();
    this.#watch = watch;
    const quiet = new Quiet().unref();
    const start = (token: number): number => native().blockingChildChange(token, this.#pidfd);
    const again = (): void => {
      if (this.end() !== undefined || watch.signal.aborted) return;
      this.#tellChange();
      callBlocking(start, { signal: watch.signal }, WAITED, quiet).then(again, (why) => {
        if (!watch.signal.aborted) this.#fail(why);
      });
    };
    again();
  }

  /** WNOHANG: what the kernel remembers is the last change only. */
  #tellChange(): void {
    if (native().childChange(this.#pidfd, change) <= 0) return;
    const told = statusOf(change[0] as number, change[1] as number);
    trace('change', { pid: this.pid, how: told.description });
    for (const tell of [...this.#listeners]) tell(told);
  }

  #fail(why: Error): void {
    this.#watch = undefined;
    for (const tell of [...this.#listeners]) tell(why);
    this.#listeners.clear();
  }

  /** Blocks this thread until it may have ended, for a slice of time. */
  block(mostMs: number): void {
    blockOnce(this.#pidfd, POLLIN, mostMs);
  }

  /** pidfd_send_signal(2): 0, or `-errno`. */
  send(signal: number): number {
    return native().pidfdSendSignal(this.#pidfd, signal);
  }

  /** pidfd_getfd(2). */
  takeDescriptor(fd: number): number {
    return native().pidfdGetfd(this.#pidfd, fd);
  }
}
