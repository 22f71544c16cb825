/** `interproc waits`: who waits for whom, and the deadlocks among them. */
import { type Cycle, type Edge, type Party, waits, type Waits } from '../lock/index.js';
import { write, writeJson, written } from './output.js';
import type { Verb } from './verb.js';

const HEAD = ['who waits', 'for whom', 'what for', 'kind', 'mode', 'certainty'];
const DEADLOCKED = 1;
/** A command line in a column. */
const MOST_COMMAND = 48;

function nameOf({ pid, tid, command, stopped }: Party): string {
  const thread = tid === undefined || tid === pid ? '' : `/${tid}`;
  const shown = command.length > MOST_COMMAND ? `${command.slice(0, MOST_COMMAND - 1)}…` : command;
  return `${pid}${thread} ${shown}${stopped ? ' (stopped)' : ''}`;
}

async function draw(edges: readonly Edge[]): Promise<string> {
  const { default: Table } = await import('cli-table3');
  const table = new Table({ head: HEAD, style: { head: [], border: [], compact: true } });
  for (const { from, to, object, mechanism, mode, certainty } of edges) {
    table.push([nameOf(from), nameOf(to), object, mechanism, mode, certainty]);
  }
  return table.toString();
}

function told({ edges, proven, others }: Cycle): string {
  const lines = edges.map(
    ({ from, to, mechanism, object }) => `  ${nameOf(from)}\n    waits for ${to.pid}: ${mechanism} ${object}`,
  );
  const could = others.map(({ pid }) => pid).join(', ');
  const head = proven ? 'deadlock:' : `deadlock, unless what else runs in ${could} gives something up:`;
  return [head, ...lines].join('\n');
}

async function text({ edges, deadlocks, unreadable }: Waits): Promise<string> {
  const parts = [edges.length === 0 ? 'nobody waits' : await draw(edges), ...deadlocks.map(told)];
  if (unreadable.length > 0) parts.push(`not looked into, for want of permission: ${unreadable.join(', ')}`);
  return `${parts.join('\n\n')}\n`;
}

/** The verb. */
export const verb: Verb<{ json?: boolean }> = {
  define(command) {
    command.option('--json', 'print { edges, deadlocks, unreadable }').addHelpText(
      'after',
      `
It looks at locks in shared memory (those of interproc, and robust mutexes of C programs), locks on files and System V semaphore
sets. The exit code is 1 if there is a deadlock, else 0. Processes of others are looked into with the right to trace them.

certainty says how a wait is known: kernel, registered in the lock's memory, or inferred, which is a guess.

Examples:
  $ interproc waits
  $ interproc waits --json
`,
    );
  },

  async run(_words, options, stop) {
    const found = await waits();
    if (options.json === true) {
      await writeJson(found, stop);
    } else {
      await write(await text(found), stop);
      await written(stop);
    }
    return found.deadlocks.length > 0 ? DEADLOCKED : 0;
  },
};
