/** Process groups, sessions, the foreground of a terminal, and who gets the orphans: credentials(7), setpgid(2), tcsetpgrp(3). */
import { constants, readdirSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { native } from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { errnoName } from '../core/errno.js';
import { argumentError, check, IpcError } from '../core/errors.js';
import { Child } from './child.js';
import { Life, lifeOf } from './life.js';

const MOST_PID = 2 ** 22;

/** A terminal: its descriptor, or a handle that has one (`openPty()`). The controlling one of this process if omitted. */
export type Terminal = number | { readonly fd: number };

/** /dev/tty, close-on-exec; the caller closes it. @internal */
export function openControllingTerminal(): number {
  const fd = native().open('/dev/tty', constants.O_RDWR | constants.O_NOCTTY, 0);
  if (fd >= 0) return fd;
  throw new IpcError({
    code: errnoName(-fd),
    syscall: 'open',
    path: '/dev/tty',
    hint: 'this process has no controlling terminal; openPty() makes one for a child, or name the terminal by its descriptor',
  });
}

function onTerminal(terminal: Terminal | undefined, call: (fd: number) => number, syscall: string): number {
  if (terminal === undefined) {
    const fd = openControllingTerminal();
    try {
      return check(call(fd), syscall, { path: '/dev/tty' });
    } finally {
      native().close(fd);
    }
  }
  const fd = typeof terminal === 'object' && terminal !== null ? terminal.fd : terminal;
  if (typeof fd !== 'number') {
    throw argumentError(`terminal must be a descriptor or a handle, got ${inspect(terminal, { depth: 0 })}`);
  }
  checkInteger('terminal', fd, 0, 0x7fffffff);
  return check(call(fd), syscall, { object: `descriptor ${fd}` });
}

function checkPid(name: string, pid: number, least: number): void {
  checkInteger(name, pid, least, MOST_PID);
}

/** The process group of a process, of this one if omitted (getpgid(2)). @throws IpcError ESRCH */
export function processGroup(pid: number = process.pid): number {
  checkPid('pid', pid, 1);
  return check(native().getpgid(pid), 'getpgid', { object: String(pid) });
}

/** The session of a process, of this one if omitted (getsid(2)). @throws IpcError ESRCH */
export function session(pid: number = process.pid): number {
  checkPid('pid', pid, 1);
  return check(native().getsid(pid), 'getsid', { object: String(pid) });
}

/**
 * Moves this process into a group of its session, or into a new one that it leads (setpgid(2)). A child is put into its
 * group by `spawn`, since after execve(2) it is too late (EACCES).
 *
 * @param group 1 or more; this process's own pid makes a new one
 * @throws IpcError EPERM (no such group in this session, or this process leads a session)
 */
export function setProcessGroup(group: number): void {
  checkPid('group', group, 1);
  check(native().setpgid(0, group), 'setpgid', { object: `group ${group}` });
}

/**
 * The process group in the foreground of a terminal: that which reads it, and which Ctrl+C, Ctrl+\ and Ctrl+Z reach
 * (tcgetpgrp(3)).
 *
 * @throws IpcError ENXIO (this process has no terminal), ENOTTY
 */
export function foreground(terminal?: Terminal): number {
  return onTerminal(terminal, (fd) => native().tcgetpgrp(fd), 'tcgetpgrp');
}

/**
 * Brings a process group to the foreground of the terminal (tcsetpgrp(3)), also from the background: SIGTTOU does not
 * stop this process for it. A shell does that when it continues a job, and for itself when the job has ended or stopped.
 *
 * @param group this process's own if omitted
 * @throws IpcError EPERM (no such group in this session), ENXIO, ENOTTY (not the terminal of this session)
 */
export function setForeground(group: number = processGroup(), terminal?: Terminal): void {
  checkPid('group', group, 1);
  onTerminal(terminal, (fd) => native().tcsetpgrp(fd, group), 'tcsetpgrp');
}

/**
 * Whether descendants of this process become its children when their own parents end, instead of those of init
 * (PR_SET_CHILD_SUBREAPER). Who says yes has to `adopt()` them, or they stay zombies.
 */
export function setSubreaper(on: boolean): void {
  if (typeof on !== 'boolean') throw argumentError(`on must be true or false, got ${inspect(on)}`);
  check(native().setSubreaper(on ? 1 : 0), 'prctl(PR_SET_CHILD_SUBREAPER)');
}

/** Whether this process gets the orphans among its descendants. */
export function isSubreaper(): boolean {
  return check(native().getSubreaper(), 'prctl(PR_GET_CHILD_SUBREAPER)') === 1;
}

/** Those that one thread started; those of a thread that has ended are another one's by now. */
function childrenOf(path: string): number[] {
  try {
    return readFileSync(path, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** The pids of the children of a process, of this one if omitted, zombies too (/proc/PID/task/TID/children). */
export function children(pid: number = process.pid): number[] {
  checkPid('pid', pid, 1);
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    throw new IpcError({ code: 'ESRCH', syscall: 'open', object: String(pid) });
  }
  return threads.flatMap((thread) => childrenOf(`/proc/${pid}/task/${thread}/children`));
}

/**
 * A child that this process has and did not start here: an orphan that it got as a subreaper. From now on it is waited for as if
 * `spawn` had started it. A child of child_process is Node's to wait for: not that one.
 *
 * @throws IpcError ESRCH (no such process), ECHILD (not a child of this process)
 */
export function adopt(pid: number): Child {
  checkPid('pid', pid, 1);
  const known = lifeOf(pid);
  if (known !== undefined) return new Child(known, 'adopted');
  const subject = { object: String(pid) };
  const pidfd = check(native().pidfdOpen(pid), 'pidfd_open', subject);
  const kept = native().childKeep(pidfd);
  if (kept < 0) {
    native().close(pidfd);
    check(kept, 'waitid', subject);
  }
  return new Child(new Life(pid, pidfd), 'adopted');
}
