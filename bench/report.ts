/** From the runs to the rows and ratios that are printed. */
import type { Entry, RatioSpec, Target } from './contest.js';
import type { Outcome, Place } from './harness.js';
import type { Machine } from './machine.js';
import { type Summary, summarize } from './statistics.js';
import type { Report } from './support/report.js';

/** One implementation of one workload. `p50` and `p99` are microseconds, null for one-way work. */
export interface Row {
  workload: string;
  mechanism: string;
  implementation: string;
  size: number;
  rate: number;
  unit: Report['unit'];
  p50: number | null;
  p99: number | null;
  /** How many runs were counted. */
  runs: number;
  placement: Place;
  /** Half the interquartile range over the median: of p50 for round trips, else of the rate. */
  noise: number;
  min: number;
  max: number;
}

/** Our side over another. `ratio` is null when one of them could not be measured at a single placement. */
export interface Ratio {
  name: string;
  ratio: number | null;
  target: Target | null;
  lowerIsBetter: boolean;
  /** Relative: the noise of both sides together. */
  noise: number | null;
  verdict: 'goal' | 'must' | 'missed' | 'no target' | 'not measured';
}

/** What `bench --json` prints. */
export interface BenchReport {
  rows: Row[];
  ratios: Ratio[];
  machine: Machine;
  notes: string[];
}

function rowOf(entry: Entry, runs: readonly Report[], placement: Place): Row {
  const rate = summarize(runs.map((run) => run.rate));
  const half = runs[0]!.p50 === null ? null : summarize(runs.map((run) => run.p50!));
  const shown: Summary = half ?? rate;
  return {
    workload: entry.workload,
    mechanism: entry.mechanism,
    implementation: entry.implementation,
    size: entry.size,
    rate: rate.median,
    unit: runs[0]!.unit,
    p50: half?.median ?? null,
    p99: half === null ? null : summarize(runs.map((run) => run.p99!)).median,
    runs: runs.length,
    placement,
    noise: shown.noise,
    min: shown.min,
    max: shown.max,
  };
}

function verdictOf(ratio: number, target: Target | null, lowerIsBetter: boolean): Ratio['verdict'] {
  if (target === null) return 'no target';
  const reaches = (bar: number): boolean => (lowerIsBetter ? ratio <= bar : ratio >= bar);
  return reaches(target.goal) ? 'goal' : reaches(target.must) ? 'must' : 'missed';
}

function ratioOf(spec: RatioSpec, outcome: Outcome): Ratio {
  const { name, target, lowerIsBetter } = spec;
  const valuesOf = (id: string): number[] =>
    (outcome.runs.get(id) ?? []).map((run) => run[spec.metric]).filter((value) => value !== null);
  const of = valuesOf(spec.of);
  const against = valuesOf(spec.against);
  if (of.length === 0 || against.length === 0 || outcome.placement === 'mixed')
    return { name, ratio: null, target, lowerIsBetter, noise: null, verdict: 'not measured' };
  const ours = summarize(of);
  const theirs = summarize(against);
  const isOneProcess = outcome.contest.entries.some(
    ({ id, alongside }) => id === spec.against && alongside === spec.of,
  );
  const { median: ratio, noise } = isOneProcess
    ? summarize(of.map((value, run) => value / against[run]!))
    : { median: ours.median / theirs.median, noise: Math.hypot(ours.noise, theirs.noise) };
  return { name, ratio, target, lowerIsBetter, noise, verdict: verdictOf(ratio, target, lowerIsBetter) };
}

/** Puts the outcomes of all contests together. */
export function reportOf(outcomes: readonly Outcome[], machine: Machine): BenchReport {
  const rows: Row[] = [];
  const ratios: Ratio[] = [];
  const notes: string[] = [];
  for (const outcome of outcomes) {
    for (const entry of outcome.contest.entries) {
      const runs = outcome.runs.get(entry.id) ?? [];
      if (runs.length > 0) rows.push(rowOf(entry, runs, outcome.placement));
    }
    ratios.push(...outcome.contest.ratios.map((spec) => ratioOf(spec, outcome)));
    notes.push(...outcome.notes.map((note) => `${outcome.contest.name}: ${note}`));
  }
  return { rows, ratios, machine, notes };
}
