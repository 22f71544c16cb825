/**
 * Waiting for a system call that cannot be polled: it runs on a thread of its own, never on one of
 * libuv's four, and can be cancelled at any time.
 *
 * Cancelling interrupts the thread with a signal, which can come just before it enters the kernel
 * and is then lost; so it is repeated until the call has ended. Only then does the promise
 * settle: with the abort's error, or with what the call had already got.
 */
import { performance } from 'node:perf_hooks';
import { native } from '../sys/index.js';
import { ECANCELED, EINTR } from './errno.js';
import { check, timeoutError } from './errors.js';
import { registerCall, unregisterCall } from './loop.js';
import {
  type Awaited,
  checkSignal,
  checkTimeout,
  pend,
  type SyncWaitOptions,
  type WaitOptions,
  type WaitOwner,
} from './wait.js';

const REPEAT_MS = 1;
/** A blocked thread looks up this often, so that a worker can be terminated. */
const SLICE_MS = 50;

/**
 * The result of a blocking call (its value or `-errno`), once it has returned. `start` begins it
 * under the token it is given. A time-out of 0 gives up at once without starting.
 */
export function callBlocking(
  start: (token: number) => number,
  options: WaitOptions | undefined,
  awaited: Awaited,
  owner?: WaitOwner,
): Promise<number> {
  try {
    checkSignal(options?.signal);
    const timeoutMs = checkTimeout(options?.timeoutMs);
    if (timeoutMs === 0) throw timeoutError(awaited.syscall, 0, awaited.subject);
    return pend<number>(owner, options, awaited, (settle) => {
      let given: Error | undefined;
      let repeat: NodeJS.Timeout | undefined;
      const token = registerCall((result) => {
        unregisterCall(token);
        clearTimeout(repeat);
        if (given !== undefined && (result === -ECANCELED || result === -EINTR)) settle.reject(given);
        else settle.resolve(result);
      });
      try {
        check(start(token), awaited.syscall, awaited.subject);
      } catch (why) {
        unregisterCall(token);
        throw why;
      }
      const interrupt = (): void => {
        if (native().cancelBlocking(token) === 1) repeat = setTimeout(interrupt, REPEAT_MS);
      };
      return (why) => {
        if (given !== undefined) return;
        given = why;
        interrupt();
      };
    });
  } catch (why) {
    return Promise.reject(why);
  }
}

/**
 * As `callBlocking`, blocking this thread; `ETIMEDOUT` is thrown. The call runs on a thread of its
 * own all the same, since this one could not be interrupted in it.
 */
export function callBlockingSync(
  start: (token: number) => number,
  options: SyncWaitOptions | undefined,
  awaited: Awaited,
): number {
  const timeoutMs = checkTimeout(options?.timeoutMs);
  const late = (): Error => timeoutError(awaited.syscall, timeoutMs, awaited.subject);
  if (timeoutMs === 0) throw late();
  const deadline = performance.now() + timeoutMs;
  const token = registerCall(() => {});
  try {
    check(start(token), awaited.syscall, awaited.subject);
    for (;;) {
      const left = Math.ceil(deadline - performance.now());
      const result = native().awaitBlocking(token, left > 0 ? Math.min(left, SLICE_MS) : REPEAT_MS);
      if (result === undefined) {
        if (left <= 0) native().cancelBlocking(token);
      } else if (left <= 0 && (result === -ECANCELED || result === -EINTR)) {
        throw late();
      } else {
        return result;
      }
    }
  } finally {
    unregisterCall(token);
  }
}
