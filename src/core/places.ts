/**
 * Who waits for what no descriptor tells of, a System V queue or a semaphore, has a thread that sleeps in the kernel, up to a
 * limit. Beyond it, or where no thread can be made, one timer for all of them tries again at an interval. Whoever is through gives the
 * thread to the one that has waited longest without. (docs/design/waiting.md has what both cost.)
 */
import { checkInteger, checkOptions } from './arguments.js';

/** How waits for System V queues and for semaphores wait, in this thread of JavaScript. */
export interface WaitingOptions {
  /** How many may have a thread each; 256 unless changed. 0 leaves all of them to the timer. */
  threads?: number;
  /** Milliseconds between two attempts of those that have none; 200 unless changed. */
  intervalMs?: number;
}

/** Something that waits. */
export interface Waiting {
  /** Waits on a thread from now on. */
  block(): void;
  /** Tries, without waiting. */
  look(): void;
}

const DEFAULT_THREADS = 256;
const DEFAULT_INTERVAL_MS = 200;
const MOST_THREADS = 100_000;
const MOST_INTERVAL_MS = 3_600_000;

const blocked = new Set<Waiting>();
const watched = new Set<Waiting>();
let threads = DEFAULT_THREADS;
let intervalMs = DEFAULT_INTERVAL_MS;
let timer: NodeJS.Timeout | undefined;

function lookAtAll(): void {
  for (const one of [...watched]) if (watched.has(one)) one.look();
}

/** The timer runs exactly while somebody needs it; what keeps the process alive is the wait. */
function keepTimer(): void {
  if (watched.size > 0) {
    timer ??= setInterval(lookAtAll, intervalMs).unref();
  } else if (timer !== undefined) {
    clearInterval(timer);
    timer = undefined;
  }
}

/** Gives free threads to those that have waited longest. */
function promote(): void {
  for (const one of watched) {
    if (blocked.size >= threads) break;
    watched.delete(one);
    blocked.add(one);
    one.block();
  }
  keepTimer();
}

/** It waits from now on, on a thread or with the others. */
export function enter(one: Waiting): void {
  watched.add(one);
  promote();
}

/** It waits no longer. */
export function leave(one: Waiting): void {
  watched.delete(one);
  blocked.delete(one);
  promote();
}

/** No thread could be made for it: it waits with the others until one is free. */
export function withoutThread(one: Waiting): void {
  if (blocked.delete(one)) watched.add(one);
  keepTimer();
}

/**
 * Says how waits for System V queues and for semaphores wait in this thread of JavaScript, and answers what holds from now on.
 * Waits that have begun keep their thread.
 *
 * A wait needs a thread of its own (64 KiB of stack), since no descriptor tells when a queue or a semaphore changes. Waits for the
 * same thing of one handle share one. Those beyond `threads` are looked at every `intervalMs`: nothing is lost, but it is noticed
 * later.
 */
export function configureWaiting(options: WaitingOptions = {}): Required<WaitingOptions> {
  checkOptions(options, ['threads', 'intervalMs']);
  if (options.threads !== undefined) checkInteger('threads', options.threads, 0, MOST_THREADS);
  if (options.intervalMs !== undefined) checkInteger('intervalMs', options.intervalMs, 1, MOST_INTERVAL_MS);
  threads = options.threads ?? threads;
  if (options.intervalMs !== undefined && options.intervalMs !== intervalMs) {
    intervalMs = options.intervalMs;
    clearInterval(timer);
    timer = undefined;
  }
  promote();
  return { threads, intervalMs };
}
