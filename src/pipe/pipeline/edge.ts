/** The pipe between two stages, as it can be looked at while it carries bytes. */
import { F_GETPIPE_SZ, native } from '../../sys/index.js';
import type { IpcError } from '../../core/errors.js';
import { statusOf } from '../../core/files.js';
import type { Child } from '../../proc/index.js';
import type { Tap } from './tap.js';

/** How full a pipe is. */
export interface Fill {
  /** Bytes that stand in it. */
  available: number;
  /** Bytes that it holds. */
  capacity: number;
}

/** The pipe behind one stage. */
export class Edge {
  readonly #inode: bigint;
  readonly #tap: Tap | undefined;
  readonly #begun = performance.now();
  #ended: number | undefined;
  #from: Child | undefined;
  /** Resolves when everything has passed the tap, with the error if it broke off; at once without one. @internal */
  readonly passed: Promise<IpcError | undefined>;

  /** @internal */
  constructor(writer: number, tap: Tap | undefined) {
    this.#inode = statusOf(writer).ino;
    this.#tap = tap;
    const ended: Promise<IpcError | undefined> = tap?.ended ?? Promise.resolve(undefined);
    this.passed = ended.then((why) => {
      this.#ended = performance.now();
      return why;
    });
  }

  /** The stage that writes into it. @internal */
  set from(child: Child) {
    this.#from = child;
  }

  /** Bytes that have passed so far, exactly; `null` without a tap: the kernel counts none. */
  get bytes(): number | null {
    return this.#tap?.bytes ?? null;
  }

  /** Bytes a second from the beginning to now, or to the end; `null` without a tap. */
  get bytesPerSecond(): number | null {
    if (this.#tap === undefined) return null;
    return this.#tap.bytes / Math.max(((this.#ended ?? performance.now()) - this.#begun) / 1000, 1e-3);
  }

  /** The code of the error with which the copy of a tap ended before the flow, as EPIPE or ENOSPC; else `undefined`. */
  get copyError(): string | undefined {
    return this.#tap?.copyError;
  }

  /**
   * How full it is now, as the stage that writes into it has it: `undefined` if that has ended, writes elsewhere, or is another user's.
   * The stage's descriptor is taken for a moment (pidfd_getfd(2)).
   */
  fill(): Fill | undefined {
    let fd: number;
    try {
      fd = this.#from?.takeDescriptor(1) ?? -1;
    } catch {
      return undefined;
    }
    if (fd < 0) return undefined;
    try {
      if (statusOf(fd).ino !== this.#inode) return undefined;
      return { available: native().available(fd), capacity: native().fcntl(fd, F_GETPIPE_SZ, 0) };
    } finally {
      native().close(fd);
    }
  }
}
