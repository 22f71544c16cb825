/**
 * Receiving real-time signals in order, with sender and value.
 *
 * The signal is blocked in every thread of the process and read from a signalfd(2): a handler
 * that runs on Node's several threads would invert the order (docs/design/signals.md). Each
 * signal is owned by one receiver in the process.
 *
 * Signals are sent to processes. One that was aimed at a single thread (tgkill(2),
 * pthread_sigqueue(3)) is seen by that thread alone: `receiveSync` and `tryReceive` there take it, and
 * no other thread does.
 */
import { native, POLLIN } from '../sys/index.js';
import { EAGAIN, EBUSY } from '../core/errno.js';
import { argumentError, check, IpcError } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { whenPossible, whenPossibleSync } from '../core/readiness.js';
import { traceOf } from '../core/trace.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import { realTimeRange, type SignalName, toName, toNumber } from './names.js';
import { checkTakeable } from './reserved.js';

/** A signal that arrived. */
export interface SignalEvent {
  /** `SIGRTMIN+3`. */
  name: SignalName;
  number: number;
  /** How it was sent: `SI_USER` (kill), `SI_QUEUE` (sigqueue), `SI_KERNEL`, `SI_TIMER`, `SI_MESGQ`, `SI_TKILL`, … */
  code: string;
  /** Who sent it; the sender of `SI_QUEUE` states this itself, so it is no proof of identity. */
  pid: number;
  uid: number;
  /** What was sent along, as int32 (`si_int`). */
  value: number;
  /** The same at its full size (`si_ptr`); beyond 32 bits only what the sender meant as a pointer. */
  pointer: bigint;
}

const CODES = new Map([
  [0, 'SI_USER'],
  [0x80, 'SI_KERNEL'],
  [-1, 'SI_QUEUE'],
  [-2, 'SI_TIMER'],
  [-3, 'SI_MESGQ'],
  [-4, 'SI_ASYNCIO'],
  [-5, 'SI_SIGIO'],
  [-6, 'SI_TKILL'],
]);
/** sizeof(struct signalfd_siginfo), signalfd(2). */
const RECORD = 128;
const RECORDS = 64;
const READ = { syscall: 'signalfd' };
const trace = traceOf('signal');

function giveBack(numbers: readonly number[]): void {
  for (const number of numbers) native().signalDisown(number);
}

/** Receives some real-time signals until it is closed. Made by `open`. */
export class SignalReceiver extends DescriptorHandle {
  readonly #numbers: number[];
  readonly #buffer = new Uint8Array(RECORD * RECORDS);
  readonly #view = new DataView(this.#buffer.buffer);
  #next = 0;
  #end = 0;

  /** @internal */
  constructor(fd: number, numbers: number[]) {
    super(fd, 'a signal receiver', () => giveBack(numbers));
    this.#numbers = numbers;
    trace('open', { signals: numbers.map(toName) });
  }

  /**
   * The next signal that waits, `undefined` if there is none: the lowest number first, those of one
   * number as they were sent. Up to 64 are taken from the kernel at once, so a lower one that comes
   * later has to wait for these.
   */
  tryReceive(): SignalEvent | undefined {
    this.use();
    if (this.#next === this.#end) {
      const read = native().read(this.fd, this.#buffer, 0, this.#buffer.length);
      if (read === -EAGAIN) return undefined;
      this.#end = check(read, READ.syscall);
      this.#next = 0;
    }
    const at = this.#next;
    this.#next += RECORD;
    const view = this.#view;
    const number = view.getUint32(at, true);
    const code = view.getInt32(at + 8, true);
    return {
      name: toName(number),
      number,
      code: CODES.get(code) ?? String(code),
      pid: view.getUint32(at + 12, true),
      uid: view.getUint32(at + 16, true),
      value: view.getInt32(at + 44, true),
      pointer: view.getBigUint64(at + 48, true),
    };
  }

  /** Waits for the next signal. An aborted wait has taken none. */
  receive(options?: WaitOptions): Promise<SignalEvent> {
    return whenPossible(this, POLLIN, () => this.tryReceive(), options, READ);
  }

  /** As `receive`, blocking this thread (sigtimedwait(2)'s behaviour; a time-out is `ETIMEDOUT`). */
  receiveSync(options?: SyncWaitOptions): SignalEvent {
    return whenPossibleSync(this, POLLIN, () => this.tryReceive(), options, READ);
  }

  describe(): string {
    return 'the signal receiver';
  }

  protected override details(): Record<string, unknown> {
    return { signals: this.#numbers.map(toName), ...super.details() };
  }
}

function own(number: number): void {
  const { first } = realTimeRange();
  const name = toName(number);
  if (number < first) {
    throw argumentError(
      `${name} is a standard signal: process.on('${name}') receives it; real-time signals (SIGRTMIN to SIGRTMAX-3) are received here, with sender and value`,
    );
  }
  checkTakeable(number, 'signalfd');
  const owned = native().signalOwn(number);
  if (owned === -EBUSY) {
    throw new IpcError({
      code: 'EBUSY',
      syscall: 'signalfd',
      object: name,
      message: 'this process already receives the signal, here or in another worker; close that receiver first',
    });
  }
  check(owned, 'signalfd', { object: name });
}

/**
 * Begins to receive real-time signals; from now on they no longer end the process. `close()` gives
 * them back: those still waiting are dropped, later ones do what they did before.
 *
 * @throws TypeError for a standard or a reserved signal, IpcError EBUSY if another receiver of
 *   this process has one of them
 */
export function open(sigs: SignalName | number | readonly (SignalName | number)[]): SignalReceiver {
  const numbers = (Array.isArray(sigs) ? sigs : [sigs]).map(toNumber);
  if (numbers.length === 0) throw argumentError('at least one signal must be named');
  const owned: number[] = [];
  try {
    for (const number of new Set(numbers)) {
      own(number);
      owned.push(number);
    }
    return new SignalReceiver(check(native().signalfd(-1, Int32Array.from(owned)), 'signalfd'), owned);
  } catch (error) {
    giveBack(owned);
    throw error;
  }
}

/**
 * The signals as they come, from the first `next()` (a `for await` begins with it) until the loop is
 * left or the AbortSignal aborts; then they are given back, as by `close()`.
 */
export async function* events(
  sigs: SignalName | number | readonly (SignalName | number)[],
  options?: { signal?: AbortSignal },
): AsyncGenerator<SignalEvent, void, void> {
  using receiver = open(sigs);
  for (;;) yield await receiver.receive(options);
}
