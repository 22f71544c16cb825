/** Timers that send a signal: timer_create(2). */
import { inspect } from 'node:util';
import { native } from '../sys/index.js';
import { checkOptions, checkSignalValue } from '../core/arguments.js';
import { argumentError, check, rangeError } from '../core/errors.js';
import { Handle } from '../core/handle.js';
import { type SignalName, toName, toNumber } from './names.js';

/** When a timer sends. At least one of the two. */
export interface TimerTimes {
  /** Milliseconds until the first signal, with fractions; as `everyMs` if omitted. 0 is at once. */
  afterMs?: number;
  /** Milliseconds between signals, with fractions. Without it one is sent. */
  everyMs?: number;
}

/** What a timer sends, and when. */
export interface TimerOptions extends TimerTimes {
  /** What goes with the signal: an int32, or a bigint of a pointer's size. 0 if omitted. */
  value?: number | bigint;
}

const NANOSECONDS = 1e6;
/** Some 100 days, whose nanoseconds a number still counts exactly. */
const LONGEST_MS = 2 ** 53 / NANOSECONDS;

function nanoseconds(name: string, milliseconds: unknown, least: number): number {
  if (typeof milliseconds !== 'number')
    throw argumentError(`${name} must be a number, got ${inspect(milliseconds, { depth: 0 })}`);
  if (!(milliseconds >= least && milliseconds <= LONGEST_MS)) {
    throw rangeError(`${name} must be ${least} to ${Math.floor(LONGEST_MS)}, got ${milliseconds}`);
  }
  return Math.max(1, Math.round(milliseconds * NANOSECONDS));
}

function timesOf({ afterMs, everyMs }: TimerTimes): [after: number, every: number] {
  if (afterMs === undefined && everyMs === undefined) throw argumentError('a timer needs afterMs, everyMs or both');
  const every = everyMs === undefined ? 0 : nanoseconds('everyMs', everyMs, 1 / NANOSECONDS);
  return [afterMs === undefined ? every : nanoseconds('afterMs', afterMs, 0), every];
}

/** A timer that sends a signal, until it is closed. Made by `timer`. */
export class SignalTimer extends Handle {
  readonly #number: number;
  readonly #id: number;

  /** @internal */
  constructor(number: number, value: number | bigint) {
    super();
    this.#number = number;
    this.#id = check(native().timerCreate(number, value), 'timer_create', { object: toName(number) });
  }

  /** Milliseconds until it sends next, 0 if it sends no more. */
  get remainingMs(): number {
    this.use();
    return check(native().timerGettime(this.#id), 'timer_gettime') / NANOSECONDS;
  }

  /** Sets it anew, from now on. */
  set(times: TimerTimes): void {
    this.use();
    checkOptions(times, ['afterMs', 'everyMs']);
    const [after, every] = timesOf(times);
    check(native().timerSettime(this.#id, after, every), 'timer_settime');
  }

  /** It sends no more until it is set anew. */
  stop(): void {
    this.use();
    check(native().timerSettime(this.#id, 0, 0), 'timer_settime');
  }

  describe(): string {
    return `the timer of ${toName(this.#number)}`;
  }

  protected onClose(): void {
    native().timerDelete(this.#id);
  }

  protected override details(): Record<string, unknown> {
    return { signal: toName(this.#number), remainingMs: this.closed ? 0 : this.remainingMs };
  }
}

/**
 * Sends this process a signal after some time, or again and again (timer_create(2) on CLOCK_MONOTONIC): with the code
 * `SI_TIMER` and the value. One signal of a timer waits at most; how often the timer was over besides is its `overruns`.
 * `close()` stops it. It does not keep the process alive, and ends with its worker.
 *
 * @throws IpcError EAGAIN (RLIMIT_SIGPENDING: a timer reserves its place in the queue)
 * @example
 * using alarm = signal.timer('SIGALRM', { everyMs: 1000 });
 */
export function timer(sig: SignalName | number, options: TimerOptions): SignalTimer {
  checkOptions(options, ['afterMs', 'everyMs', 'value']);
  const number = toNumber(sig);
  const { value = 0, ...times } = options;
  timesOf(times);
  const made = new SignalTimer(number, checkSignalValue(value));
  made.set(times);
  return made;
}
