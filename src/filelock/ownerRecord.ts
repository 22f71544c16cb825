/** What stands in a lock file: who has it. It is for people; who has it, the kernel's lock says. */
import { readFileSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { native } from '../sys/index.js';
import { check, type ErrorSubject } from '../core/errors.js';
import { commandOf } from './kernelLocks.js';

/** Who has, or had, a lock file. What is not known is `undefined`. */
export interface LockOwner {
  pid: number | undefined;
  /** When the process began, in clock ticks after the machine did, as /proc/PID/stat has it: with the pid it means one process only. */
  startTime: number | undefined;
  host: string | undefined;
  command: string | undefined;
  /** Since when it has the lock. */
  since: Date | undefined;
}

const MOST = 65_536;
const MOST_COMMAND = 4096;
/** Of /proc/PID/stat, counted from the state, which follows the name. */
const START_TIME = 19;

function startTimeOf(pid: number | 'self'): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME]);
}

/** This process, from now on. */
function ourselves(): LockOwner & { pid: number } {
  const { pid } = process;
  const command = commandOf(pid)?.slice(0, MOST_COMMAND);
  return { pid, startTime: startTimeOf('self'), host: hostname(), command, since: new Date() };
}

/** What stands in the file. */
export interface OwnerRecord {
  readonly owner: LockOwner;
  /** Whether the file is to stay when it is released. */
  readonly stays: boolean;
}

/** Writes that this process has it. */
export function writeOwner(fd: number, stays: boolean, subject: ErrorSubject): void {
  const bytes = Buffer.from(`${JSON.stringify({ ...ourselves(), stays })}\n`);
  check(native().ftruncate(fd, 0), 'ftruncate', subject);
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, done);
}

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** What is written there: `undefined` if nothing is, `null` if it is no owner's record. */
export function readOwner(fd: number, subject: ErrorSubject): OwnerRecord | undefined | null {
  const bytes = new Uint8Array(MOST);
  const length = check(native().pread(fd, bytes, 0, MOST, 0), 'pread', subject);
  if (length === 0) return undefined;
  let found: unknown;
  try {
    found = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)));
  } catch {
    return null;
  }
  if (typeof found !== 'object' || found === null || !('pid' in found) || !('since' in found)) return null;
  const { pid, startTime, host, command, since, stays } = found as Record<string, unknown>;
  const moment = new Date(String(since));
  const owner = {
    pid: numberOf(pid),
    startTime: numberOf(startTime),
    host: textOf(host),
    command: textOf(command),
    since: Number.isNaN(moment.getTime()) ? undefined : moment,
  };
  return { owner, stays: stays === true };
}

/** A process that is not known by a record. */
export function ownerByPid(pid: number | undefined): LockOwner {
  let startTime: number | undefined;
  try {
    startTime = pid === undefined ? undefined : startTimeOf(pid);
  } catch {
    // It has ended meanwhile.
  }
  const command = pid === undefined ? undefined : commandOf(pid);
  return { pid, startTime, host: hostname(), command, since: undefined };
}
