/** A program that a verb runs in its own process group, as if it were the verb: its signals, and its exit status. */
import { type Child, type ExitStatus, type SpawnOptions, spawn } from '../proc/index.js';
import { handle } from '../signal/index.js';

/** What a shell adds to the number of the signal that ended a program. */
const KILLED = 128;
/** Sent to a program to make it do something: passed on to COMMAND. */
export const PASSED_ON = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR2', 'SIGALRM'] as const;

/** Passes a signal on to the command from now on. What the terminal sends, it gets from it: it is in the same process group. */
export function passOn(name: string, command: () => Child | undefined): Disposable {
  return handle(name, ({ code }) => void (code === 'SI_KERNEL' || command()?.kill(name)));
}

/** The exit status of a command, 128 and the number of the signal if one killed it. */
export function statusOf(end: ExitStatus): number {
  return end.code ?? KILLED + (end.signalNumber ?? 0);
}

/**
 * Runs a command and passes on to it what is sent here.
 *
 * @param leaveSignals ends what this program does at signals otherwise
 */
export async function runCommand(
  [file = '', ...args]: readonly string[],
  leaveSignals: () => void,
  options: SpawnOptions = {},
): Promise<number> {
  let child: Child | undefined; // handlers run in a later turn, when it is there
  // First, since the end of the last listener gives a signal its default action.
  leaveSignals();
  const held = PASSED_ON.map((name) => passOn(name, () => child));
  try {
    child = spawn(file, args, options);
    return statusOf(await child.wait());
  } finally {
    for (const one of held) one[Symbol.dispose]();
  }
}
