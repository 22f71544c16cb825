/** Runs a contest: fresh processes, in turns, between two looks at where the processors are. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { cProgram, root } from './build-c.js';
import type { Contest, Entry, Processors } from './contest.js';
import { foreignLoad, type Placement, probe, ticks } from './machine.js';
import { LARGE } from './support/payload.js';
import type { Report } from './support/report.js';

/** Where the counted runs of an entry took place. `one` is one processor; `mixed` is not comparable. */
export type Place = Placement | 'one' | 'mixed';

/** What a contest gave. Every entry that could be run has the same placement. */
export interface Outcome {
  contest: Contest;
  placement: Place;
  runs: ReadonlyMap<string, readonly Report[]>;
  /** Why an entry has no runs, or a contest no placement that was asked for. */
  notes: readonly string[];
  /** Runs that were thrown away, by reason. */
  dropped: { moved: number; disturbed: number };
}

/** How a bench is run. */
export interface Settings {
  /** Counted runs of each entry. */
  runs: number;
  /** Sees only that everything runs: tiny counts, one run, nothing thrown away. */
  quick: boolean;
  /** Told of each run, for the terminal. */
  onRun?: (line: string) => void;
}

/** A run during which others took more than this part of one processor is not counted. */
const MOST_FOREIGN = 0.1;
const ATTEMPTS_PER_RUN = 4;
const RUN_LIMIT_MS = 120_000;
const QUICK_COUNT = 5000;
const QUICK_BLOCKS = 200;

/** What is asked of the processors when each side may have its own. */
const WANTED: Placement = 'near';

function commandOf(entry: Entry, processors: Processors, quick: boolean): string[] {
  const start =
    entry.implementation === 'c'
      ? [cProgram(entry.program)]
      : [process.execPath, join(root, 'dist/bench', `${entry.program}.js`)];
  const most = quick ? (entry.size < LARGE ? QUICK_COUNT : QUICK_BLOCKS) : Infinity;
  const count = Math.min(entry.count, most);
  const command = [...start, '--size', String(entry.size), '--count', String(count), ...entry.args];
  return processors === 'one' ? [cProgram('on-processor'), '0', ...command] : command;
}

/** Runs one command to its end and reads its one line. */
async function runOnce(command: readonly string[]): Promise<Report> {
  const [file, ...args] = command as [string, ...string[]];
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  let late = false;
  // The whole group, since a program that hangs has usually started the other side.
  const limit = setTimeout(() => {
    late = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, RUN_LIMIT_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => clearTimeout(limit));
  const words = command.join(' ');
  if (late) throw new Error(`${words} did not end within ${RUN_LIMIT_MS / 1000} s`);
  if (code !== 0) throw new Error(`${words} failed with ${code}\n${err}${out}`);
  const report = JSON.parse(out) as Report;
  if (!report.checksumOk) throw new Error(`${words} received something else than was sent`);
  return report;
}

/** Waits a while for the processors to be near each other; gives up quietly, since some machines never are. */
async function waitForNear(seconds: number): Promise<ReturnType<typeof probe>> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = probe();
    if (seen.placement === WANTED || seen.placement === 'single' || Date.now() > end) return seen;
    await pause(200);
  }
}

/** The runs of one entry, by where they took place. */
class Ledger {
  readonly #runs = new Map<Place, Report[]>();

  add(place: Place, report: Report): void {
    const list = this.#runs.get(place);
    if (list === undefined) this.#runs.set(place, [report]);
    else list.push(report);
  }

  at(place: Place): readonly Report[] {
    return this.#runs.get(place) ?? [];
  }

  all(): readonly Report[] {
    return [...this.#runs.values()].flat();
  }
}

/** The placement to report: near if it has enough runs of every entry, else the one that has most of the scarcest. */
function choosePlace(ledgers: readonly Ledger[], runs: number): Place {
  let best: Place = 'mixed';
  let most = 0;
  for (const place of ['one', 'near', 'single', 'sibling', 'far'] as const) {
    const fewest = Math.min(...ledgers.map((ledger) => ledger.at(place).length));
    if (fewest >= runs) return place;
    if (fewest > most) {
      most = fewest;
      best = place;
    }
  }
  return best;
}

/** Runs every entry of a contest that exists, in turns, until each has its counted runs at one placement. */
export async function runContest(contest: Contest, settings: Settings): Promise<Outcome> {
  const notes: string[] = [];
  const entries = contest.entries.filter((entry) => {
    const [, first, second] = ['', ...commandOf(entry, 'any', false)];
    const file = entry.implementation === 'c' ? first! : second!;
    if (existsSync(file)) return true;
    notes.push(`${entry.id}: ${file} does not exist`);
    return false;
  });
  const ledgers = new Map(entries.map((entry) => [entry.id, new Ledger()]));
  const dropped = { moved: 0, disturbed: 0 };
  const failed = new Set<string>();
  const wanted = settings.quick ? 1 : settings.runs;
  const rounds = settings.quick ? 1 : wanted * ATTEMPTS_PER_RUN;
  const place: Place = contest.processors === 'one' ? 'one' : WANTED;
  const complete = (entry: Entry): boolean => failed.has(entry.id) || ledgers.get(entry.id)!.at(place).length >= wanted;
  const programs = entries.filter(({ alongside }) => alongside === undefined);

  for (let round = 0; round < rounds && !programs.every(complete); round++) {
    // Each round begins with another entry, so that none always follows the same.
    for (let i = 0; i < programs.length; i++) {
      const entry = programs[(round + i) % programs.length]!;
      if (complete(entry)) continue;
      try {
        await turn(entry);
      } catch (error) {
        failed.add(entry.id);
        notes.push(`${entry.id}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  async function turn(entry: Entry): Promise<void> {
    const careful = !settings.quick;
    const apart = contest.processors === 'any';
    const first = apart && careful ? await waitForNear(3) : probe(1);
    const before = apart ? first.placement : place;
    const begun = performance.now();
    const used = ticks();
    const report = await runOnce(commandOf(entry, contest.processors, settings.quick));
    const foreign = foreignLoad(used, (performance.now() - begun) / 1000);
    const after = apart && careful ? probe().placement : before;
    // What one process measures of both sides in turns is disturbed alike.
    const alone = careful && report.beside === undefined;
    const fate = before !== after ? 'moved' : alone && foreign > MOST_FOREIGN ? 'disturbed' : 'counted';
    settings.onRun?.(
      `${contest.name} | ${entry.id} | ${before} to ${after} | others ${(foreign * 100).toFixed(0)} % | work ${first.work.toFixed(2)} ns | ${fate} | ` +
        `${report.rate.toPrecision(4)} ${report.unit}${report.p50 === null ? '' : `, p50 ${report.p50.toFixed(2)} us`}`,
    );
    if (fate !== 'counted') {
      dropped[fate]++;
      return;
    }
    ledgers.get(entry.id)!.add(before, report);
    for (const [id, beside] of Object.entries(report.beside ?? {})) ledgers.get(id)!.add(before, beside);
  }

  const ran = entries.filter(({ id, alongside }) => !failed.has(alongside ?? id));
  const chosen = choosePlace(
    ran.map((entry) => ledgers.get(entry.id)!),
    wanted,
  );
  const runs = new Map<string, readonly Report[]>();
  for (const entry of ran) {
    const ledger = ledgers.get(entry.id)!;
    runs.set(entry.id, chosen === 'mixed' ? ledger.all() : ledger.at(chosen));
    const found = runs.get(entry.id)!.length;
    if (found < wanted) notes.push(`${entry.id}: ${found} of ${wanted} runs could be counted (${chosen})`);
  }
  return { contest, placement: chosen, runs, notes, dropped };
}
