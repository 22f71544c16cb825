/** `interproc sem NAME -j N -- COMMAND`: of all commands under one name at most N run at once on this machine. */
import { open, openOrCreate, type RecoveringSemaphore } from '../sem/index.js';
import { runCommand } from './command.js';
import { UsageError } from './failure.js';
import { writeJson } from './output.js';
import type { Verb } from './verb.js';

interface SemOptions {
  jobs: string;
  timeout?: string;
  wait?: boolean;
  fg?: boolean;
  json?: boolean;
}

const MOST_JOBS = 4096;

/** The semaphore of this name: with a slash in front, as everywhere, or without. */
const nameOf = (word: string): string => (word.startsWith('/') ? word : `/${word}`);

function jobsOf(word: string): number {
  const jobs = Number(word);
  if (!/^\d+$/.test(word) || jobs < 1 || jobs > MOST_JOBS) {
    throw new UsageError(`-j takes a whole number from 1 to ${MOST_JOBS}, got ${JSON.stringify(word)}`);
  }
  return jobs;
}

function timeoutOf(word: string | undefined): { timeoutMs?: number } {
  if (word === undefined) return {};
  if (!/^(\d+\.?\d*|\.\d+)$/.test(word)) {
    throw new UsageError(`--timeout takes a number of seconds, got ${JSON.stringify(word)}`);
  }
  return { timeoutMs: Number(word) * 1000 };
}

/** The one that somebody uses, `undefined` if nobody does. */
function used(name: string): RecoveringSemaphore | undefined {
  try {
    return open(name, { recover: true, temporary: true });
  } catch (why) {
    if ((why as { code?: string }).code === 'ENOENT') return undefined;
    throw why;
  }
}

async function whenAllAreDone(name: string, timeout: { timeoutMs?: number }, stop: AbortSignal): Promise<number> {
  using semaphore = used(name);
  await semaphore?.whenIdle({ signal: stop, ...timeout });
  return 0;
}

async function show(name: string, stop: AbortSignal): Promise<number> {
  using semaphore = used(name);
  await writeJson(
    { name, jobs: semaphore?.count ?? null, running: semaphore ? semaphore.count - semaphore.value : 0 },
    stop,
  );
  return 0;
}

async function runOne(
  name: string,
  command: readonly string[],
  { jobs, timeout }: SemOptions,
  stop: AbortSignal,
  leaveSignals: () => void,
): Promise<number> {
  const value = jobsOf(jobs);
  using semaphore = openOrCreate(name, { recover: true, value, temporary: true });
  if (semaphore.count !== value) {
    throw new Error(
      `those who use ${name} now have it for ${semaphore.count} at once, and -j says ${value}: it must be the same for all`,
    );
  }
  using _permit = await semaphore.acquire({ signal: stop, ...timeoutOf(timeout) });
  // The command has the descriptor, too: should we be killed, its permit is not free before it has ended.
  return await runCommand(command, leaveSignals, { fds: { [semaphore.fd]: semaphore.fd } });
}

/** Everything behind the first `--`, which commander leaves out. */
let behindDashes = (): readonly string[] => [];

/** The verb. */
export const verb: Verb<SemOptions> = {
  define(command) {
    behindDashes = () => {
      const { rawArgs = [] } = command.parent as { rawArgs?: string[] };
      const at = rawArgs.indexOf('--');
      return at < 0 ? [] : rawArgs.slice(at + 1);
    };
    command
      .argument('<words...>', 'a name that all of them share; and behind --, the command')
      .option('-j, --jobs <n>', 'how many may run at once, the same for all who use the name', '1')
      .option('--timeout <seconds>', 'give up, with exit code 1, after waiting so long; 0 does not wait')
      .option('--wait', 'wait until none is running or waiting to run, and run nothing')
      .option('--fg', 'run in the foreground, which it always does: for who is used to GNU sem')
      .option('--json', 'print { name, jobs, running }, and run nothing')
      .addHelpText(
        'after',
        `
Waits until fewer than N commands are running under NAME, then runs COMMAND and waits for its end. Put & behind it for the
background. A place is free again when its command has ended, however it, or this program, did, also by SIGKILL; nothing is left to
clean up. When the last has ended the name is gone, too.

SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2 and SIGALRM are passed on to COMMAND. The exit status is that of COMMAND, 128 and the
number of the signal if one killed it, 127 if there is no such program, 126 if it cannot be executed, 1 if the time is over.

Examples:
  $ for f in *.wav; do interproc sem encode -j 4 -- flac "$f" & done; wait
  $ interproc sem deploy --timeout 0 -- ./deploy.sh || echo 'another one is running'
`,
      );
  },

  async run(words, options, stop, leaveSignals) {
    const command = behindDashes();
    const names = words.slice(0, words.length - command.length);
    const [word = ''] = names;
    if (names.length !== 1 || word === '') {
      throw new UsageError(`sem takes one name, and behind -- a command, got ${JSON.stringify(names.join(' '))}`);
    }
    const name = nameOf(word);
    if (options.wait === true || options.json === true) {
      if (command.length > 0) throw new UsageError('with --wait or --json no command is run');
      if (options.wait === true) return whenAllAreDone(name, timeoutOf(options.timeout), stop);
      return show(name, stop);
    }
    if (command.length === 0) throw new UsageError('sem needs a command behind --, or --wait');
    return runOne(name, command, options, stop, leaveSignals);
  },
};
