/** The handle of a child. */
import { performance } from 'node:perf_hooks';
import { native } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { ESRCH } from '../core/errno.js';
import { check, type ErrorSubject, timeoutError } from '../core/errors.js';
import { Handle } from '../core/handle.js';
import {
  checkSignal,
  checkSyncWait,
  checkTimeout,
  pend,
  type SyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
} from '../core/wait.js';
import { type SignalName, toNumber } from '../signal/index.js';
import type { Accounts } from './accounts.js';
import { type Life, type Listener, WAITED } from './life.js';
import type { ExitStatus } from './status.js';

function given(end: ExitStatus | Error): ExitStatus {
  if (end instanceof Error) throw end;
  return end;
}

/** The number of a signal to send; 0 asks whether it could be. @internal */
export function numberToSend(sig: SignalName | number): number {
  return sig === 0 ? 0 : toNumber(sig);
}

/**
 * A child that was started here. It lives on when the handle is closed or collected, and is waited for all the same, so it
 * never stays a zombie.
 */
export class Child extends Handle {
  readonly #life: Life;
  readonly #what: string;

  /** @internal */
  constructor(life: Life, what: string) {
    super();
    this.#life = life;
    this.#what = what;
  }

  /** Its process id. After its end the number may mean another process; the methods here never do. */
  get pid(): number {
    return this.#life.pid;
  }

  /** How it ended, `undefined` while it has not. */
  tryWait(): ExitStatus | undefined {
    this.use();
    const end = this.#life.end();
    return end === undefined ? undefined : given(end);
  }

  /**
   * Waits for its end (waitid(2)); any number of callers may, before and after it. A pending wait keeps
   * the process alive, the child alone does not.
   *
   * @throws IpcError ETIMEDOUT; ECHILD where this process ignores SIGCHLD, or other code in it has waited for all children
   */
  wait(options?: WaitOptions): Promise<ExitStatus> {
    try {
      checkOptions(options, WAIT_OPTIONS);
      this.use();
      checkSignal(options?.signal);
      const timeoutMs = checkTimeout(options?.timeoutMs);
      const now = this.tryWait();
      if (now !== undefined) return Promise.resolve(now);
      if (timeoutMs === 0) throw timeoutError(WAITED.syscall, 0, this.#subject());
      const awaited = { ...WAITED, subject: this.#subject() };
      return pend<ExitStatus>(this, options, awaited, (settle) => {
        const leave = this.#life.atEnd((end) => (end instanceof Error ? settle.reject(end) : settle.resolve(end)));
        return (why) => {
          leave();
          settle.reject(why);
        };
      });
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `wait`, blocking this thread. */
  waitSync(options: SyncWaitOptions = {}): ExitStatus {
    checkSyncWait(options);
    const timeoutMs = checkTimeout(options.timeoutMs);
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const end = this.tryWait();
      if (end !== undefined) return end;
      const left = deadline - performance.now();
      if (left <= 0) throw timeoutError(WAITED.syscall, timeoutMs, this.#subject());
      this.#life.block(Math.ceil(left));
    }
  }

  /**
   * Every change as it comes: stopped, continued, and at last its end, after which the loop ends. From the first `next()`;
   * the kernel remembers one stop or continuation from before that. While the loop runs, a thread waits for it.
   *
   * @example
   * for await (const { state, description } of child.changes()) console.log(state, description);
   */
  async *changes(options?: WaitOptions): AsyncGenerator<ExitStatus, void, undefined> {
    checkOptions(options, WAIT_OPTIONS);
    this.use();
    checkSignal(options?.signal);
    const queue: (ExitStatus | Error)[] = [];
    let wake: (() => void) | undefined;
    const leave = this.#life.listen((change) => {
      queue.push(change);
      wake?.();
    });
    const next = (): Promise<void> =>
      pend<void>(this, options, { ...WAITED, subject: this.#subject() }, (settle) => {
        wake = () => settle.resolve();
        return settle.reject;
      });
    try {
      for (;;) {
        if (queue.length === 0) await next();
        wake = undefined;
        const change = given(queue.shift() as ExitStatus | Error);
        yield change;
        if (change.state === 'exited' || change.state === 'killed') return;
      }
    } finally {
      leave();
    }
  }

  /**
   * Sends it a signal through its pidfd (pidfd_send_signal(2)), so another process is never hit. Signal 0 sends
   * nothing and only asks.
   *
   * @param sig SIGTERM if omitted
   * @returns false if it has ended
   * @throws IpcError EPERM (it has become another user's)
   */
  kill(sig: SignalName | number = 'SIGTERM'): boolean {
    this.use();
    const number = numberToSend(sig);
    if (this.#life.end() !== undefined) return false;
    const sent = this.#life.send(number);
    if (sent === -ESRCH) return false;
    check(sent, 'pidfd_send_signal', this.#subject());
    return true;
  }

  /**
   * Sends a signal to the whole process group that it leads (kill(2)); it leads one if it was started with `processGroup`
   * 'new' or 'session', or a terminal.
   *
   * @returns false if it has ended: then its number may mean another group
   * @throws IpcError EPERM; ESRCH if it leads no group
   */
  killGroup(sig: SignalName | number = 'SIGTERM'): boolean {
    this.use();
    const number = numberToSend(sig);
    if (this.#life.end() !== undefined) return false;
    check(native().kill(-this.pid, number), 'kill', { object: `group ${this.pid}` });
    return true;
  }

  /**
   * A duplicate of a descriptor that it has open (pidfd_getfd(2)): close-on-exec, and yours to close.
   *
   * @param fd the number that it has in the child, 0 or more
   * @throws IpcError ESRCH (it has ended), EBADF (it has no such descriptor), EPERM (it may not be traced)
   */
  takeDescriptor(fd: number): number {
    this.use();
    checkInteger('fd', fd, 0, 0x7fffffff);
    const taken = this.#life.end() === undefined ? this.#life.takeDescriptor(fd) : -ESRCH;
    return check(taken, 'pidfd_getfd', this.#subject());
  }

  /**
   * What it has read and written so far, and after its end in all its life, together with its children that it has waited for
   * (proc_pid_io(5)). `null` if it was not started with `accounts`, has become another user's, or the kernel keeps no such accounts.
   */
  accounts(): Accounts | null {
    this.use();
    return this.#life.accounts();
  }

  /** Tells of its end, after which it stays a zombie until the returned function is called, for the group that it leads. @internal */
  keep(tell: Listener): () => void {
    this.use();
    return this.#life.keep(tell);
  }

  /** @internal */
  describe(): string {
    return `the child ${this.pid} (${this.#what})`;
  }

  #subject(): ErrorSubject {
    return { object: String(this.pid) };
  }

  protected onClose(): void {}

  protected override details(): Record<string, unknown> {
    const end = this.#life.end();
    const state = end === undefined ? 'running or stopped' : end instanceof Error ? end.message : end.description;
    return { pid: this.pid, file: this.#what, state };
  }
}
