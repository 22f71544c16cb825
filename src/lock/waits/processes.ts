/** What /proc tells of processes: proc_pid_stat(5), proc_pid_status(5). Each thing is read once in a look. */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import type { Party } from './report.js';

/** A process that was there. */
export interface Process {
  readonly pid: number;
  readonly name: string;
  /** As /proc/PID/stat has it: `Z` is a zombie, `T` and `t` are stopped. */
  readonly state: string;
  readonly threads: number;
  readonly startTime: number;
  /** One of its threads that lives, by whose number it is looked into: where the first thread has ended, /proc/PID shows nothing. */
  readonly through: number;
  /** Whether it is a thread of the kernel, which takes none of these locks. */
  readonly isKernel: boolean;
}

/** Of /proc/PID/stat, counted from the state, which follows the name. */
const FLAGS = 6;
const THREADS = 17;
const START_TIME = 19;
const PF_KTHREAD = 0x0020_0000;

function orNothing<T>(read: () => T, refused: () => void): T | undefined {
  try {
    return read();
  } catch (why) {
    if (['EACCES', 'EPERM'].includes((why as { code?: string }).code ?? '')) refused();
    return undefined;
  }
}

/** A file of /proc; `undefined` if it cannot be read: what it is about is gone, or not ours to see, which `refused` is told. */
export function readProc(path: string, refused = (): void => {}): string | undefined {
  return orNothing(() => readFileSync(path, 'latin1'), refused);
}

const line = Buffer.alloc(1024);

/** The same for a file of one line, which is read with fewer calls: there are some for each thread of the machine. */
export function readProcLine(path: string, refused = (): void => {}): string | undefined {
  return orNothing(() => {
    const fd = openSync(path, 'r');
    try {
      return line.toString('latin1', 0, readSync(fd, line, 0, line.length, null));
    } finally {
      closeSync(fd);
    }
  }, refused);
}

/** The names in a folder of /proc; `undefined` likewise. */
export function listProc(path: string, refused = (): void => {}): string[] | undefined {
  return orNothing(() => readdirSync(path), refused);
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
    through: pid,
    isKernel: (Number(fields[FLAGS]) & PF_KTHREAD) !== 0,
  };
}

/** A process whose first thread has ended: `undefined` if all have. */
function withoutFirst(process: Process): Process | undefined {
  for (const name of listProc(`/proc/${process.pid}/task`) ?? []) {
    const { state = 'X' } = parseStat(Number(name), readProcLine(`/proc/${name}/stat`) ?? '') ?? {};
    if (state !== 'Z' && state !== 'X') return { ...process, state, through: Number(name) };
  }
  return undefined;
}

const isStopped = ({ state }: Process): boolean => state === 'T' || state === 't';

/** The processes of one look. */
export class Processes {
  readonly #known = new Map<number, Process | undefined>();
  readonly #commands = new Map<number, string>();
  readonly #groups = new Map<number, number | undefined>();
  readonly #unreadable = new Set<number>();
  readonly #only: readonly number[] | undefined;

  /** @param only those to look at; all if omitted */
  constructor(only?: readonly number[]) {
    this.#only = only;
  }

  /** Those to look at that are there and are programs. */
  all(): Process[] {
    const pids = this.#only ?? (listProc('/proc') ?? []).filter((name) => /^\d+$/.test(name)).map(Number);
    return pids.flatMap((pid) => this.get(pid) ?? []).filter(({ isKernel }) => !isKernel);
  }

  /** A process; `undefined` if there is none, or only what is left of one that has ended. */
  get(pid: number): Process | undefined {
    if (!this.#known.has(pid)) {
      const found = parseStat(pid, readProcLine(`/proc/${pid}/stat`) ?? '');
      // The first thread of a process may end before the others: that is no end of the process.
      this.#known.set(pid, found?.state === 'Z' || found?.state === 'X' ? withoutFirst(found) : found);
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

  /** What notes that a process may not be looked into. */
  refusedBy(pid: number): () => void {
    return () => this.#unreadable.add(pid);
  }

  get unreadable(): number[] {
    return [...this.#unreadable].sort((one, other) => one - other);
  }
}
