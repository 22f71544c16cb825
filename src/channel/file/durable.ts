/** fdatasync(2) for `?sync`: on a thread of its own, so that the event loop does not wait for the disk. */
import { callBlocking } from '../../core/blocking.js';
import { check } from '../../core/errors.js';
import { native } from '../../sys/index.js';
import type { LogFile } from './logfile.js';

/** Knows how much of what was written is on the disk. */
export class Durability {
  /** Bytes written and bytes known to be durable, counted over all files of the sender. */
  #written = 0;
  #durable = 0;
  /** The syncs that run, in the order in which they began. */
  #running = new Set<Promise<void>>();
  #failure: Error | undefined;
  #waiting: (() => void) | undefined;

  /** So many bytes were written. */
  wrote(bytes: number): void {
    this.#written += bytes;
  }

  /** Whether everything that was written is durable. @throws IpcError EIO, ENOSPC: it is not, and will not be */
  get complete(): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#durable === this.#written;
  }

  /** Whether a sync runs that will make something durable. */
  get running(): boolean {
    return this.#running.size > 0 && !this.complete;
  }

  /** Begins to make what was written durable. */
  begin(file: LogFile): void {
    const target = this.#written;
    const path = file.path;
    const started = callBlocking((token) => native().blockingFdatasync(token, file.fd), undefined, {
      syscall: 'fdatasync',
      subject: { path },
    });
    const run: Promise<void> = started
      .then((result) => {
        check(result, 'fdatasync', { path });
        this.#durable = Math.max(this.#durable, target);
      })
      .catch((why: Error) => {
        this.#failure ??= why;
      })
      .then(() => {
        this.#running.delete(run);
        const ready = this.#waiting;
        this.#waiting = undefined;
        ready?.();
      });
    this.#running.add(run);
  }

  /** The same, blocking this thread. */
  now(file: LogFile): void {
    if (this.complete) return;
    check(native().fdatasync(file.fd), 'fdatasync', { path: file.path });
    this.#durable = this.#written;
  }

  /** Calls back when a sync has ended; `undefined` if none runs. */
  whenDone(ready: () => void): (() => void) | undefined {
    if (this.#running.size === 0) return undefined;
    this.#waiting = ready;
    return () => {
      if (this.#waiting === ready) this.#waiting = undefined;
    };
  }

  /** Resolves when no thread uses a descriptor any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
