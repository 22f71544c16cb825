/**
 * Making a set so that nobody uses it before it has its values.
 *
 * A new set is found at once, and its values are given by a second call. But the kernel tells when something was done to a set by
 * semop(2), and says 0 before the first time: so whoever makes a set gives the values, and then does something that changes nothing;
 * and whoever finds one waits for that. A set of somebody who does not know the rule, as ipcmk(1), may say 0 for ever. So the wait
 * has a bound, and is for young sets only: an old one has the values that it will have.
 */

import { EACCES, EIDRM, EINVAL, ENOENT } from '../../core/errno.js';
import { check, systemError } from '../../core/errors.js';
import { IPC_CREAT, IPC_EXCL, IPC_NOWAIT, native } from '../../sys/index.js';
import { subjectOfKey } from '../kind.js';
import { SemaphoreSet } from './set.js';
import { statusOf } from './status.js';

/** How long a maker may take: it needs microseconds, and a machine may be busy. */
const PATIENCE_MS = 500;
const PAUSE_MS = 1;
/** Permissions that the maker needs to give the values. */
const MAKER = 0o600;

function giveValues(id: number, values: readonly number[]): number {
  if (values.some((value) => value !== 0)) {
    const given = native().semctlSetAll(id, Uint16Array.from(values));
    if (given < 0) return given;
  }
  // Changes nothing, and is seen: a wait for 0 where it is 0, else one taken and given back in one step.
  const sign = values[0] === 0 ? [0, 0, IPC_NOWAIT] : [0, -1, IPC_NOWAIT, 0, 1, IPC_NOWAIT];
  return native().semtimedop(id, Int16Array.from(sign), -1);
}

/** Gives a new set its values, and then the mode that it is to have; 0 or -errno. */
function finish(id: number, values: readonly number[], mode: number): number {
  const given = giveValues(id, values);
  if (given < 0 || (mode & MAKER) === MAKER) return given;
  return native().semctlSet(id, process.geteuid?.() ?? 0, process.getegid?.() ?? 0, mode);
}

/** A set that must not exist yet, with these values. One that others remove before it has them is made again. */
export function made(key: number, values: readonly number[], mode: number): SemaphoreSet {
  const subject = subjectOfKey(key);
  for (;;) {
    const id = check(native().semget(key, values.length, mode | MAKER | IPC_CREAT | IPC_EXCL), 'semget', subject);
    const done = finish(id, values, mode);
    if (done >= 0) return new SemaphoreSet({ id, key, created: true, count: values.length, initialised: true });
    if (done === -EINVAL || done === -EIDRM) continue;
    native().semctlRemove(id);
    throw systemError(done, 'semctl(SETALL)', subject);
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** The set with this id once its maker has given it values; as it is if that takes too long. */
export function found(id: number, key: number): SemaphoreSet {
  for (let waited = 0; ; waited += PAUSE_MS) {
    const status = statusOf(id);
    if (status === -EINVAL || status === -EIDRM) throw systemError(-ENOENT, 'semget', subjectOfKey(key));
    // Who may not look at it has to take it as it is.
    if (status === -EACCES) return new SemaphoreSet({ id, key, created: false, count: undefined, initialised: true });
    if (typeof status === 'number') throw systemError(status, 'semctl(IPC_STAT)', subjectOfKey(key));
    const initialised = status.lastOperationTime !== undefined;
    const ageMs = Date.now() - status.changeTime.getTime();
    // The kernel counts seconds: what seems so old is at least half that.
    const young = ageMs < PATIENCE_MS + 1000 && waited < PATIENCE_MS;
    if (initialised || !young) return new SemaphoreSet({ id, key, created: false, count: status.count, initialised });
    Atomics.wait(pause, 0, 0, PAUSE_MS);
  }
}
