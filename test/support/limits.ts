/** Limits of a running process, set from outside it. */
import { execFileSync } from 'node:child_process';

/** Lets a process open so many descriptors from now on (prlimit(1)); those that are open stay. */
export function limitDescriptors(pid: number, most: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${most}:`]);
}

/** Lets so many signals wait for a process from now on (prlimit(1)). */
export function limitPendingSignals(pid: number, most: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--sigpending=${most}:`]);
}
