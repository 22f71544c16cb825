/** What every bench program of ours and of the peers shares: its options, the clock, and the one line of JSON. */
import { parseArgs } from 'node:util';
import { LARGE } from './payload.js';

/** The one line that a program prints. Times of round trips are in microseconds. */
export interface Report {
  rate: number;
  unit: 'messages/s' | 'bytes/s' | 'round trips/s' | 'accesses/s' | 'takes/s';
  seconds: number;
  messages: number;
  bytes: number;
  p50: number | null;
  p99: number | null;
  checksumOk: boolean;
  /** What the same process measured for other entries of its contest, by their ids. */
  beside?: Readonly<Record<string, Report>>;
}

/** The counts of a run; `total` is warm-up and counted messages together. */
export interface Work {
  count: number;
  warmup: number;
  total: number;
  size: number;
}

/** Everything on the command line: `--name value` pairs, and what stands alone. */
export interface Options {
  work: Work;
  text: (name: string, fallback: string) => string;
  number: (name: string, fallback: number) => number;
  words: readonly string[];
}

/**
 * Reads the command line of a bench program: `--count`, `--warmup` (default a tenth of the count), `--size` (bytes,
 * default 64) and whatever else the program asks for by name.
 */
export function readOptions(defaultCount: number, argv: readonly string[] = process.argv.slice(2)): Options {
  const { tokens } = parseArgs({ args: [...argv], strict: false, allowPositionals: true, tokens: true });
  const values = new Map<string, string>();
  const words: string[] = [];
  let name: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'option') {
      name = token.name;
      if (token.value !== undefined) values.set(token.name, token.value);
    } else if (token.kind === 'positional') {
      if (name !== undefined && !values.has(name)) values.set(name, token.value);
      else words.push(token.value);
      name = undefined;
    }
  }
  const text = (key: string, fallback: string): string => values.get(key) ?? fallback;
  const number = (key: string, fallback: number): number => {
    const value = Number(text(key, String(fallback)));
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`--${key} must be a whole number`);
    return value;
  };
  const count = number('count', defaultCount);
  const warmup = number('warmup', Math.floor(count / 10));
  return { work: { count, warmup, total: count + warmup, size: number('size', 64) }, text, number, words };
}

/** The arguments that a parent hands to the process it starts, so that both agree about the work. */
export function workArguments(work: Work): string[] {
  return ['--count', String(work.count), '--warmup', String(work.warmup), '--size', String(work.size)];
}

/** Nanoseconds on CLOCK_MONOTONIC. */
export function now(): number {
  return Number(process.hrtime.bigint());
}

/** Prints the one line of a program. */
export function print(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
  if (!report.checksumOk) process.exitCode = 1;
}

/**
 * Prints the result of a one-way run.
 *
 * @param messages how many arrived between `start` and `end` (nanoseconds); those before `start` were warm-up
 */
export function reportOneWay(size: number, messages: number, start: number, end: number, checksumOk: boolean): void {
  // With a tiny count everything may come in one chunk, with nothing left to time.
  const seconds = Math.max(1, end - start) / 1e9;
  const bytes = messages * size;
  const large = size >= LARGE;
  const rate = (large ? bytes : messages) / seconds;
  print({ rate, unit: large ? 'bytes/s' : 'messages/s', seconds, messages, bytes, p50: null, p99: null, checksumOk });
}

/**
 * Prints the result of what is done again and again.
 *
 * @param samples nanoseconds of each `group` of it in a row; sorted in place
 */
export function reportSamples(
  unit: 'round trips/s' | 'takes/s',
  size: number,
  samples: Float64Array,
  group: number,
  checksumOk: boolean,
): void {
  const seconds = samples.reduce((sum, sample) => sum + sample, 0) / 1e9;
  const messages = samples.length * group;
  samples.sort();
  const at = (part: number): number => samples[Math.min(samples.length - 1, Math.floor(part * samples.length))]!;
  print({
    rate: messages / seconds,
    unit,
    seconds,
    messages,
    bytes: messages * size,
    p50: at(0.5) / group / 1e3,
    p99: at(0.99) / group / 1e3,
    checksumOk,
  });
}

/** Prints the result of round trips: see `reportSamples`. */
export function reportRoundTrips(size: number, samples: Float64Array, group: number, checksumOk: boolean): void {
  reportSamples('round trips/s', size, samples, group, checksumOk);
}
