/**
 * Receiving signals with sender and value, in three forms: a wait, a loop, at once.
 *
 * Signals are sent to processes. A real-time one that was aimed at a single thread (tgkill(2),
 * pthread_sigqueue(3)) is seen by that thread alone: `receiveSync` and `tryReceive` there take it, and
 * no other thread does.
 */
import { performance } from 'node:perf_hooks';
import { POLLIN } from '../sys/index.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { argumentError, check, timeoutError } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { whenPossible, whenPossibleSync } from '../core/readiness.js';
import { traceOf } from '../core/trace.js';
import { checkTimeout, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import { eventAt, RECORD, type SignalEvent } from './event.js';
import { type SignalName, toName, toNumber } from './names.js';
import { openSource, type Source } from './sources.js';

const RECORDS = 64;
/** A blocked thread looks up this often, so that a worker can be terminated. */
const SLICE_MS = 50;
const READ = { syscall: 'signalfd' };
const trace = traceOf('signal');

/** Receives some signals until it is closed. Made by `open`. */
export class SignalReceiver extends DescriptorHandle {
  readonly #numbers: readonly number[];
  readonly #source: Source;
  readonly #buffer = new Uint8Array(RECORD * RECORDS);
  readonly #view = new DataView(this.#buffer.buffer);
  #next = 0;
  #end = 0;

  /** @internal */
  constructor(source: Source, numbers: readonly number[]) {
    super(source.fd, 'a signal receiver', source.release);
    this.#source = source;
    this.#numbers = numbers;
    trace('open', { signals: numbers.map(toName) });
  }

  /**
   * The next signal that waits, `undefined` if there is none: standard ones as they were handled, of
   * the real-time ones the lowest number first, those of one number as they were sent. Up to 64 are taken
   * from the kernel at once, so a lower one that comes later has to wait for these.
   */
  tryReceive(): SignalEvent | undefined {
    this.use();
    if (this.#next === this.#end) {
      const taken = this.#source.take(this.#buffer);
      if (taken === -EAGAIN) return undefined;
      this.#end = check(taken, READ.syscall);
      this.#next = 0;
    }
    const at = this.#next;
    this.#next += RECORD;
    return eventAt(this.#view, at);
  }

  /** Waits for the next signal. An aborted wait has taken none. */
  receive(options?: WaitOptions): Promise<SignalEvent> {
    return whenPossible(this, POLLIN, () => this.tryReceive(), options, READ);
  }

  /** As `receive`, blocking this thread (sigtimedwait(2)'s behaviour; a time-out is `ETIMEDOUT`). */
  receiveSync(options?: SyncWaitOptions): SignalEvent {
    const wait = this.#source.wait;
    if (wait === undefined || this.#next !== this.#end) {
      return whenPossibleSync(this, POLLIN, () => this.tryReceive(), options, READ);
    }
    this.use();
    const timeoutMs = checkTimeout(options?.timeoutMs);
    const deadline = timeoutMs === Infinity ? Infinity : performance.now() + timeoutMs;
    for (;;) {
      const left = deadline === Infinity ? SLICE_MS : Math.max(0, Math.ceil(deadline - performance.now()));
      const taken = wait(this.#buffer, Math.min(left, SLICE_MS));
      if (taken > 0) return eventAt(this.#view, 0);
      if (taken !== -EAGAIN && taken !== -EINTR) check(taken, READ.syscall);
      if (left === 0) throw timeoutError(READ.syscall, timeoutMs);
    }
  }

  describe(): string {
    return 'the signal receiver';
  }

  protected override details(): Record<string, unknown> {
    return { signals: this.#numbers.map(toName), ...super.details() };
  }
}

/** Signals by names or numbers: one, or several. */
export type Signals = SignalName | number | readonly (SignalName | number)[];

/** The numbers of some signals, each once. */
export function numbersOf(sigs: Signals): number[] {
  const numbers = (Array.isArray(sigs) ? sigs : [sigs]).map(toNumber);
  if (numbers.length === 0) throw argumentError('at least one signal must be named');
  return [...new Set(numbers)];
}

/**
 * Begins to receive signals; from now on they do not what they did before. `close()` gives them back:
 * those still waiting are dropped, later ones do what they did before.
 *
 * A standard signal goes to every receiver and handler of it, and to the listeners of `process.on`,
 * which go on as before. A real-time signal has one receiver in the process.
 *
 * @throws TypeError for a signal that is reserved or a fault, IpcError EINVAL for SIGKILL and SIGSTOP,
 *   EBUSY if another receiver of this process has one of the real-time signals
 */
export function open(sigs: Signals): SignalReceiver {
  const numbers = numbersOf(sigs);
  return new SignalReceiver(openSource(numbers), numbers);
}

/**
 * The signals as they come, from the first `next()` (a `for await` begins with it) until the loop is
 * left or the AbortSignal aborts; then they are given back, as by `close()`.
 */
export async function* events(
  sigs: Signals,
  options?: { signal?: AbortSignal },
): AsyncGenerator<SignalEvent, void, void> {
  using receiver = open(sigs);
  for (;;) yield await receiver.receive(options);
}
