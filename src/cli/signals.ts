/** `interproc signals`: every signal, with what it does and where it comes from. */
import { list, type SignalInfo, type SignalSource } from '../signal/index.js';
import { write, writeJson, written } from './output.js';
import type { Verb } from './verb.js';

const GROUPS: Record<SignalSource, string> = {
  self: 'the process did something',
  other: 'another process or the kernel tells it something',
  terminal: 'the user at the terminal',
};

const HEAD = ['number', 'name', 'action', 'can be caught', 'meaning'];

function cells({ number, name, action, catchable, reserved, description }: SignalInfo): (string | number)[] {
  const caught = !catchable ? 'no' : reserved ? 'reserved' : 'yes';
  return [number, name, action, caught, description];
}

async function draw(signals: readonly SignalInfo[]): Promise<string> {
  const { default: Table } = await import('cli-table3');
  const table = new Table({
    head: HEAD,
    colAligns: ['right', 'left', 'left', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const source of Object.keys(GROUPS) as SignalSource[]) {
    table.push([{ colSpan: HEAD.length, content: GROUPS[source], hAlign: 'left' }]);
    table.push(...signals.filter((one) => one.source === source).map(cells));
  }
  return table.toString();
}

/** The verb. */
export const verb: Verb<{ json?: boolean }> = {
  define(command) {
    command
      .option('--json', 'print an array of { name, number, action, catchable, reserved, source, description }')
      .addHelpText(
        'after',
        `
action is what the kernel does with a signal that nobody handles: Term ends the process, Core ends it with a core
dump, Stop stops it, Cont continues it, Ign does nothing. Reserved are those that Node or interproc needs.

Examples:
  $ interproc signals
  $ interproc signals --json
`,
      );
  },

  async run(_words, options, stop) {
    if (options.json === true) {
      await writeJson(list(), stop);
      return 0;
    }
    await write(`${await draw(list())}\n`, stop);
    await written(stop);
    return 0;
  },
};
