/** Copying what stands in one pipe into another, without taking it out: tee(2). */
import { native, SPLICE_F_NONBLOCK } from '../sys/index.js';
import { checkOptions } from '../core/arguments.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import {
  type AmountOptions,
  amountOf,
  attempt,
  type Descriptor,
  fdOf,
  handlesOf,
  type Moving,
  notReady,
  whenMoved,
  whenMovedSync,
} from './moving.js';

const AMOUNT = ['bytes'];

function prepareTee(from: Descriptor, to: Descriptor, options: AmountOptions): Moving {
  const [source, goal] = [fdOf('from', from), fdOf('to', to)];
  const length = amountOf(options.bytes);
  return {
    syscall: 'tee',
    handles: handlesOf(from, to),
    call: () => native().tee(source, goal, length, SPLICE_F_NONBLOCK),
    waitsFor: () => notReady(from, source, to, goal),
    source,
  };
}

/**
 * Copies what stands in one pipe into another, without taking it out (tee(2)): the pages themselves are in both then. The next
 * call copies the same again, so take out as many bytes as were copied, as with `splice`, before it.
 *
 * @param from the read end of a pipe
 * @param to the write end of another
 * @returns how many bytes; `null` at the end of `from`
 * @throws IpcError EBADF (wrong direction), EINVAL (no pipe, or the same one), EPIPE, ETIMEDOUT
 */
export async function tee(
  from: Descriptor,
  to: Descriptor,
  options: AmountOptions & WaitOptions = {},
): Promise<number | null> {
  checkOptions(options, [...AMOUNT, ...WAIT_OPTIONS]);
  checkSignal(options.signal);
  checkTimeout(options.timeoutMs);
  return whenMoved(prepareTee(from, to, options), options);
}

/** As `tee`, blocking this thread. */
export function teeSync(
  from: Descriptor,
  to: Descriptor,
  options: AmountOptions & SyncWaitOptions = {},
): number | null {
  checkOptions(options, [...AMOUNT, 'timeoutMs']);
  return whenMovedSync(prepareTee(from, to, options), checkTimeout(options.timeoutMs));
}

/** As `tee`, what can be copied now, else `undefined`. */
export function tryTee(from: Descriptor, to: Descriptor, options: AmountOptions = {}): number | null | undefined {
  checkOptions(options, AMOUNT);
  return attempt(prepareTee(from, to, options));
}
