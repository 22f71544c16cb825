/** Sending signals: kill(2) and sigqueue(3). */
import { native } from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { EAGAIN } from '../core/errno.js';
import { argumentError, check, rangeError } from '../core/errors.js';
import { type SignalName, toNumber } from './names.js';

const MOST_PID = 2 ** 22;

/**
 * Sends a signal to one process (kill(2)). Signal 0 sends nothing and only asks whether it could.
 *
 * @param pid 1 or more; a group is not meant here
 * @throws IpcError ESRCH (no such process), EPERM (another user's)
 */
export function kill(pid: number, sig: SignalName | number): void {
  checkInteger('pid', pid, 1, MOST_PID);
  const number = sig === 0 ? 0 : toNumber(sig);
  check(native().kill(pid, number), 'kill', { object: String(pid) });
}

/**
 * Sends a signal with a value (sigqueue(3)). A real-time signal is queued: it arrives as often as
 * it was sent, in order. `value` is an int32, or a bigint of a pointer's size.
 *
 * @returns false if the receiver's queue is full now (EAGAIN: its user's RLIMIT_SIGPENDING);
 *   nothing was sent then
 * @throws IpcError ESRCH, EPERM
 */
export function tryQueue(pid: number, sig: SignalName | number, value: number | bigint): boolean {
  checkInteger('pid', pid, 1, MOST_PID);
  const number = toNumber(sig);
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(64, value) !== value && BigInt.asUintN(64, value) !== value) {
      throw rangeError(`value must fit 64 bits, got ${value}`);
    }
  } else if (typeof value !== 'number') {
    throw argumentError(`value must be a number or a bigint, got ${String(value)}`);
  } else {
    checkInteger('value', value, -0x80000000, 0x7fffffff);
  }
  const sent = native().sigqueue(pid, number, typeof value === 'bigint' ? BigInt.asIntN(64, value) : value);
  if (sent === -EAGAIN) return false;
  check(sent, 'sigqueue', { object: String(pid) });
  return true;
}

/** As `tryQueue`; a full queue throws. @throws IpcError EAGAIN, ESRCH, EPERM */
export function queue(pid: number, sig: SignalName | number, value: number | bigint): void {
  if (!tryQueue(pid, sig, value)) check(-EAGAIN, 'sigqueue', { object: String(pid) });
}
