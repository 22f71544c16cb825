/** What the process does at a signal: sigaction(2), as far as it can be said in JavaScript. */
import { native } from '../sys/index.js';
import { check } from '../core/errors.js';
import { type SignalName, toName, toNumber } from './names.js';
import { checkTakeable } from './reserved.js';

/** What the process does at a signal: what the kernel does by itself, nothing, or what a handler does. */
export type Disposition = 'default' | 'ignore' | 'handler';

const DISPOSITIONS: readonly Disposition[] = ['default', 'ignore', 'handler'];

/** The wishes that C keeps, besides 0 for none. */
const DEFAULT = 1;
const IGNORE = 2;

/** A disposition that was set; `restore()`, or the end of a `using`, takes it back. */
export class DispositionChange {
  /** What the process did at the signal before. */
  readonly previous: Disposition;
  readonly #number: number;
  readonly #before: number;
  #restored = false;

  /** @internal */
  constructor(number: number, wish: number) {
    checkTakeable(number, 'sigaction');
    this.#number = number;
    this.previous = disposition(number);
    this.#before = check(native().signalWish(number, wish), 'sigaction', { object: toName(number) });
  }

  /** The signal does again what it did before this change. Calling it again does nothing. */
  restore(): void {
    if (this.#restored) return;
    this.#restored = true;
    native().signalWish(this.#number, this.#before);
  }

  /** As `restore()`. */
  [Symbol.dispose](): void {
    this.restore();
  }
}

/**
 * What the process does at a signal now. It changes nothing. Of SIGINT and SIGTERM Node has a handler from the
 * start that restores the terminal and then does the default: that is told as the default.
 */
export function disposition(sig: SignalName | number): Disposition {
  const number = toNumber(sig);
  return DISPOSITIONS[
    check(native().signalDisposition(number), 'sigaction', { object: toName(number) })
  ] as Disposition;
}

/**
 * From now on the process ignores the signal (SIG_IGN); one that is pending is discarded. Handlers of it, and listeners
 * of `process.on`, are not called until this is restored, or `handle` handles it anew. A child that is
 * started by exec inherits it, unless what starts it resets that, as `node:child_process` does.
 *
 * @returns what was there before, and the way back
 * @throws TypeError for a signal that is reserved or a fault, IpcError EINVAL for SIGKILL and SIGSTOP
 */
export function ignore(sig: SignalName | number): DispositionChange {
  return new DispositionChange(toNumber(sig), IGNORE);
}

/**
 * From now on the signal does what the kernel does by itself (SIG_DFL): see `action` in `list()`. Handlers and listeners
 * are not called until this is restored, or `handle` handles it anew.
 *
 * @returns what was there before, and the way back
 * @throws TypeError for a signal that is reserved or a fault, IpcError EINVAL for SIGKILL and SIGSTOP
 */
export function restoreDefault(sig: SignalName | number): DispositionChange {
  return new DispositionChange(toNumber(sig), DEFAULT);
}
