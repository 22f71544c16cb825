/** `interproc trap PID`: what a process catches, ignores, blocks and has pending; with `--`: trapRun.ts. */
import { type SignalState, table } from '../signal/index.js';
import { UsageError } from './failure.js';
import { write, writeJson, written } from './output.js';
import { trapRun } from './trapRun.js';
import type { Verb } from './verb.js';

interface TrapOptions {
  json?: boolean;
  all?: boolean;
}

const HEAD = ['number', 'name', 'handled how', 'blocked', 'pending'];

function disposition({ caught, ignored }: SignalState): string {
  return caught ? 'caught' : ignored ? 'ignored' : 'default';
}

function blocked({ blocked: byAll, blockedBy }: SignalState): string {
  if (byAll) return 'blocked';
  if (blockedBy.length === 0) return '';
  return `by ${blockedBy.length} ${blockedBy.length === 1 ? 'thread' : 'threads'}`;
}

/** Whether there is anything to tell of it. */
function stands(out: SignalState): boolean {
  return out.caught || out.ignored || out.pending || out.blockedBy.length > 0;
}

async function draw(states: readonly SignalState[]): Promise<string> {
  const { default: Table } = await import('cli-table3');
  const shown = new Table({
    head: HEAD,
    colAligns: ['right', 'left', 'left', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const one of states) {
    shown.push([one.number, one.name, disposition(one), blocked(one), one.pending ? 'pending' : '']);
  }
  return shown.toString();
}

async function show(pid: number, options: TrapOptions, stop: AbortSignal): Promise<number> {
  const states = table(pid);
  if (options.json === true) {
    await writeJson(states, stop);
    return 0;
  }
  const told = options.all === true ? states : states.filter(stands);
  const text = told.length === 0 ? `process ${pid} leaves every signal at its default` : await draw(told);
  await write(`${text}\n`, stop);
  await written(stop);
  return 0;
}

/** Everything behind the first `--`, which commander leaves out. */
let behindDashes = (): readonly string[] | undefined => undefined;

/** The verb. */
export const verb: Verb<TrapOptions> = {
  define(command) {
    behindDashes = () => {
      const { rawArgs = [] } = command.parent as { rawArgs?: string[] };
      const at = rawArgs.indexOf('--');
      return at < 0 ? undefined : rawArgs.slice(at + 1);
    };
    command
      .argument('[words...]', "the pid of a process; or 'ACTION' SIG… -- COMMAND…")
      .option('-a, --all', 'also show the signals of which there is nothing to tell')
      .option('--json', 'print an array of { name, number, caught, ignored, blocked, blockedBy, pending }')
      .addHelpText(
        'after',
        `
With a PID: signals that are not shown have their default action, are not blocked, and none is pending.

With -- COMMAND: runs it, and does ACTION, with sh -c, each time one of the signals arrives here. INTERPROC_SIGNAL is
the signal then, INTERPROC_PID the pid of COMMAND, which goes on and does not get the signal. '' ignores the signals, here
and in COMMAND; - is as if they were not named. SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2 and SIGALRM that are not
trapped are passed on to COMMAND. COMMAND is in the same process group: what the terminal sends (Ctrl+C) reaches it by itself,
trapped or not. The exit status is that of COMMAND, 128 and the number of the signal if one killed it, 127 if there is no such
program, 126 if it cannot be executed.

Examples:
  $ interproc trap 1234
  $ interproc trap --json $$
  $ interproc trap 'echo still at work' USR2 -- make
  $ interproc trap '' HUP -- make
`,
      );
  },

  async run(words, options, stop, leaveSignals) {
    const command = behindDashes();
    if (command !== undefined) return trapRun(words.slice(0, words.length - command.length), command, leaveSignals);
    const [pid = ''] = words;
    if (words.length === 1 && /^[1-9]\d*$/.test(pid)) return show(Number(pid), options, stop);
    throw new UsageError(
      `trap takes the pid of a process, got ${words.map((word) => JSON.stringify(word)).join(' ') || 'nothing'}; or 'ACTION' SIG… -- COMMAND…`,
    );
  },
};
