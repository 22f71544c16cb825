/** `npm run bench`: what each way of moving messages costs here, ours against C and against what Node users pick. */
import { parseArgs } from 'node:util';
import { buildC } from './build-c.js';
import { fetchPeers, PEERS } from './fetch-peers.js';
import { type Outcome, runContest, type Settings } from './harness.js';
import { machine } from './machine.js';
import { reportOf } from './report.js';
import { contests } from './workloads.js';

const HELP = `usage: npm run bench -- [--only TEXT] [--runs N] [--quick] [--json] [--list]

  --only TEXT   only workloads whose name contains TEXT (may be repeated)
  --runs N      counted runs of each program, at least 1 (default 5)
  --quick       tiny counts and one run: sees that everything runs, its figures mean nothing
  --json        the report as JSON on standard output
  --list        the names of the workloads`;

interface Arguments {
  only: readonly string[];
  settings: Settings;
  json: boolean;
  list: boolean;
  help: boolean;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      runs: { type: 'string', default: '5' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isSafeInteger(runs) || runs < 1)
    throw new RangeError(`--runs must be a whole number from 1, not ${values.runs}`);
  const onRun = (line: string): void => void process.stderr.write(`${line}\n`);
  return {
    only: values.only ?? [],
    settings: { runs, quick: values.quick, onRun },
    json: values.json,
    list: values.list,
    help: values.help,
  };
}

async function main(): Promise<number> {
  let args: Arguments;
  try {
    args = readArguments();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${HELP}\n`);
    return 2;
  }
  if (args.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const chosen = contests.filter(({ name }) => args.only.length === 0 || args.only.some((text) => name.includes(text)));
  if (args.list) {
    process.stdout.write(`${chosen.map(({ name }) => name).join('\n')}\n`);
    return 0;
  }
  if (chosen.length === 0) {
    process.stderr.write(`no workload is called like ${args.only.join(', ')}; --list names them\n`);
    return 2;
  }
  buildC();
  if (chosen.some(({ entries }) => entries.some(({ implementation }) => PEERS.includes(implementation)))) fetchPeers();
  const outcomes: Outcome[] = [];
  for (const contest of chosen) outcomes.push(await runContest(contest, args.settings));
  const report = reportOf(outcomes, machine());
  if (args.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else process.stdout.write(`${(await import('./table.js')).render(report)}\n`);
  return 0;
}

process.exitCode = await main();
