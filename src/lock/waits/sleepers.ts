/** Threads that sleep in a system call by which locks are waited for: /proc/PID/task/TID/syscall, proc_pid_syscall(5). */
import { listProc, type Process, type Processes, readProc, readProcLine } from './processes.js';

/** The calls, by what they are called here. */
export type Call = 'flock' | 'fcntl' | 'semop' | 'futex' | 'futex_waitv';

/** A thread that sleeps in one of these calls. */
export interface Sleeper {
  readonly pid: number;
  /** The thread that sleeps. */
  readonly tid: number;
  /** For whom: itself, or the JavaScript thread for which a thread of this library waits. */
  readonly behalf: number;
  readonly call: Call;
  /** What the call was given. */
  readonly args: readonly bigint[];
  /** How often the thread has been off the processor: while this does not change, it is the same sleep. */
  readonly switches: string;
}

const X64: Record<number, Call> = {
  73: 'flock',
  72: 'fcntl',
  65: 'semop',
  220: 'semop',
  202: 'futex',
  449: 'futex_waitv',
};
/** As every architecture since has them. */
const GENERIC: Record<number, Call> = {
  32: 'flock',
  25: 'fcntl',
  193: 'semop',
  192: 'semop',
  98: 'futex',
  449: 'futex_waitv',
};
const CALLS = process.arch === 'x64' ? X64 : GENERIC;

/** What the threads of this library that wait are called, with the thread for which they do (native/blocking.c). */
const HELPER = /^ipc-for (\d+)$/;

/** A call with its arguments, of a line of /proc; `undefined` if it is another call or none. */
export function parseSyscall(line: string): { call: Call; args: bigint[] } | undefined {
  const [number = '', ...rest] = line.trim().split(' ');
  const call = CALLS[Number(number)];
  if (call === undefined || rest.length < 6) return undefined;
  return { call, args: rest.slice(0, 6).map(BigInt) };
}

function behalfOf(pid: number, tid: number): number {
  const served = HELPER.exec(readProcLine(`/proc/${pid}/task/${tid}/comm`)?.trim() ?? '')?.[1];
  return served !== undefined && readProcLine(`/proc/${pid}/task/${served}/comm`) !== undefined ? Number(served) : tid;
}

function sleeperIn(pid: number, tid: number, line: string): Sleeper | undefined {
  const found = parseSyscall(line);
  if (found === undefined) return undefined;
  const status = readProc(`/proc/${pid}/task/${tid}/status`) ?? '';
  // One that is stopped has been taken out of the call, and will begin it anew.
  if (!/^State:\t[SD]/m.test(status)) return undefined;
  if (readProcLine(`/proc/${pid}/task/${tid}/syscall`) !== line) return undefined; // it has gone on meanwhile
  const switches = (status.match(/^\w+_ctxt_switches:\t\d+/gm) ?? []).join();
  return { pid, tid, behalf: behalfOf(pid, tid), ...found, switches };
}

function sleepersOf({ pid }: Process, processes: Processes): Sleeper[] {
  return (listProc(`/proc/${pid}/task`) ?? []).flatMap((name) => {
    const line = readProcLine(`/proc/${pid}/task/${name}/syscall`, processes.refusedBy(pid));
    return line === undefined ? [] : (sleeperIn(pid, Number(name), line) ?? []);
  });
}

/** All of them that can be seen. */
export function sleepers(processes: Processes): Sleeper[] {
  return processes.all().flatMap((one) => sleepersOf(one, processes));
}
