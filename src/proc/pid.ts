/** Any process, by a descriptor that means it and never another one with its number: pidfd_open(2). */
import { native, POLLIN } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { ESRCH } from '../core/errno.js';
import { check, type ErrorSubject } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { whenPossible, whenPossibleSync } from '../core/readiness.js';
import { traceOf } from '../core/trace.js';
import { checkSyncWait, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import type { SignalName } from '../signal/index.js';
import { numberToSend } from './child.js';

const MOST_PID = 2 ** 22;
const trace = traceOf('proc');

/** A process, of whomever. Made by `openPid`. */
export class ProcessHandle extends DescriptorHandle {
  /** Its process id. After its end the number may mean another process; the methods here never do. */
  readonly pid: number;

  /** @internal */
  constructor(pid: number, fd: number) {
    super(fd, `process ${pid}`);
    this.pid = pid;
    trace('openPid', { pid, fd });
  }

  /** Whether it has ended (it may still be a zombie, if its parent does not wait for it). */
  get ended(): boolean {
    this.use();
    return (check(native().poll(this.fd, POLLIN, 0), 'poll') & POLLIN) !== 0;
  }

  /**
   * Waits for its end. How it ended is for its parent to know: `spawn` gives a child whose `wait()` tells.
   * A pending wait keeps this process alive.
   */
  wait(options?: WaitOptions): Promise<void> {
    try {
      checkOptions(options, WAIT_OPTIONS);
    } catch (why) {
      return Promise.reject(why);
    }
    return whenPossible(this, POLLIN, () => this.#now(), options, this.#awaited()).then(() => {});
  }

  /** As `wait`, blocking this thread. */
  waitSync(options: SyncWaitOptions = {}): void {
    checkSyncWait(options);
    whenPossibleSync(this, POLLIN, () => this.#now(), options, this.#awaited());
  }

  #now(): true | undefined {
    return this.ended ? true : undefined;
  }

  /**
   * Sends it a signal (pidfd_send_signal(2)). Signal 0 sends nothing and only asks.
   *
   * @param sig SIGTERM if omitted
   * @returns false if it has ended
   * @throws IpcError EPERM (another user's)
   */
  kill(sig: SignalName | number = 'SIGTERM'): boolean {
    const number = numberToSend(sig);
    if (this.ended) return false; // the kernel would say that a zombie got it
    const sent = native().pidfdSendSignal(this.fd, number);
    if (sent === -ESRCH) return false;
    check(sent, 'pidfd_send_signal', this.#subject());
    return true;
  }

  /**
   * A duplicate of a descriptor that it has open (pidfd_getfd(2)): close-on-exec, and yours to close.
   *
   * @param fd the number that it has there, 0 or more
   * @throws IpcError ESRCH (it has ended), EBADF (it has no such descriptor), EPERM (it may not be traced by us)
   */
  takeDescriptor(fd: number): number {
    this.use();
    checkInteger('fd', fd, 0, 0x7fffffff);
    return check(native().pidfdGetfd(this.fd, fd), 'pidfd_getfd', this.#subject());
  }

  #subject(): ErrorSubject {
    return { object: String(this.pid) };
  }

  #awaited(): { syscall: string; subject: ErrorSubject } {
    return { syscall: 'pidfd_open', subject: this.#subject() };
  }

  /** @internal */
  describe(): string {
    return `the process ${this.pid}`;
  }

  protected override details(): Record<string, unknown> {
    return { pid: this.pid, ...super.details() };
  }
}

/**
 * Opens any process (pidfd_open(2)). From now on the handle means this one; if it ends and its number is used again, nothing
 * here reaches the other.
 *
 * @param pid 1 to 4194304; a thread that does not lead its process is EINVAL
 * @throws IpcError ESRCH (no such process), EINVAL, EMFILE
 */
export function openPid(pid: number): ProcessHandle {
  checkInteger('pid', pid, 1, MOST_PID);
  return new ProcessHandle(pid, check(native().pidfdOpen(pid), 'pidfd_open', { object: String(pid) }));
}
