/** `interproc mkfifo`: makes FIFOs, as mkfifo(1) does. */
import { create } from '../fifo/index.js';
import { explain } from './failure.js';
import {
  checkLabels,
  checkNames,
  defineNodeOptions,
  type Made,
  madeAt,
  type NodeOptions,
  permissionsOf,
  tell,
} from './nodes.js';
import type { Verb } from './verb.js';

/** The verb. */
export const verb: Verb<NodeOptions> = {
  define(command) {
    defineNodeOptions(command.argument('<name...>', 'paths where nothing is yet')).addHelpText(
      'after',
      `
The exit code is 1 if one of them could not be made; the others were.

Examples:
  $ interproc mkfifo jobs results
  $ interproc mkfifo -m 620 jobs
  $ interproc mkfifo -m u=rw,g=w,o= jobs
`,
    );
  },

  async run(names, options, stop) {
    const permissions = permissionsOf(options);
    checkLabels('mkfifo', options);
    checkNames(names);
    const made: Made[] = [];
    for (const path of names) {
      try {
        create(path, permissions);
        made.push(madeAt(path, 'fifo'));
      } catch (why) {
        process.stderr.write(`interproc mkfifo: ${explain(why).text}\n`);
      }
    }
    await tell(made, options, stop);
    return made.length === names.length ? 0 : 1;
  },
};
