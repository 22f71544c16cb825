/**
 * Waiting for a descriptor to become readable or writable, in the event loop, without a thread.
 *
 * The rule everywhere is: try, and only if the kernel says EAGAIN, wait and try again. So nothing
 * is asked of epoll while there is work, and a wake-up that somebody else's call made useless is
 * harmless. Interest is one-shot: a descriptor that nobody waits for wakes nobody.
 *
 * `watchEdges` is the other form, for doorbells and hang-ups: told at each change, for as long as
 * the watch lasts (EPOLLET of epoll(7)), which also serves descriptors that poll calls ready
 * though the call would not succeed.
 */
import { AsyncResource } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';
import { EPOLLET, EPOLLONESHOT, native, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from '../sys/index.js';
import { EINTR } from './errno.js';
import { check, timeoutError } from './errors.js';
import { registerDescriptor, unregisterDescriptor } from './loop.js';
import { type Awaited, checkSignal, checkTimeout, pend, type SyncWaitOptions, type WaitOptions } from './wait.js';
import type { DescriptorHandle } from './handle.js';

/** One wait in the queue of a descriptor. */
interface Waiter {
  /** Tries again; false if it has to go on waiting. */
  wake(): boolean;
  fail(why: unknown): void;
}

/** Everybody who waits for one descriptor: at most one registration with epoll. */
class Waiters {
  readonly readers = new Set<Waiter>();
  readonly writers = new Set<Waiter>();
  readonly #fd: number;
  readonly #token: number;
  #added = false;
  #armed = 0;
  #ended = false;

  constructor(fd: number) {
    this.#fd = fd;
    this.#token = registerDescriptor((events) => this.#wake(events));
  }

  arm(): void {
    if (this.#ended) return; // the number may mean another file by now
    const wanted = (this.readers.size > 0 ? POLLIN : 0) | (this.writers.size > 0 ? POLLOUT : 0);
    if ((wanted & ~this.#armed) === 0) return;
    const events = wanted | EPOLLONESHOT;
    if (this.#added) {
      check(native().pollerModify(this.#fd, this.#token, events), 'epoll_ctl');
    } else {
      check(native().pollerAdd(this.#fd, this.#token, events), 'epoll_ctl');
      this.#added = true;
    }
    this.#armed = wanted;
  }

  end(): void {
    this.#ended = true;
    unregisterDescriptor(this.#token);
    if (this.#added) native().pollerRemove(this.#fd);
  }

  #wake(events: number): void {
    this.#armed = 0;
    const over = events & (POLLHUP | POLLERR | POLLRDHUP);
    try {
      if (events & POLLIN || over) serve(this.readers);
      if (events & POLLOUT || over) serve(this.writers);
    } finally {
      this.#armAgain();
    }
  }

  #armAgain(): void {
    if (this.readers.size === 0 && this.writers.size === 0) return;
    try {
      this.arm();
    } catch (why) {
      for (const waiter of [...this.readers, ...this.writers]) waiter.fail(why);
    }
  }
}

/**
 * Lets the waits of a queue try in their order, up to the first for which there is nothing: those
 * behind it may not overtake it, and a thousand waits cost one failed attempt and not a thousand.
 * What an attempt runs may end other waits: they are out of the queue then, and do not try.
 */
function serve(queue: Set<Waiter>): void {
  let left = queue.size; // who comes meanwhile has its turn at the next event
  for (const waiter of queue) {
    if (left-- === 0 || !waiter.wake()) return;
  }
}

const waiting = new Map<number, Waiters>();

function waitersOf(fd: number): Waiters {
  let found = waiting.get(fd);
  if (found === undefined) {
    found = new Waiters(fd);
    waiting.set(fd, found);
  }
  return found;
}

/** Must be called before a descriptor is closed: its number may mean another file a moment later. */
export function forgetDescriptor(fd: number): void {
  const found = waiting.get(fd);
  if (found === undefined) return;
  waiting.delete(fd);
  found.end();
}

/** The side of a descriptor that is waited for. */
export type Side = typeof POLLIN | typeof POLLOUT;

/**
 * What `attempt` gives, as soon as it gives something. `undefined` means not now, and waits until
 * the descriptor is ready again; what `attempt` throws rejects. Several waits are served in the
 * order in which they were made. It never throws: mistakes in `options` reject, too.
 */
export function whenPossible<T>(
  handle: DescriptorHandle,
  side: Side,
  attempt: () => T | undefined,
  options: WaitOptions | undefined,
  awaited: Awaited,
): Promise<T> {
  try {
    handle.use();
    checkSignal(options?.signal);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    const fd = handle.fd;
    const before = waiting.get(fd);
    const queued = before !== undefined && (side === POLLIN ? before.readers : before.writers).size > 0;
    if (!queued) {
      const now = attempt();
      if (now !== undefined) return Promise.resolve(now);
    }
    if (timeoutMs === 0) return Promise.reject(timeoutError(awaited.syscall, 0, awaited.subject));
    return pend<T>(handle, options, awaited, (settle) => {
      const waiters = waitersOf(fd);
      const queue = side === POLLIN ? waiters.readers : waiters.writers;
      const waiter: Waiter = {
        wake() {
          try {
            const value = attempt();
            if (value === undefined) return false;
            queue.delete(waiter);
            settle.resolve(value);
          } catch (why) {
            waiter.fail(why);
          }
          return true;
        },
        fail(why) {
          queue.delete(waiter);
          settle.reject(why);
        },
      };
      queue.add(waiter);
      try {
        waiters.arm();
      } catch (why) {
        waiter.fail(why);
      }
      return waiter.fail;
    });
  } catch (why) {
    return Promise.reject(why);
  }
}

/**
 * Calls `wake` once when this side of a descriptor is ready, or over; the returned function takes
 * that back. It does not keep the process alive: that is the caller's to say.
 */
export function onceReady(fd: number, side: Side, wake: () => void): () => void {
  const waiters = waitersOf(fd);
  const queue = side === POLLIN ? waiters.readers : waiters.writers;
  const once: Waiter = {
    wake() {
      queue.delete(once);
      wake();
      return true;
    },
    fail() {
      once.wake();
    },
  };
  queue.add(once);
  try {
    waiters.arm();
  } catch (why) {
    queue.delete(once);
    throw why;
  }
  return () => queue.delete(once);
}

/**
 * A blocked thread looks up this often. Only in JavaScript can a worker be terminated or the
 * process exit, so no system call of a synchronous wait lasts longer.
 */
const SLICE_MS = 50;

/** Blocks this thread until the descriptor may be ready, for one slice at most (poll(2)). */
export function blockOnce(fd: number, side: Side, mostMs = SLICE_MS): void {
  const polled = native().poll(fd, side, Math.min(mostMs, SLICE_MS));
  if (polled < 0 && polled !== -EINTR) check(polled, 'poll');
}

/** As `whenPossible`, blocking this thread; `ETIMEDOUT` is thrown. */
export function whenPossibleSync<T>(
  handle: DescriptorHandle,
  side: Side,
  attempt: () => T | undefined,
  options: SyncWaitOptions | undefined,
  awaited: Awaited,
): T {
  handle.use();
  const timeoutMs = checkTimeout(options?.timeoutMs);
  const now = attempt();
  if (now !== undefined) return now;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const left = deadline - performance.now();
    if (left <= 0) throw timeoutError(awaited.syscall, timeoutMs, awaited.subject);
    blockOnce(handle.fd, side, Math.ceil(left));
    const value = attempt();
    if (value !== undefined) return value;
  }
}

/** A lasting watch. */
export interface EdgeWatch {
  /** Ends the watch; idempotent. Must come before the descriptor is closed. */
  close(): void;
}

/**
 * Calls `changed` with the events of epoll(7) each time the descriptor changes, and once at the
 * beginning if it is ready, in the AsyncLocalStorage context of this call; what it throws is an
 * uncaughtException. It does not keep the process alive. A descriptor has either one edge
 * watch or waits, not both: watch a duplicate where both are needed.
 */
export function watchEdges(fd: number, events: number, changed: (events: number) => void): EdgeWatch {
  const token = registerDescriptor(AsyncResource.bind(changed, 'INTERPROC_WATCH'));
  const added = native().pollerAdd(fd, token, events | EPOLLET);
  if (added < 0) {
    unregisterDescriptor(token);
    check(added, 'epoll_ctl');
  }
  let open = true;
  return {
    close(): void {
      if (!open) return;
      open = false;
      unregisterDescriptor(token);
      native().pollerRemove(fd);
    },
  };
}
