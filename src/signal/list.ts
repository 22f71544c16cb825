/** The table of signals: signal(7), and what of it a Node process can take. */
import { constants } from 'node:os';
import { realTimeRange, type SignalName, toName } from './names.js';
import { isReserved } from './reserved.js';

/** What the kernel does with a signal that nobody handles: ends the process, ignores it, ends it with a core dump, stops it, continues it. */
export type SignalAction = 'Term' | 'Ign' | 'Core' | 'Stop' | 'Cont';

/** Where a signal usually comes from: what the process itself did, another process or the kernel, the user at the terminal. */
export type SignalSource = 'self' | 'other' | 'terminal';

/** One signal of the table. */
export interface SignalInfo {
  name: SignalName;
  number: number;
  action: SignalAction;
  /** Whether it can be handled, ignored or blocked at all: SIGKILL and SIGSTOP cannot. */
  catchable: boolean;
  /** Whether Node or interproc needs it, so that it is refused here. */
  reserved: boolean;
  source: SignalSource;
  description: string;
}

type Standard = readonly [name: NodeJS.Signals, action: SignalAction, source: SignalSource, description: string];

const STANDARD: readonly Standard[] = [
  ['SIGHUP', 'Term', 'terminal', 'the terminal hung up, or its session ended; daemons read their configuration anew'],
  ['SIGINT', 'Term', 'terminal', 'interrupt: Ctrl+C'],
  ['SIGQUIT', 'Core', 'terminal', 'quit: Ctrl+\\'],
  ['SIGILL', 'Core', 'self', 'illegal instruction'],
  ['SIGTRAP', 'Core', 'self', 'breakpoint or trace trap'],
  ['SIGABRT', 'Core', 'self', 'abort(3): the program gave itself up'],
  ['SIGBUS', 'Core', 'self', 'memory that is mapped but not there, as beyond the end of a cut file'],
  ['SIGFPE', 'Core', 'self', 'arithmetic error, as a division of integers by zero'],
  ['SIGKILL', 'Term', 'other', 'kill: ends the process at once'],
  ['SIGUSR1', 'Term', 'other', 'for the program to give it a meaning'],
  ['SIGSEGV', 'Core', 'self', 'segmentation fault: memory that is not the process’s'],
  ['SIGUSR2', 'Term', 'other', 'for the program to give it a meaning'],
  ['SIGPIPE', 'Term', 'self', 'wrote into a pipe or socket that nobody reads'],
  ['SIGALRM', 'Term', 'other', 'a timer of alarm(2) or setitimer(2) is over'],
  ['SIGTERM', 'Term', 'other', 'asks the process to end'],
  ['SIGSTKFLT', 'Term', 'self', 'stack fault on a coprocessor; no kernel sends it any more'],
  ['SIGCHLD', 'Ign', 'other', 'a child has ended, stopped or continued'],
  ['SIGCONT', 'Cont', 'other', 'continue if stopped'],
  ['SIGSTOP', 'Stop', 'other', 'stop: suspends the process at once'],
  ['SIGTSTP', 'Stop', 'terminal', 'stop: Ctrl+Z'],
  ['SIGTTIN', 'Stop', 'terminal', 'a background process reads from the terminal'],
  ['SIGTTOU', 'Stop', 'terminal', 'a background process writes to the terminal, or changes it'],
  ['SIGURG', 'Ign', 'other', 'urgent data on a socket'],
  ['SIGXCPU', 'Core', 'self', 'used more processor time than RLIMIT_CPU allows'],
  ['SIGXFSZ', 'Core', 'self', 'wrote a file beyond what RLIMIT_FSIZE allows'],
  ['SIGVTALRM', 'Term', 'other', 'a timer of the process’s own processor time is over'],
  ['SIGPROF', 'Term', 'other', 'a profiling timer is over'],
  ['SIGWINCH', 'Ign', 'terminal', 'the terminal’s window was resized'],
  ['SIGIO', 'Term', 'other', 'a descriptor is ready (F_SETOWN)'],
  ['SIGPWR', 'Term', 'other', 'power is failing'],
  ['SIGSYS', 'Core', 'self', 'bad system call, as one that a seccomp filter forbids'],
];

const UNCATCHABLE: readonly string[] = ['SIGKILL', 'SIGSTOP'];

/**
 * Every signal of this machine, by number: the standard ones, and the real-time ones that the
 * running libc offers (signal(7)). The kernel's signals below SIGRTMIN, which libc keeps for
 * itself, are not among them.
 *
 * @example
 * const stoppers = signal.list().filter(({ action }) => action === 'Stop');
 */
export function list(): SignalInfo[] {
  const standard = STANDARD.map(([name, action, source, description]) => {
    const number = constants.signals[name];
    const catchable = !UNCATCHABLE.includes(name);
    return { name, number, action, catchable, reserved: isReserved(number), source, description };
  });
  const { first, last } = realTimeRange();
  const realTime = Array.from({ length: last - first + 1 }, (_, index): SignalInfo => {
    const number = first + index;
    const reserved = isReserved(number);
    const description = reserved
      ? 'real-time; interproc uses it for itself'
      : 'real-time, for the program to give it a meaning: queued, in order, with a value';
    return { name: toName(number), number, action: 'Term', catchable: true, reserved, source: 'other', description };
  });
  return [...standard.sort((a, b) => a.number - b.number), ...realTime];
}
