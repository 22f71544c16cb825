/**
 * What every wait has in common, whatever it waits for: an AbortSignal, a time-out on the
 * monotonic clock, the handle that may be closed meanwhile, and whether it keeps the process alive.
 */
import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { onAbort } from './abort.js';
import { checkOptions } from './arguments.js';
import { AbortError, argumentError, type ErrorSubject, rangeError, timeoutError } from './errors.js';
import { keepAlive, letGo } from './loop.js';

/** How long, and until whose word, to wait. */
export interface WaitOptions {
  /** Ends the wait with an `AbortError`; the object stays usable and no message is lost. */
  signal?: AbortSignal | undefined;
  /** Milliseconds. Omitted or `Infinity` waits for ever, 0 tries once. Ends with `ETIMEDOUT`. */
  timeoutMs?: number | undefined;
}

/** How long to block this thread. */
export interface SyncWaitOptions {
  /** Milliseconds. Omitted or `Infinity` waits for ever, 0 tries once. Ends with `ETIMEDOUT`. */
  timeoutMs?: number | undefined;
}

/** The names of `WaitOptions`, for `checkOptions`. */
export const WAIT_OPTIONS: readonly string[] = ['signal', 'timeoutMs'];

const SYNC_WAIT_OPTIONS = ['timeoutMs'];

/** What is waited for, for the error's sake. */
export interface Awaited {
  syscall: string;
  subject?: ErrorSubject;
}

/** The handle that a wait belongs to: it ends the wait when it is closed. */
export interface WaitOwner {
  /** @internal */
  beginWait(cancel: (why: Error) => void): void;
  /** @internal */
  endWait(cancel: (why: Error) => void): void;
}

/** Settles a pending wait; what comes after the first is ignored. */
export interface Settle<T> {
  resolve(value: T): void;
  reject(why: unknown): void;
}

const LONGEST_TIMER_MS = 0x7fffffff;

/** The time-out of a wait, `Infinity` if it has none; throws for one that cannot be meant. */
export function checkTimeout(timeoutMs: unknown): number {
  if (timeoutMs === undefined) return Infinity;
  if (typeof timeoutMs !== 'number')
    throw argumentError(`timeoutMs must be a number, got ${inspect(timeoutMs, { depth: 0 })}`);
  if (!(timeoutMs >= 0)) throw rangeError(`timeoutMs must be 0 or more, got ${timeoutMs}`);
  return timeoutMs;
}

/** By its shape, as Node does it: a test runner's or another realm's AbortSignal is one, too. */
function isAbortSignal(value: unknown): value is AbortSignal {
  return typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value;
}

/** The AbortSignal of a wait; throws for what is none, and an `AbortError` if it has aborted. */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  if (!isAbortSignal(signal)) {
    throw argumentError(
      `signal must be an AbortSignal, got ${inspect(signal, { depth: 0 })}; a POSIX signal is an option named sig`,
    );
  }
  if (signal.aborted) throw new AbortError(signal);
  return signal;
}

/** Throws for options that cannot be meant. */
export function checkWait(options: WaitOptions): void {
  checkOptions(options, WAIT_OPTIONS);
  checkSignal(options.signal);
  checkTimeout(options.timeoutMs);
}

/** Throws for options that cannot be meant. */
export function checkSyncWait(options: SyncWaitOptions): void {
  checkOptions(options, SYNC_WAIT_OPTIONS);
  checkTimeout(options.timeoutMs);
}

/**
 * Calls `late` when the time is over, never before; a timer may fire early, and holds 24 days at
 * most. The timer does not keep the process alive: that is the handle's to decide (`unref()`).
 */
function startTimer(timeoutMs: number, late: () => void): () => void {
  const deadline = performance.now() + timeoutMs;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const left = deadline - performance.now();
    if (left <= 0) late();
    else timer = setTimeout(arm, Math.min(Math.ceil(left), LONGEST_TIMER_MS)).unref();
  };
  timer = setTimeout(arm, Math.min(Math.ceil(timeoutMs), LONGEST_TIMER_MS)).unref();
  return () => clearTimeout(timer);
}

/**
 * A promise for something that is not there yet. `begin` starts the waiting and returns how to give
 * it up: `cancel(why)` must lead to a settlement, with `why` or with what had already arrived.
 */
export function pend<T>(
  owner: WaitOwner | undefined,
  options: WaitOptions | undefined,
  awaited: Awaited,
  begin: (settle: Settle<T>) => (why: Error) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let settled = false;
    let removeAbort: (() => void) | undefined;
    let stopTimer: (() => void) | undefined;
    const finish = (): boolean => {
      if (settled) return false;
      settled = true;
      removeAbort?.();
      stopTimer?.();
      if (owner === undefined) letGo();
      else owner.endWait(cancel);
      return true;
    };
    let giveUp: ((why: Error) => void) | undefined;
    const cancel = (why: Error): void => giveUp?.(why);
    if (owner === undefined) keepAlive();
    else owner.beginWait(cancel);
    const settle: Settle<T> = {
      resolve: (value) => {
        if (finish()) resolve(value);
      },
      reject: (why) => {
        if (finish()) reject(why);
      },
    };
    try {
      giveUp = begin(settle);
    } catch (why) {
      settle.reject(why);
    }
    if (settled) return;
    const signal = options?.signal;
    if (signal !== undefined) removeAbort = onAbort(signal, () => cancel(new AbortError(signal)));
    const timeoutMs = options?.timeoutMs ?? Infinity;
    if (timeoutMs !== Infinity) {
      stopTimer = startTimer(timeoutMs, () => cancel(timeoutError(awaited.syscall, timeoutMs, awaited.subject)));
    }
  });
}
