/** `interproc mknod`: makes a FIFO or a device, as mknod(1) does. */
import { type Device, mknod, type NodeType } from '../fifo/index.js';
import { UsageError } from './failure.js';
import { checkLabels, checkNames, defineNodeOptions, madeAt, type NodeOptions, permissionsOf, tell } from './nodes.js';
import type { Verb } from './verb.js';

const TYPES: ReadonlyMap<string, NodeType> = new Map([
  ['b', 'block'],
  ['c', 'character'],
  ['u', 'character'],
  ['p', 'fifo'],
]);
const NUMBER = /^\+?(?:0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i;

/** As C has them: decimal, octal with 0 in front, hexadecimal with 0x. */
function parseNumber(name: string, word: string): number {
  if (!NUMBER.test(word)) throw new UsageError(`${name} is decimal, octal (0…) or hexadecimal (0x…), got ${word}`);
  const digits = word.replace('+', '');
  return /^0[0-7]/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
}

function parseDevice(type: string, words: readonly string[]): Device | undefined {
  const [major, minor] = words;
  if (type === 'p') {
    if (words.length > 0) throw new UsageError('a FIFO has neither MAJOR nor MINOR');
    return undefined;
  }
  if (major === undefined || minor === undefined) throw new UsageError(`TYPE ${type} needs MAJOR and MINOR`);
  return { major: parseNumber('MAJOR', major), minor: parseNumber('MINOR', minor) };
}

/** The verb. */
export const verb: Verb<NodeOptions> = {
  define(command) {
    defineNodeOptions(
      command
        .argument('<name>', 'a path where nothing is yet')
        .argument('<type>', 'p for a FIFO, c or u for a character device, b for a block device')
        .argument('[major]', 'of a device: decimal, octal (0…) or hexadecimal (0x…)')
        .argument('[minor]', 'likewise'),
    ).addHelpText(
      'after',
      `
Making a device needs CAP_MKNOD. /proc/devices lists the majors of the drivers that are there.

Examples:
  $ interproc mknod jobs p
  $ interproc mknod -m 666 jail/dev/null c 1 3
`,
    );
  },

  async run(words, options, stop) {
    const [name = '', letter = '', ...numbers] = words;
    const type = TYPES.get(letter);
    if (type === undefined) throw new UsageError(`TYPE is one of b, c, u and p, got ${JSON.stringify(letter)}`);
    const device = parseDevice(letter, numbers);
    const permissions = permissionsOf(options);
    checkLabels('mknod', options);
    checkNames([name]);
    mknod(name, { type, ...permissions, ...(device === undefined ? {} : { device }) });
    await tell([madeAt(name, type, device)], options, stop);
    return 0;
  },
};
