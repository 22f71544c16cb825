/** What a workload is made of. The table of them is in `workloads.ts`. */

/** One program that does the work of a workload; it becomes a row of the report. */
export interface Entry {
  /** Unique within its contest; ratios name it. */
  id: string;
  workload: string;
  mechanism: string;
  /** `interproc`, `c`, or the name of a peer. */
  implementation: string;
  /** Payload bytes. */
  size: number;
  /** `c` programs are built from bench/c/NAME.c; the others are dist/bench/NAME.js. */
  program: string;
  args: readonly string[];
  /** Counted messages or round trips of a full run: some 0.3 to 1 s of work. */
  count: number;
  /**
   * The entry whose process measures this one, too: for work of nanoseconds, where one process and another differ by more than what is
   * compared. Ratios between the two are those within each process.
   */
  alongside?: string;
}

/** What a ratio must reach, and what it should. */
export interface Target {
  must: number;
  goal: number;
}

/** A ratio between two entries of one contest. */
export interface RatioSpec {
  name: string;
  of: string;
  against: string;
  /** `seconds` where both do the same work in one process. */
  metric: 'rate' | 'p50' | 'p99' | 'seconds';
  /** null: reported, and nothing is asked of it. */
  target: Target | null;
  lowerIsBetter: boolean;
}

/**
 * Where the processes of a contest may run: the same for all its entries.
 *
 * `any`: the scheduler decides. Both sides of a ring spin, so it gives each a processor of its own.
 *
 * `one`: all on one processor, for work in which somebody sleeps for almost every message. What such a message costs
 * is the system calls and a switch. Left to itself the scheduler puts both sides now on one processor, now on two, and
 * on a virtual machine a wake-up across processors goes through the host (here 12 to 30 us, against 1.4 us for the
 * switch): the figure would be the host's, with two modes.
 */
export type Processors = 'any' | 'one';

/** Entries that are run in turns, and the ratios between them. */
export interface Contest {
  name: string;
  processors: Processors;
  entries: readonly Entry[];
  ratios: readonly RatioSpec[];
}
