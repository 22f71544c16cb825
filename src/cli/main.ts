#!/usr/bin/env node
/**
 * The command line: `interproc VERB …`. Each verb is a file of its own, and only the one that is
 * asked for is loaded.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command, CommanderError } from 'commander';
import { explain } from './failure.js';
import { stoppable } from './stop.js';
import type { Verb } from './verb.js';

/** How a verb is listed, and how it is loaded. */
interface Listed {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  load(): Promise<{ verb: Verb }>;
}

const VERBS: readonly Listed[] = [
  {
    name: 'tour',
    usage: '[options]',
    summary: 'move a file and messages through every mechanism, verified and measured',
    load: () => import('./tour.js'),
  },
  {
    name: 'send',
    usage: '[options] <url>',
    summary: 'send standard input as messages',
    load: () => import('./send.js'),
  },
  {
    name: 'receive',
    usage: '[options] <url>',
    summary: 'write the messages that arrive to standard output',
    load: () => import('./receive.js'),
  },
  {
    name: 'relay',
    usage: '[options] <from> <to>',
    summary: 'copy messages, or bytes, from one endpoint to another',
    load: () => import('./relay.js'),
  },
  {
    name: 'run',
    usage: "[options] 'a | b | c'",
    summary: 'run commands that are joined by pipes of the kernel, as one job',
    load: () => import('./run.js'),
  },
  {
    name: 'signals',
    usage: '[options]',
    summary: 'list every signal, with what it does and where it comes from',
    load: () => import('./signals.js'),
  },
  {
    name: 'kill',
    usage: '[options] <pid...>',
    summary: 'send a signal, with a value if asked, or list signals',
    load: () => import('./kill.js'),
  },
  {
    name: 'trap',
    usage: "[options] <pid> | 'ACTION' SIG… -- COMMAND…",
    summary: 'show what a process does at signals, or run a command with a trap',
    load: () => import('./trap.js'),
  },
  {
    name: 'sem',
    usage: '[options] <name> -- COMMAND…',
    summary: 'run a command, of all under this name at most so many at once',
    load: () => import('./sem.js'),
  },
  {
    name: 'mkfifo',
    usage: '[options] <name...>',
    summary: 'make FIFOs',
    load: () => import('./mkfifo.js'),
  },
  {
    name: 'mknod',
    usage: '[options] <name> <type> [major] [minor]',
    summary: 'make a FIFO or a device',
    load: () => import('./mknod.js'),
  },
  {
    name: 'lock',
    usage: '[options] <path> -- COMMAND…',
    summary: 'run a command while a file is locked, or tell who has it locked',
    load: () => import('./lock.js'),
  },
  {
    name: 'waits',
    usage: '[options]',
    summary: 'tell who waits for whom at locks, and the deadlocks',
    load: () => import('./waits.js'),
  },
];

const EXAMPLES = `
Examples:
  $ interproc tour
  $ seq 100000 | interproc send --lines shm:numbers &
  $ interproc receive shm:numbers | sha256sum

A URL names a mechanism and an object of it: file:./log, fd:3, fifo:./f, unix:./s, unix:@name,
unixpacket:./s, unixgram:./s, mq:/q, msgq:0x51, shm:name, posixshm:/name, sysvshm:0x51, mmap:./ring.
`;

function version(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Builds the commands; the verb that is asked for completely, of the others what the list of verbs shows. */
async function commandsFor(
  asked: string | undefined,
  run: (verb: Verb, command: Command) => Promise<void>,
): Promise<Command> {
  const loading = VERBS.find(({ name }) => name === asked)?.load();
  const [{ Command }, loaded] = await Promise.all([import('commander'), loading]);
  const program = new Command('interproc');
  program
    .description('Linux interprocess communication: one channel over every mechanism, chosen by URL')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand('help [verb]', 'explain a verb')
    .showHelpAfterError('(interproc VERB --help explains a verb)')
    .addHelpText('after', EXAMPLES)
    .configureOutput({ outputError: (text, say) => say(text.replace(/^error: /, 'interproc: ')) })
    .exitOverride();
  for (const listed of VERBS) {
    const command = program
      .command(listed.name)
      .summary(listed.summary)
      .description(listed.summary)
      .usage(listed.usage);
    command.showHelpAfterError(`(interproc ${listed.name} --help explains it)`);
    if (listed.name !== asked || loaded === undefined) continue;
    const { verb } = loaded;
    verb.define(command);
    command.action(() => run(verb, command));
  }
  return program;
}

function isCommanderError(why: unknown): why is CommanderError {
  return (why as { code?: unknown } | null)?.code?.toString().startsWith('commander.') === true;
}

/**
 * Runs a verb.
 *
 * @param argv the words after the program's name
 * @returns the exit code: 0 done, 1 what was asked for failed, 2 wrong usage; 130, 143 and 129 after
 *   SIGINT, SIGTERM and SIGHUP, 141 when nobody reads the output any more
 */
export async function main(argv: string[]): Promise<number> {
  const words = argv[0] === 'help' ? [...argv.slice(1, 2), '--help'] : argv;
  const asked = words.find((word) => !word.startsWith('-'));
  try {
    return await stoppable(async (stop, leaveSignals) => {
      let exitCode = 0;
      const program = await commandsFor(asked, async (verb, command) => {
        exitCode = await verb.run(command.args, command.opts(), stop, leaveSignals);
      });
      await program.parseAsync(words, { from: 'user' });
      return exitCode;
    });
  } catch (why) {
    // What commander has to say is said already; help and version that were asked for are no error.
    if (isCommanderError(why)) return why.exitCode === 0 ? 0 : 2;
    const explained = explain(why);
    process.stderr.write(
      `interproc${VERBS.some(({ name }) => name === asked) ? ` ${asked}` : ''}: ${explained.text}\n`,
    );
    return explained.exitCode;
  }
}

/** Whether node was started with this file, be it through a link as npm makes them. */
function isEntry(): boolean {
  const started = process.argv[1];
  if (started === undefined) return false;
  try {
    return realpathSync(started) === fileURLToPath(import.meta.url);
  } catch {
    return false;
  }
}

if (isEntry()) {
  void main(process.argv.slice(2)).then((exitCode) => {
    process.exitCode = exitCode;
  });
}
