/**
 * What the tour's programs have in common: they report with lines of JSON on standard output,
 * and end when the tour does, however that happens.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { explain } from '../failure.js';

/** What a sender is to do. */
export interface Job {
  /** The file to send in blocks; there is none for signals. */
  input: string;
  /** How many small messages, or hand-overs, and how many round trips. */
  messages: number;
  /** How often the messages are sent: one pass takes milliseconds, and a neighbour may have disturbed it. */
  passes: number;
  roundTrips: number;
  coalesce: boolean;
  mostSeconds: number | null;
  /** Whether one byte is to be changed on the way into the channel: see `CORRUPT` in run.ts. */
  corrupt: boolean;
}

/** What a sender reports at the end; times are nanoseconds of CLOCK_MONOTONIC. */
export interface Sent {
  bytes: number | null;
  fileBegan: string | null;
  passes: { messages: number; began: string }[];
  roundTripMicroseconds: number;
  peakMemoryBytes: number | null;
}

/** What a receiver reports at the end. */
export interface Received {
  bytes: number | null;
  fileDigest: string | null;
  fileEnded: string | null;
  passes: { messages: number; digest: string; ended: string }[];
  peakMemoryBytes: number | null;
}

/** Bytes of a file's block. */
export const BLOCK_BYTES = 64 * 1024;

/** Now, on the clock that all processes share (CLOCK_MONOTONIC), as text since JSON has no bigint. */
export function now(): string {
  return String(process.hrtime.bigint());
}

/** Reports something to the tour. */
export function say(report: object): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** The most memory that this process has had resident, VmHWM of proc(5). The rusage field would begin with the parent's. */
export function peakMemoryBytes(): number | null {
  const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return line === null ? null : Number(line[1]) * 1024;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

/**
 * Runs a program of the tour, whose arguments are URLs and, for a sender, its job as JSON. What it
 * throws is reported, and is exit code 1.
 */
export function runProgram(work: (urls: string[], job: Job) => Promise<void>): void {
  // Standard input comes from the tour and never says anything: its end is the end of the tour.
  process.stdin.on('end', () => process.exit(1)).resume();
  (process.stdin as unknown as Socket).unref();
  const words = process.argv.slice(2);
  const isJob = (word: string): boolean => word.startsWith('{');
  const job = JSON.parse(words.find(isJob) ?? '{}') as Job;
  const urls = words.filter((word) => !isJob(word));
  work(urls, job).catch((why: unknown) => {
    say({ error: explain(why).text });
    process.exitCode = 1;
  });
}

/** Progress from 0 to 1, reported ten times a second at most. */
export class Steps {
  #next = 0;

  /** Says how far the work is. */
  at(done: number): void {
    const time = performance.now();
    if (time < this.#next) return;
    this.#next = time + 100;
    say({ done });
  }
}
