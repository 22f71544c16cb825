/**
 * Processes: starting a child with exactly the descriptors, signals, group and terminal that it shall have; hearing of every
 * change of it; and any other process, by a descriptor that never means another one. fork(2), execve(2), waitid(2),
 * pidfd_open(2), pty(7), credentials(7).
 *
 * @example
 * const child = spawn('sleep', ['10']);
 * child.kill('SIGTERM');
 * console.log((await child.wait()).description); // killed by SIGTERM (terminated)
 */
export type { Accounts } from './accounts.js';
export { Child } from './child.js';
export type { ChildDescriptor, ChildDescriptors, HasDescriptor } from './descriptors.js';
export {
  adopt,
  children,
  foreground,
  isSubreaper,
  processGroup,
  session,
  setForeground,
  setProcessGroup,
  setSubreaper,
  type Terminal,
} from './groups.js';
export { openPid, ProcessHandle } from './pid.js';
export { openPty, Pty, type PtyOptions } from './pty.js';
export { spawn, type SpawnOptions } from './spawn.js';
export type { ExitStatus } from './status.js';
