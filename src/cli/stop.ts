/** The ways in which work is ended from outside: a signal, or nobody reads the output any more. */

/** The reason with which the work's AbortSignal aborts. */
export class Stop extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** What a shell shows for a program that SIGPIPE ended. */
const NOBODY_READS = 141;

/**
 * Runs `work` with an AbortSignal that aborts at SIGINT, SIGTERM, SIGHUP and when standard output
 * is closed at its other end, and answers the exit code for that, or the work's own. The work gives
 * back what it holds; a second signal ends the process without waiting for that. Work that does something else
 * at signals calls `leaveSignals`.
 */
export async function stoppable(
  work: (stop: AbortSignal, leaveSignals: () => void) => Promise<number>,
): Promise<number> {
  const controller = new AbortController();
  const stop = controller.signal;
  const onSignal = (name: NodeJS.Signals): void => {
    const exitCode = SIGNALS[name as keyof typeof SIGNALS];
    if (stop.aborted) process.exit(exitCode);
    controller.abort(new Stop(exitCode, `ended by ${name}`));
  };
  // This listener stays: the last bytes may still be on their way when the work is done.
  process.stdout.on('error', (why: NodeJS.ErrnoException) => {
    controller.abort(why.code === 'EPIPE' ? new Stop(NOBODY_READS, 'nobody reads the output') : why);
  });
  const names = Object.keys(SIGNALS) as NodeJS.Signals[];
  for (const name of names) process.on(name, onSignal);
  const leaveSignals = (): void => {
    for (const name of names) process.removeListener(name, onSignal);
  };
  try {
    const exitCode = await work(stop, leaveSignals);
    stop.throwIfAborted();
    return exitCode;
  } catch (why) {
    if (!stop.aborted) throw why;
    if (stop.reason instanceof Stop) return stop.reason.exitCode;
    throw stop.reason;
  } finally {
    leaveSignals();
  }
}
