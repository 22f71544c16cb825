/** `interproc kill`: sends a signal, with a value if asked, to processes or groups; or lists the signals. */
import { kill, killGroup, list, queue, sendToPidfd } from '../signal/index.js';
import { native } from '../sys/index.js';
import { check } from '../core/errors.js';
import { explain, UsageError } from './failure.js';
import { write, written } from './output.js';
import { parseSignal, translate } from './signalName.js';
import type { Verb } from './verb.js';

interface KillOptions {
  signal: string;
  queue?: string;
  group?: boolean;
  pidfd?: boolean;
  list?: boolean;
  table?: boolean;
}

const COLUMNS = 5;
const MOST_WIDTH = 13;

/** As the shell's `kill -l` shows them: five in a row. */
function table(): string {
  const cells = list().map(({ number, name }) => `${String(number).padStart(2)}) ${name.padEnd(MOST_WIDTH)}`);
  const rows: string[] = [];
  for (let at = 0; at < cells.length; at += COLUMNS)
    rows.push(
      cells
        .slice(at, at + COLUMNS)
        .join(' ')
        .trimEnd(),
    );
  return `${rows.join('\n')}\n`;
}

function names(words: readonly string[]): string {
  const shown = words.length > 0 ? words.map(translate) : list().map(({ name }) => name.replace(/^SIG/, ''));
  return `${shown.join('\n')}\n`;
}

/** An int32 as number; what is longer as bigint, which travels at a pointer's size. */
function parseValue(word: string): number | bigint {
  if (!/^[+-]?\d+$|^0x[0-9a-f]+$/i.test(word))
    throw new UsageError(`VALUE is a whole number, got ${JSON.stringify(word)}`);
  const value = BigInt(word.replace(/^\+/, ''));
  return BigInt.asIntN(32, value) === value ? Number(value) : value;
}

function parsePid(word: string): number {
  if (!/^[1-9]\d*$/.test(word)) {
    throw new UsageError(`PID is a whole number above 0, got ${JSON.stringify(word)}; a group is named by --group`);
  }
  return Number(word);
}

/** One way to send to one of the processes, and to let go of what that needs. */
interface Target {
  send(): void;
  close(): void;
}

function target(pid: number, sig: number, options: KillOptions): Target {
  const value = options.queue === undefined ? undefined : parseValue(options.queue);
  const nothing = (): void => {};
  if (options.group === true) return { send: () => killGroup(pid, sig), close: nothing };
  if (options.pidfd === true) {
    const fd = check(native().pidfdOpen(pid), 'pidfd_open', { object: String(pid) });
    return { send: () => sendToPidfd(fd, sig, value), close: () => native().close(fd) };
  }
  return { send: () => (value === undefined ? kill(pid, sig) : queue(pid, sig, value)), close: nothing };
}

/** Does what can fail, and says what did; what cannot be meant is thrown on. */
function attempted(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (why) {
    const { text, exitCode } = explain(why);
    if (exitCode === 2) throw why;
    process.stderr.write(`interproc kill: ${text}\n`);
    return false;
  }
}

/** Sends to all, also after one has failed; answers how many got it. With --pidfd all are looked up before any is sent to. */
function sendToAll(pids: readonly number[], sig: number, options: KillOptions): number {
  const targets: Target[] = [];
  try {
    for (const pid of pids) attempted(() => targets.push(target(pid, sig, options)));
    return targets.filter((one) => attempted(one.send)).length;
  } finally {
    for (const one of targets) one.close();
  }
}

/** The verb. */
export const verb: Verb<KillOptions> = {
  define(command) {
    command
      .argument('[pid...]', 'the processes; with --group, the groups')
      .option('-s, --signal <sig>', 'name or number; 0 sends nothing and only asks', 'TERM')
      .option('-q, --queue <value>', 'send this number along (sigqueue): 32 bits, or 64 if it needs them')
      .option('-g, --group', 'PID is a process group')
      .option('-p, --pidfd', 'send through a pidfd: look all processes up first, so that a recycled pid is never hit')
      .option('-l, --list', 'list the names, or translate each word: a number to its name, a name to its number')
      .option('-L, --table', 'list numbers and names')
      .addHelpText(
        'after',
        `
A signal is a name with or without SIG, RTMIN+n or RTMAX-n, or a number. The exit code is 1 if one of the
processes could not be sent to; the others were.

Examples:
  $ interproc kill -s RTMIN+1 -q 4242 1234
  $ interproc kill -L
  $ interproc kill -l 143
`,
      );
  },

  async run(words, options, stop) {
    if (options.table === true || options.list === true) {
      await write(options.table === true ? table() : names(words), stop);
      await written(stop);
      return 0;
    }
    if (words.length === 0) throw new UsageError("missing required argument 'pid'");
    if (options.group === true && (options.queue !== undefined || options.pidfd === true)) {
      throw new UsageError('--group goes with neither --queue nor --pidfd: the kernel queues to one process');
    }
    const sig = parseSignal(options.signal);
    if (options.queue !== undefined) parseValue(options.queue);
    const pids = words.map(parsePid);
    return sendToAll(pids, sig, options) === pids.length ? 0 : 1;
  },
};
