/** What /proc tells of processes: proc_pid_stat(5), proc_pid_status(5). Each thing is read once in a look. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Party } from './report.js';

/** A process that was there. */
export interface Process {
  readonly pid: number;
  readonly name: string;
  /** As /proc/PID/stat has it: `Z` is a zombie, `T` and `t` are stopped. */
  readonly state: string;
  readonly threads: number;
  readonly startTime: number;
  /** Whether it is a thread of the kernel, which takes none of these locks. */
  readonly isKernel: boolean;
}

/** Of /proc/PID/stat, counted from the state, which follows the name. */
const FLAGS = 6;
const THREADS = 17;
const START_TIME = 19;
const PF_KTHREAD = 0x0020_0000;

/** A file of /proc; `undefined` if it cannot be read: what it is about is gone, or not ours to see. */
export function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** The names in a folder of /proc; `undefined` likewise. */
export function listProc(path: string): string[] | undefined {
  try {
    return readdirSync(path);
  } catch {
    return undefined;
  }
}

/** A process by what /proc/PID/stat says; `undefined` for what is no such line. */
export function parseStat(pid: number, stat: string): Process | undefined {
  const end = stat.lastIndexOf(')');
  const fields = stat.slice(end + 2).split(' ');
  const startTime = Number(fields[START_TIME]);
  if (end < 0 || Number.isNaN(startTime)) return undefined;
  return {
    pid,
    name: stat.slice(stat.indexOf('(') + 1, end),
    state: fields[0] as string,
    threads: Number(fields[THREADS]),
    startTime,
    isKernel: (Number(fields[FLAGS]) & PF_KTHREAD) !== 0,
  };
}

const isStopped = ({ state }: Process): boolean => state === 'T' || state === 't';

/** The processes of one look. */
export class Processes {
  readonly #known = new Map<number, Process | undefined>();
  readonly #commands = new Map<number, string>();
  readonly #groups = new Map<number, number | undefined>();
  readonly #unreadable = new Set<number>();

  /** All that are there and are programs. */
  all(): Process[] {
    return (listProc('/proc') ?? [])
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => this.get(Number(name)) ?? [])
      .filter(({ isKernel }) => !isKernel);
  }

  /** A process; `undefined` if there is none, or only what is left of one that has ended. */
  get(pid: number): Process | undefined {
    if (!this.#known.has(pid)) {
      const found = parseStat(pid, readProc(`/proc/${pid}/stat`) ?? '');
      // The first thread of a process may end before the others: that is no end of the process.
      const ended = found?.state === 'X' || (found?.state === 'Z' && found.threads <= 1);
      this.#known.set(pid, ended ? undefined : found);
    }
    return this.#known.get(pid);
  }

  /** The process that a thread belongs to; `undefined` if the thread has ended, though it may not have been waited for. */
  ofThread(tid: number): Process | undefined {
    if (!this.#groups.has(tid)) {
      const status = readProc(`/proc/${tid}/status`) ?? '';
      const group = /^State:\t[ZX]/m.test(status) ? undefined : /^Tgid:\t(\d+)/m.exec(status)?.[1];
      this.#groups.set(tid, group === undefined ? undefined : Number(group));
    }
    const group = this.#groups.get(tid);
    return group === undefined ? undefined : this.get(group);
  }

  /** As it is told; `undefined` if the process is gone. */
  party(pid: number, tid?: number): Party | undefined {
    const found = this.get(pid);
    if (found === undefined) return undefined;
    const { name, startTime } = found;
    return { pid, tid, name, command: this.#commandOf(found), startTime, stopped: isStopped(found) };
  }

  #commandOf({ pid, name }: Process): string {
    const known = this.#commands.get(pid);
    if (known !== undefined) return known;
    const words = (readProc(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim();
    const command = words === '' ? name : words;
    this.#commands.set(pid, command);
    return command;
  }

  /** Notes that a process could not be looked into, if it is there. */
  couldNotRead(pid: number): void {
    if (this.get(pid) !== undefined) this.#unreadable.add(pid);
  }

  get unreadable(): number[] {
    return [...this.#unreadable].sort((one, other) => one - other);
  }
}
