/** What a signal that arrived tells: siginfo_t of sigaction(2), in the form of signalfd(2). */
import { constants } from 'node:os';
import { type SignalName, toName } from './names.js';

/** A signal that arrived. */
export interface SignalEvent {
  /** `SIGRTMIN+3`. */
  name: SignalName;
  number: number;
  /**
   * How it was sent: `SI_USER` (kill), `SI_QUEUE` (sigqueue), `SI_KERNEL`, `SI_TIMER`, `SI_MESGQ`, `SI_TKILL`, …;
   * of a child `CLD_EXITED`, `CLD_KILLED`, `CLD_STOPPED`, …; of a descriptor that sends signals (`notify()` of a pipe's
   * end) `POLL_IN`, `POLL_OUT`, …
   */
  code: string;
  /** Who sent it, 0 if nobody did; the sender of `SI_QUEUE` states this itself, so it is no proof of identity. */
  pid: number;
  uid: number;
  /** What was sent along, as int32 (`si_int`). */
  value: number;
  /** The same at its full size (`si_ptr`); beyond 32 bits only what the sender meant as a pointer. */
  pointer: bigint;
  /** Of SIGCHLD the child's exit status or the signal that changed it; `null` of every other. */
  status: number | null;
  /** Of `SI_TIMER` how often the timer was over besides, while this signal waited. */
  overruns: number;
  /** Of `POLL_IN` and its like the descriptor that is ready, by its number where it was told to send; `null` of others. */
  fd: number | null;
  /** Of the same what it is ready for, as events of poll(2); `null` of others. */
  band: number | null;
}

/** sizeof(struct signalfd_siginfo), signalfd(2). */
export const RECORD = 128;

const CODES = new Map([
  [0, 'SI_USER'],
  [0x80, 'SI_KERNEL'],
  [-1, 'SI_QUEUE'],
  [-2, 'SI_TIMER'],
  [-3, 'SI_MESGQ'],
  [-4, 'SI_ASYNCIO'],
  [-5, 'SI_SIGIO'],
  [-6, 'SI_TKILL'],
]);

/** Codes above 0 mean something else with each signal; the first is 1. */
const CODES_OF: Partial<Record<NodeJS.Signals, readonly string[]>> = {
  SIGCHLD: ['CLD_EXITED', 'CLD_KILLED', 'CLD_DUMPED', 'CLD_TRAPPED', 'CLD_STOPPED', 'CLD_CONTINUED'],
  SIGTRAP: ['TRAP_BRKPT', 'TRAP_TRACE', 'TRAP_BRANCH', 'TRAP_HWBKPT'],
  SIGSYS: ['SYS_SECCOMP'],
};

/** Faults have codes of their own, which nobody here receives. */
const WITH_CODES_OF_ITS_OWN: readonly string[] = [...Object.keys(CODES_OF), 'SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL'];

/** What they mean with every other signal: a descriptor was told to send it (F_SETSIG of fcntl(2)). */
const OF_DESCRIPTORS = ['POLL_IN', 'POLL_OUT', 'POLL_MSG', 'POLL_ERR', 'POLL_PRI', 'POLL_HUP'];

function codeOf(number: number, code: number): string {
  const known = CODES.get(code);
  if (known !== undefined) return known;
  const name = toName(number);
  const codes = WITH_CODES_OF_ITS_OWN.includes(name) ? CODES_OF[name as NodeJS.Signals] : OF_DESCRIPTORS;
  return codes?.[code - 1] ?? String(code);
}

/** Reads one record. */
export function eventAt(view: DataView, at: number): SignalEvent {
  const number = view.getUint32(at, true);
  const code = codeOf(number, view.getInt32(at + 8, true));
  const ofDescriptor = OF_DESCRIPTORS.includes(code);
  return {
    name: toName(number),
    number,
    code,
    pid: view.getUint32(at + 12, true),
    uid: view.getUint32(at + 16, true),
    value: view.getInt32(at + 44, true),
    pointer: view.getBigUint64(at + 48, true),
    status: number === constants.signals.SIGCHLD ? view.getInt32(at + 40, true) : null,
    overruns: view.getUint32(at + 32, true),
    fd: ofDescriptor ? view.getInt32(at + 20, true) : null,
    band: ofDescriptor ? view.getUint32(at + 28, true) : null,
  };
}
