/** Signals that wait: sigprocmask(2) for the whole process, sigpending(2), sigtimedwait(2). */
import { native, POLLIN } from '../sys/index.js';
import { EAGAIN } from '../core/errno.js';
import { check } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { whenPossible, whenPossibleSync } from '../core/readiness.js';
import { checkSyncWait, checkWait, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import { eventAt, RECORD, type SignalEvent } from './event.js';
import { list } from './list.js';
import { type SignalName, toName } from './names.js';
import { numbersOf, type Signals } from './receive.js';
import { checkTakeable } from './reserved.js';

const WAIT = { syscall: 'sigtimedwait' };

/** The signals as C takes them, blocked in every thread from now on. */
function holdAll(numbers: readonly number[]): Int32Array {
  for (const number of numbers) checkTakeable(number, 'sigprocmask');
  const signals = Int32Array.from(numbers);
  check(native().signalHold(signals), 'sigprocmask');
  return signals;
}

/** Signals that are held. Made by `hold`. */
export class SignalHold {
  readonly #signals: Int32Array;
  #released = false;

  /** @internal */
  constructor(signals: Int32Array) {
    this.#signals = signals;
  }

  /** The names of what is held. */
  get signals(): SignalName[] {
    return [...this.#signals].map(toName);
  }

  /** What waits, and no other scope holds, is delivered now: each signal does what it would have done. Calling it again does nothing. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    check(native().signalRelease(this.#signals), 'sigprocmask');
  }

  /** As `release()`. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * From now on these signals stay pending for the process, whoever handles them, until `release()`. Several scopes may
 * hold a signal; it is delivered when the last of them releases it. Masks belong to threads, and Node has about seven: this
 * blocks the signals in every one, and new ones inherit that (docs/design/signals.md). A signal of which a receiver had read
 * records before is still given out from these. The end of a worker releases what it holds.
 *
 * @throws TypeError for a signal that is reserved or a fault; IpcError EINVAL for SIGKILL and SIGSTOP, which cannot be blocked
 * @example
 * using quiet = signal.hold(['SIGTERM', 'SIGINT']);
 * writeTheFileThatMustBeWhole();
 */
export function hold(sigs: Signals): SignalHold {
  return new SignalHold(holdAll(numbersOf(sigs)));
}

/** The names of the signals that wait for the process or for this thread (sigpending(2)), by number. */
export function pending(): SignalName[] {
  const found = new Int32Array(new ArrayBuffer(512), 0, 65);
  check(native().sigpending(found), 'sigpending');
  return list()
    .filter(({ number }) => found[number] === 1)
    .map(({ name }) => name);
}

/** Holds the signals as long as it is open, and takes one. */
class Waiting extends DescriptorHandle {
  readonly #record = new Uint8Array(RECORD);

  constructor(sigs: Signals) {
    const signals = holdAll(numbersOf(sigs));
    const release = (): void => {
      native().signalRelease(signals);
    };
    const fd = native().signalfd(signals, false);
    if (fd < 0) {
      release();
      check(fd, 'signalfd');
    }
    super(fd, 'a wait for signals', release);
  }

  take(): SignalEvent | undefined {
    const taken = native().read(this.fd, this.#record, 0, RECORD);
    if (taken === -EAGAIN) return undefined;
    check(taken, WAIT.syscall);
    return eventAt(new DataView(this.#record.buffer), 0);
  }

  describe(): string {
    return 'the wait for signals';
  }

  async next(options: WaitOptions): Promise<SignalEvent> {
    return await whenPossible(this, POLLIN, () => this.take(), options, WAIT);
  }

  nextSync(options: SyncWaitOptions): SignalEvent {
    return whenPossibleSync(this, POLLIN, () => this.take(), options, WAIT);
  }
}

/**
 * Takes exactly one of these signals as soon as it is pending (sigtimedwait(2)), without calling its handlers; the lowest
 * number first, others and further ones stay pending. The signals are held meanwhile. `hold` them before, and for as long
 * as you wait again and again: what comes when nobody holds it does what it always does.
 *
 * An aborted wait, and one whose time is over (`ETIMEDOUT`), has taken none. Of several waits for a signal one gets it.
 *
 * @throws as `hold`; all as a rejection
 */
export async function wait(sigs: Signals, options: WaitOptions = {}): Promise<SignalEvent> {
  checkWait(options);
  using waiting = new Waiting(sigs);
  return await waiting.next(options);
}

/** As `wait`, blocking this thread. */
export function waitSync(sigs: Signals, options: SyncWaitOptions = {}): SignalEvent {
  checkSyncWait(options);
  using waiting = new Waiting(sigs);
  return waiting.nextSync(options);
}
