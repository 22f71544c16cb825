/**
 * Where a receiver's signals come from. Real-time signals are blocked in every thread and read from
 * a signalfd(2), in order, each as often as it was sent; one receiver in the process owns each.
 * Standard signals are caught by a handler over libuv's, and every receiver is told
 * (docs/design/signals.md).
 */
import { native } from '../sys/index.js';
import { EBUSY } from '../core/errno.js';
import { check, IpcError } from '../core/errors.js';
import { realTimeRange, toName } from './names.js';
import { checkTakeable } from './reserved.js';

/** A place to take records of signals from. */
export interface Source {
  /** Readable while there is something to take. */
  readonly fd: number;
  /** Fills the array with records; their length, or -EAGAIN. */
  take(bytes: Uint8Array): number;
  /** The same for one record, blocking this thread for so long at most, where the kernel can in one call. */
  wait?(bytes: Uint8Array, timeoutMs: number): number;
  /** What remains to be given back, called after the descriptor was closed; must not hold the receiver. */
  release(): void;
}

const answer = new Int32Array(new ArrayBuffer(128));

function busy(name: string | undefined): IpcError {
  const subject = name === undefined ? {} : { object: name };
  const message =
    name === undefined
      ? 'another copy of interproc in this process has its signals; let both sides import the same one'
      : 'this process already receives the signal, here or in another worker; close that receiver first';
  return new IpcError({ code: 'EBUSY', syscall: 'signalfd', message, ...subject });
}

function own(number: number): void {
  const owned = native().signalOwn(number);
  if (owned === -EBUSY) throw busy(toName(number));
  check(owned, 'signalfd', { object: toName(number) });
}

function giveBack(numbers: readonly number[]): void {
  for (const number of numbers) native().signalDisown(number);
}

function realTime(numbers: readonly number[]): Source {
  const owned: number[] = [];
  try {
    for (const number of numbers) {
      own(number);
      owned.push(number);
    }
    const signals = Int32Array.from(owned);
    const fd = check(native().signalfd(signals, true), 'signalfd');
    return {
      fd,
      take: (bytes) => native().read(fd, bytes, 0, bytes.length),
      wait: (bytes, timeoutMs) => native().sigtimedwait(signals, timeoutMs, bytes),
      release: () => giveBack(owned),
    };
  } catch (error) {
    giveBack(owned);
    throw error;
  }
}

function standard(numbers: readonly number[]): Source {
  const opened = native().catchOpen(answer);
  if (opened === -EBUSY) throw busy(undefined);
  check(opened, 'eventfd');
  const [fd = -1, id = -1] = answer;
  const release = (): void => {
    native().catchClose(id);
  };
  try {
    for (const number of numbers) check(native().catchSignal(id, number), 'sigaction', { object: toName(number) });
    return { fd, take: (bytes) => native().catchTake(id, bytes), release };
  } catch (error) {
    native().close(fd);
    release();
    throw error;
  }
}

/** One descriptor for two sources, which it closes at its end. */
function both(first: Source, second: Source): Source {
  const release = (): void => {
    for (const { fd } of [first, second]) native().close(fd);
    first.release();
    second.release();
  };
  const fd = native().signalGate(first.fd, second.fd);
  if (fd < 0) {
    release();
    check(fd, 'epoll_create1');
  }
  const take = (bytes: Uint8Array): number => {
    const taken = first.take(bytes);
    return taken > 0 ? taken : second.take(bytes);
  };
  return { fd, take, release };
}

/** The source of these signals, which from now on do not what they did before. */
export function openSource(numbers: readonly number[]): Source {
  const { first } = realTimeRange();
  for (const number of numbers) checkTakeable(number, 'sigaction');
  const low = numbers.filter((number) => number < first);
  const high = numbers.filter((number) => number >= first);
  if (low.length === 0) return realTime(high);
  const caught = standard(low);
  if (high.length === 0) return caught;
  let queued: Source;
  try {
    queued = realTime(high);
  } catch (error) {
    native().close(caught.fd);
    caught.release();
    throw error;
  }
  return both(caught, queued);
}
