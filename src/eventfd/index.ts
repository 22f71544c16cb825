/**
 * eventfd(2): a 64-bit counter in the kernel. Adding wakes who waits; waiting takes the sum, or 1
 * as a semaphore. It has no name: a peer gets it in `stdio` or over a Unix socket.
 */
import { readlinkSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { EFD_SEMAPHORE, F_DUPFD_CLOEXEC, F_GETFL, F_SETFL, native, O_NONBLOCK, POLLIN, POLLOUT } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { argumentError, check, IpcError, rangeError, systemError, timeoutError } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { watchEdges, whenPossible, whenPossibleSync } from '../core/readiness.js';
import { traceOf } from '../core/trace.js';
import { checkSignal, checkTimeout, pend, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';

/** How the counter is made. */
export interface EventfdOptions {
  /** What it holds at the beginning, 0 to 2^32 - 1; 0 if omitted. */
  initial?: number;
  /** Whether a wait takes 1 instead of everything (EFD_SEMAPHORE); false if omitted. */
  semaphore?: boolean;
}

/** A blocked thread looks up this often, so that a worker can be terminated. */
const SLICE_MS = 50;
const MOST = 0xfffffffffffffffen;
const ADDED = { syscall: 'eventfd_write' };
const TAKEN = { syscall: 'eventfd_read' };
const trace = traceOf('eventfd');

function amount(value: number | bigint): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw rangeError(`n must be a whole number, got ${value}`);
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw argumentError(`n must be a number or a bigint, got ${String(value)}`);
  const n = BigInt(value);
  if (n < 0n || n > MOST) throw rangeError(`n must be from 0 to 2^64 - 2, got ${n}`);
  return n;
}

/** An eventfd. */
export class Eventfd extends DescriptorHandle {
  /** @internal */
  constructor(fd: number) {
    super(fd, 'an eventfd');
    trace('open', { fd });
  }

  /** Adds `n` at once; false if that would take the counter over 2^64 - 2. */
  tryAdd(n: number | bigint = 1n): boolean {
    this.use();
    const added = native().eventfdWrite(this.fd, amount(n));
    if (added === -EAGAIN) return false;
    check(added, ADDED.syscall);
    return true;
  }

  /**
   * Adds `n`, waiting while that would take the counter over 2^64 - 2. An aborted add has added
   * nothing.
   *
   * @param n 0 to 2^64 - 2; 1 if omitted
   */
  add(n: number | bigint = 1n, options?: WaitOptions): Promise<void> {
    try {
      checkSignal(options?.signal);
      const timeoutMs = checkTimeout(options?.timeoutMs);
      if (this.tryAdd(n)) return Promise.resolve();
      if (timeoutMs === 0) throw timeoutError(ADDED.syscall, 0);
      return this.#addLater(n, options);
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /**
   * poll(2) calls a counter writable that has room for 1, though `n` may not fit: so this waits for
   * the edge that each read of the counter makes. On a duplicate, which has an edge of its own.
   */
  #addLater(n: number | bigint, options: WaitOptions | undefined): Promise<void> {
    return pend<void>(this, options, ADDED, (settle) => {
      const duplicate = check(native().fcntl(this.fd, F_DUPFD_CLOEXEC, 0), 'fcntl(F_DUPFD_CLOEXEC)');
      const end = (): void => {
        watch.close();
        native().close(duplicate);
      };
      const watch = watchEdges(duplicate, POLLOUT, () => {
        try {
          if (!this.tryAdd(n)) return;
          end();
          settle.resolve();
        } catch (why) {
          end();
          settle.reject(why);
        }
      });
      return (why) => {
        end();
        settle.reject(why);
      };
    });
  }

  /** As `add`, blocking this thread. */
  addSync(n: number | bigint = 1n, options?: SyncWaitOptions): void {
    const timeoutMs = checkTimeout(options?.timeoutMs);
    if (this.tryAdd(n)) return;
    const deadline = performance.now() + timeoutMs;
    const reads = check(native().eventfdReads(this.fd), 'epoll_create1');
    try {
      for (let left = timeoutMs; left > 0; left = deadline - performance.now()) {
        const read = native().eventfdAwaitRead(reads, Math.min(Math.ceil(left), SLICE_MS));
        if (read < 0 && read !== -EINTR) check(read, 'epoll_wait');
        if (read > 0 && this.tryAdd(n)) return;
      }
    } finally {
      native().close(reads);
    }
    throw timeoutError(ADDED.syscall, timeoutMs);
  }

  /** Takes what is there: the sum since the last time, or 1 as a semaphore; `undefined` if it is 0. */
  tryWait(): bigint | undefined {
    this.use();
    const taken = native().eventfdRead(this.fd);
    if (typeof taken === 'bigint') return taken;
    if (taken === -EAGAIN) return undefined;
    throw systemError(taken, TAKEN.syscall);
  }

  /** Waits until the counter is not 0 and takes it. An aborted wait has taken nothing. */
  wait(options?: WaitOptions): Promise<bigint> {
    return whenPossible(this, POLLIN, () => this.tryWait(), options, TAKEN);
  }

  /** As `wait`, blocking this thread. */
  waitSync(options?: SyncWaitOptions): bigint {
    return whenPossibleSync(this, POLLIN, () => this.tryWait(), options, TAKEN);
  }

  describe(): string {
    return 'the eventfd';
  }
}

/** Makes a counter (eventfd(2)), close-on-exec. @throws IpcError EMFILE */
export function create(options: EventfdOptions = {}): Eventfd {
  checkOptions(options, ['initial', 'semaphore']);
  const initial = options.initial ?? 0;
  checkInteger('initial', initial, 0, 0xffffffff);
  return new Eventfd(check(native().eventfd(initial, options.semaphore === true ? EFD_SEMAPHORE : 0), 'eventfd'));
}

/**
 * Takes over an eventfd that was received or inherited; it is closed with the handle. From now on
 * it is non-blocking (O_NONBLOCK), for everybody who shares it.
 *
 * @throws IpcError EBADF, EINVAL for a descriptor of something else
 */
export function fromDescriptor(fd: number): Eventfd {
  checkInteger('fd', fd, 0, 0x7fffffff);
  const flags = check(native().fcntl(fd, F_GETFL, 0), 'fcntl(F_GETFL)');
  if (readlinkSync(`/proc/self/fd/${fd}`) !== 'anon_inode:[eventfd]') {
    throw new IpcError({ code: 'EINVAL', syscall: 'fcntl(F_GETFL)', message: `descriptor ${fd} is no eventfd` });
  }
  if ((flags & O_NONBLOCK) === 0) check(native().fcntl(fd, F_SETFL, flags | O_NONBLOCK), 'fcntl(F_SETFL)');
  return new Eventfd(fd);
}
