/** Sending signals: kill(2), killpg(3), tgkill(2), raise(3), sigqueue(3) and pidfd_send_signal(2). */
import { native } from '../sys/index.js';
import { checkInteger, checkSignalValue } from '../core/arguments.js';
import { EAGAIN } from '../core/errno.js';
import { check } from '../core/errors.js';
import { type SignalName, toNumber } from './names.js';

const MOST_PID = 2 ** 22;

/** A signal to send; 0 sends nothing and only asks. */
function toSend(sig: SignalName | number): number {
  return sig === 0 ? 0 : toNumber(sig);
}

/**
 * Sends a signal to one process (kill(2)). Signal 0 sends nothing and only asks whether it could.
 *
 * @param pid 1 or more; `killGroup` is for groups
 * @throws IpcError ESRCH (no such process), EPERM (another user's)
 */
export function kill(pid: number, sig: SignalName | number): void {
  checkInteger('pid', pid, 1, MOST_PID);
  check(native().kill(pid, toSend(sig)), 'kill', { object: String(pid) });
}

/**
 * Sends a signal to every process of a group (killpg(3)); it has succeeded if one of them got it.
 *
 * @param pgid the group, named by the pid of its first process: 2 or more, since kill(2) cannot name group 1
 * @throws IpcError ESRCH (nobody is in the group), EPERM (all of them are another user's)
 */
export function killGroup(pgid: number, sig: SignalName | number): void {
  checkInteger('pgid', pgid, 2, MOST_PID);
  check(native().kill(-pgid, toSend(sig)), 'killpg', { object: String(pgid) });
}

/**
 * Sends a signal to one thread of a process (tgkill(2)). That thread alone handles it, unless the signal
 * ends or stops the process.
 *
 * @param tid as in /proc/PID/task
 * @throws IpcError ESRCH (no such thread in this process), EPERM, EAGAIN (a real-time signal, and the queue is full)
 */
export function killThread(pid: number, tid: number, sig: SignalName | number): void {
  checkInteger('pid', pid, 1, MOST_PID);
  checkInteger('tid', tid, 1, MOST_PID);
  check(native().tgkill(pid, tid, toSend(sig)), 'tgkill', { object: String(tid) });
}

/**
 * Sends a signal to this very thread (raise(3)): it has been handled, has ended or has stopped the
 * process when this returns; a handler in JavaScript is called in a later turn of the event loop. No
 * other thread sees it: a receiver in another worker needs `kill(process.pid, …)`.
 */
export function raise(sig: SignalName | number): void {
  check(native().raise(toSend(sig)), 'raise');
}

/**
 * Sends a signal with a value (sigqueue(3)). A real-time signal is queued: it arrives as often as
 * it was sent, in order. `value` is an int32, or a bigint of a pointer's size. Signal 0 only asks.
 *
 * @returns false if the receiver's queue is full now (EAGAIN: its user's RLIMIT_SIGPENDING);
 *   nothing was sent then
 * @throws IpcError ESRCH, EPERM
 */
export function tryQueue(pid: number, sig: SignalName | number, value: number | bigint): boolean {
  checkInteger('pid', pid, 1, MOST_PID);
  const sent = native().sigqueue(pid, toSend(sig), checkSignalValue(value));
  if (sent === -EAGAIN) return false;
  check(sent, 'sigqueue', { object: String(pid) });
  return true;
}

/** As `tryQueue`; a full queue throws. @throws IpcError EAGAIN, ESRCH, EPERM */
export function queue(pid: number, sig: SignalName | number, value: number | bigint): void {
  if (!tryQueue(pid, sig, value)) check(-EAGAIN, 'sigqueue', { object: String(pid) });
}

/**
 * Sends a signal, with a value if there is one, to the process that a pidfd means (pidfd_send_signal(2)).
 * A process that has the pid of one that is gone is never hit.
 *
 * @param pidfd a descriptor of pidfd_open(2)
 * @throws IpcError ESRCH (the process is gone), EPERM, EAGAIN (its queue is full), EBADF (no pidfd)
 */
export function sendToPidfd(pidfd: number, sig: SignalName | number, value?: number | bigint): void {
  checkInteger('pidfd', pidfd, 0, 0x7fffffff);
  const number = toSend(sig);
  const sent =
    value === undefined
      ? native().pidfdSendSignal(pidfd, number)
      : native().pidfdSendSignal(pidfd, number, checkSignalValue(value));
  check(sent, 'pidfd_send_signal', { object: `descriptor ${pidfd}` });
}
