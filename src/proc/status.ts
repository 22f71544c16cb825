/** How a child ended, stopped or went on, as data and as a sentence: what waitid(2) says. */
import { toName } from '../signal/index.js';

/** What became of a child. `state` says which of the other fields have a meaning; those that do not are `null`. */
export interface ExitStatus {
  state: 'exited' | 'killed' | 'stopped' | 'continued';
  /** What it exited with, 0 to 255. */
  code: number | null;
  /** The name of the signal that killed, stopped or continued it, as `SIGSEGV`. */
  signal: string | null;
  /** The number of that signal. */
  signalNumber: number | null;
  /** Whether the kernel wrote a core file, or gave it to the program that core_pattern names. */
  coreDumped: boolean;
  /** Whether it is stopped, and can go on. */
  stopped: boolean;
  /** `killed by SIGSEGV (segmentation fault), core dumped`. */
  description: string;
}

/** In the words of signal(7), with what the user at the terminal did. */
const MEANINGS: Record<string, string> = {
  SIGHUP: 'hang-up',
  SIGINT: 'interrupt, Ctrl+C',
  SIGQUIT: 'quit, Ctrl+\\',
  SIGILL: 'illegal instruction',
  SIGTRAP: 'trace or breakpoint',
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGFPE: 'arithmetic error',
  SIGKILL: 'killed',
  SIGUSR1: 'user-defined signal 1',
  SIGSEGV: 'segmentation fault',
  SIGUSR2: 'user-defined signal 2',
  SIGPIPE: 'wrote to a pipe that nobody reads',
  SIGALRM: 'alarm clock',
  SIGTERM: 'terminated',
  SIGSTKFLT: 'stack fault',
  SIGCONT: 'continue',
  SIGSTOP: 'stop',
  SIGTSTP: 'stop from the terminal, Ctrl+Z',
  SIGTTIN: 'read from the terminal in the background',
  SIGTTOU: 'wrote to the terminal in the background',
  SIGXCPU: 'limit of processor time exceeded',
  SIGXFSZ: 'limit of file size exceeded',
  SIGVTALRM: 'virtual alarm clock',
  SIGPROF: 'profiling timer',
  SIGIO: 'descriptor ready',
  SIGPWR: 'power failure',
  SIGSYS: 'bad system call',
};

const EXITED = 1;
const DUMPED = 3;
const STOPPED = 5;
const CONTINUED = 6;

/** The record for `si_code` (CLD_…) and `si_status` of waitid(2). @internal */
export function statusOf(code: number, status: number): ExitStatus {
  if (code === EXITED) {
    return {
      state: 'exited',
      code: status,
      signal: null,
      signalNumber: null,
      coreDumped: false,
      stopped: false,
      description: `exited with code ${status}`,
    };
  }
  const coreDumped = code === DUMPED;
  const stopped = code === STOPPED;
  const state = code === CONTINUED ? 'continued' : stopped ? 'stopped' : 'killed';
  const signal = toName(status);
  const meaning = MEANINGS[signal];
  const by = `${signal}${meaning === undefined ? '' : ` (${meaning})`}`;
  const description = state === 'continued' ? 'continued' : `${state} by ${by}${coreDumped ? ', core dumped' : ''}`;
  return { state, code: null, signal, signalNumber: status, coreDumped, stopped, description };
}
