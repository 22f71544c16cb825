/**
 * Listeners that a service manager made and passed on: sd_listen_fds(3). They are the descriptors from 3 on; LISTEN_PID says
 * for which process, LISTEN_FDS how many, LISTEN_FDNAMES what they are called. A pid may be another's by the time it is looked
 * at (a child that has inherited the variables, in a new pid namespace say), so systemd names the process by the number of its
 * pidfd, too: LISTEN_PIDFDID, where the kernel has a file system for them (Linux 6.9).
 */
import { fstatSync, statfsSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { checkOptions } from '../core/arguments.js';
import { argumentError } from '../core/errors.js';
import { openPid } from '../proc/index.js';
import { checkInherited } from './inherited.js';
import { listenerFromFd, type StreamListener } from './listener.js';
import { checkPolicy, type PolicyOptions } from './peer.js';

const FIRST_FD = 3;
const VARIABLES = ['LISTEN_PID', 'LISTEN_PIDFDID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const;
/** statfs(2): the file system of pidfds, on which each process has an inode number of its own that is never used again. */
const PID_FS_MAGIC = 0x50494446;
/** More than any process has descriptors. */
const MOST = 0x7fffffff - FIRST_FD;

/** How to take them over. */
export interface ActivatedOptions extends PolicyOptions {
  /** Removes the variables from `process.env`, so that children do not see them; false if omitted. */
  unsetEnvironment?: boolean;
}

/** A listener that was passed on. */
export interface Activated {
  /** FileDescriptorName= of its unit, which is the unit's name unless set; 'unknown' without LISTEN_FDNAMES. */
  name: string;
  listener: StreamListener;
}

let taken = false;

/** @returns undefined where the variable is not set */
function numberIn(variable: string, least: number, most: number): number | undefined {
  const value = process.env[variable];
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw argumentError(`${variable} must be a number from ${least} to ${most}, got '${value}'`);
}

/** The inode number of this process's pidfd; `undefined` where the kernel gives all of them the same. */
function ownPidfdNumber(): bigint | undefined {
  using self = openPid(process.pid);
  if (statfsSync(`/proc/self/fd/${self.fd}`).type !== PID_FS_MAGIC) return undefined;
  return fstatSync(self.fd, { bigint: true }).ino;
}

/** Whether the variables mean this process and no other. */
function isForUs(): boolean {
  if (numberIn('LISTEN_PID', 1, 0x7fffffff) !== process.pid) return false;
  const given = process.env['LISTEN_PIDFDID'];
  if (given === undefined) return true;
  if (!/^\d+$/.test(given)) throw argumentError(`LISTEN_PIDFDID must be a number, got '${given}'`);
  const own = ownPidfdNumber();
  return own === undefined || own === BigInt(given);
}

function namesFor(count: number): string[] {
  const given = process.env['LISTEN_FDNAMES'];
  if (given === undefined) return new Array<string>(count).fill('unknown');
  const names = given.split(':');
  if (names.length === count) return names;
  throw argumentError(`LISTEN_FDNAMES names ${names.length} descriptors, and LISTEN_FDS says ${count}: '${given}'`);
}

function takeOver(allow: PolicyOptions): Activated[] {
  if (!isForUs()) return [];
  const count = numberIn('LISTEN_FDS', 0, MOST) ?? 0;
  if (count === 0) return [];
  if (!isMainThread) throw argumentError('sockets that were passed to the process are taken over by its main thread');
  if (taken) throw argumentError('the sockets that were passed to this process have been taken over before');
  const passed = namesFor(count).map((name, index) => ({ name, fd: FIRST_FD + index }));
  // All are looked at before one is taken over, so that a fault leaves them as they were.
  for (const { name, fd } of passed) checkInherited(fd, 'listening Unix stream socket', `descriptor ${fd} ('${name}')`);
  taken = true;
  return passed.map(({ name, fd }) => ({ name, listener: listenerFromFd(fd, allow) }));
}

/**
 * The listeners that systemd (systemd.socket(5)) or another service manager passed to this process, in its order; none if it
 * passed none, or to another process (LISTEN_PID, LISTEN_PIDFDID). They become close-on-exec and non-blocking, and closing one leaves its socket
 * file alone. They are given once, to the main thread.
 *
 * @throws TypeError ERR_INTERPROC_ARGUMENT if one of them is no listening Unix stream socket, the variables are malformed, or they
 *   were taken over before; IpcError EBADF (fewer were passed than LISTEN_FDS says). None is taken over then.
 *
 * @example
 * const [passed] = unix.stream.activated();
 * const server = passed?.listener ?? unix.stream.listen('/run/user/1000/my.sock');
 */
export function activated(options: ActivatedOptions = {}): Activated[] {
  checkOptions(options, ['allow', 'unsetEnvironment']);
  const { allow, unsetEnvironment = false } = options;
  checkPolicy(allow);
  if (typeof unsetEnvironment !== 'boolean') {
    throw argumentError(`unsetEnvironment must be a boolean, got ${String(unsetEnvironment)}`);
  }
  try {
    return takeOver(allow === undefined ? {} : { allow });
  } finally {
    if (unsetEnvironment) for (const name of VARIABLES) delete process.env[name];
  }
}
