/** `interproc tour`: a file and messages through every mechanism, turns by every primitive, between real processes, verified and measured. */
import { nearest } from '../core/nearest.js';
import { UsageError } from './failure.js';
import * as format from './format.js';
import { machine } from './machine.js';
import { write, writeJson, written } from './output.js';
import { bar } from './progress.js';
import { generateInput, type Input, readInput } from './tour/input.js';
import { makePlace, type OwnPlace } from './tour/place.js';
import type { Row } from './tour/row.js';
import { ROWS } from './tour/rows.js';
import { type RowResult, runRow } from './tour/run.js';
import { sentence, sentenceOfTurns } from './tour/sentence.js';
import { drawTables } from './tour/table.js';
import type { Verb } from './verb.js';

interface TourOptions {
  input?: string;
  json?: boolean;
  messages: string;
  only?: string;
}

const MOST_MESSAGES = 10_000_000;
const ROUND_TRIPS = 2000;
/** Turns and signals move no file. */
const NO_INPUT: Input = { path: '', bytes: 0, digest: '' };
const NAMES = ROWS.map(({ name }) => name);

/** The verb. */
export const verb: Verb<TourOptions> = {
  define(command) {
    command
      .option('-i, --input <file>', 'the file to move (else: a generated one of 64 MiB)')
      .option('--json', 'print the rows as JSON')
      .option('-m, --messages <n>', 'how many messages of 64 bytes, and hand-overs at most', '100000')
      .option('-o, --only <names>', `only these mechanisms, with commas between: ${NAMES.join(', ')}`)
      .addHelpText(
        'after',
        `
For each mechanism two processes are started. One sends the file in blocks of 64 KiB, then small
messages, then makes round trips; the other knows the address only, and computes the SHA-256 of what
arrived. By each primitive of synchronization two processes hand a turn to each other, for some 0.7 s,
and count in shared memory whenever it is theirs. Exit code 1 if something differs from what was sent,
or the turns did not alternate.

Examples:
  $ interproc tour
  $ interproc tour --input /var/log/syslog --only pipe,shm
  $ interproc tour --only sem,flock,futex
  $ interproc tour --json | jq '.rows[] | [.mechanism, .messagesPerSecond]'
`,
      );
  },

  async run(_args, options, stop) {
    const messages = readCount(options.messages);
    const chosen = chooseRows(options.only);
    const named = options.input === undefined ? undefined : await readInput(options.input, stop);
    using place = makePlace();
    const moves = chosen.some(({ family }) => family !== 'sync' && family !== 'signal');
    const input = named ?? (moves ? await readInput(await generateInput(place, stop), stop) : NO_INPUT);
    const rows = await runRows(chosen, place, { input, messages }, stop);
    const good = rows.every(({ verified }) => verified);
    if (options.json === true) await writeJson({ rows, machine: machine() }, stop);
    else await write(await report(rows, place, input, options.input === undefined), stop);
    await written(stop);
    return good ? 0 : 1;
  },
};

async function runRows(
  chosen: readonly Row[],
  place: OwnPlace,
  { input, messages }: { input: Input; messages: number },
  stop: AbortSignal,
): Promise<RowResult[]> {
  const load = { input, messages, roundTrips: Math.min(ROUND_TRIPS, messages) };
  const progress = await bar(chosen.length);
  const results: RowResult[] = [];
  try {
    for (const [index, row] of chosen.entries()) {
      progress.update(index, row.mechanism);
      results.push(await runRow(row, place, load, (part) => progress.update(index + part), stop));
    }
  } finally {
    progress.stop();
  }
  return results;
}

async function report(rows: readonly RowResult[], place: OwnPlace, input: Input, generated: boolean): Promise<string> {
  const lines = [...introduction(rows, input, generated), ...(await drawTables(rows))];
  for (const row of rows) if (row.error !== null) lines.push(`${row.name} is not verified: ${row.error}`);
  if (place.inMemory && rows.some(({ way }) => way === 'file')) {
    lines.push('The folder for temporary files is in memory: set TMPDIR to one on a disk to see what a disk does.');
  }
  for (const meaning of [sentence(rows), sentenceOfTurns(rows)]) if (meaning !== undefined) lines.push(meaning);
  return `${lines.join('\n')}\n`;
}

/** What was done, before the figures of it. */
function introduction(rows: readonly RowResult[], input: Input, generated: boolean): string[] {
  const lines: string[] = [];
  const moved = rows.filter(({ family }) => family !== 'sync');
  if (moved.length > 0) {
    const what = generated ? 'a generated file' : input.path;
    const file = `${format.bytes(input.bytes)} of ${what} (SHA-256 ${input.digest.slice(0, 16)}…), then `;
    const messages = `${format.count(moved[0]?.messages ?? 0)} messages of 64 bytes`;
    lines.push(`${input.bytes === 0 && generated ? '' : file}${messages}.`);
  }
  if (moved.length < rows.length) {
    lines.push('Turns that two processes hand to each other, counted in shared memory by whoever has it.');
  }
  return lines;
}

function readCount(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 1 && value <= MOST_MESSAGES)) {
    throw new UsageError(`--messages is a whole number from 1 to ${MOST_MESSAGES}, got ${JSON.stringify(text)}`);
  }
  return value;
}

function chooseRows(only: string | undefined): readonly Row[] {
  if (only === undefined) return ROWS;
  const names = only.split(',').map((name) => name.trim());
  for (const name of names) {
    if (NAMES.includes(name)) continue;
    const near = nearest(name, NAMES);
    const meant = near === undefined ? '' : `; did you mean ${near}?`;
    throw new UsageError(`--only: there is no mechanism ${JSON.stringify(name)}${meant} Known are ${NAMES.join(', ')}`);
  }
  return ROWS.filter(({ name }) => names.includes(name));
}
