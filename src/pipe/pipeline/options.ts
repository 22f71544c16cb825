/** How a pipeline runs: its options and its stages, checked before anything is started. */
import { inspect } from 'node:util';
import { checkInteger } from '../../core/arguments.js';
import { argumentError } from '../../core/errors.js';
import type { HasDescriptor } from '../../proc/index.js';
import type { SignalName } from '../../signal/index.js';
import { parseLine, type StageCommand } from './commandLine.js';
import type { PipelineInput, PipelineOutput } from './ends.js';

/** A tap that also gives a copy of what flows to a descriptor, or a handle of one: a pipe, a socket or a file. */
export interface TapWithCopy {
  /** A duplicate is taken: it may be closed here. While it is full, the flow waits for it; when nobody reads it, it ends alone. */
  copyTo: number | HasDescriptor;
}

/** How a pipeline runs. */
export interface PipelineOptions {
  /** What the first stage reads; `'inherit'` if omitted. */
  input?: PipelineInput;
  /** Where the last stage writes; `'inherit'` if omitted. */
  output?: PipelineOutput;
  /** Standard error of every stage; `'inherit'` if omitted. */
  error?: PipelineOutput;
  /** The whole environment of every stage; that of this process if omitted. */
  env?: Readonly<Record<string, string | undefined>>;
  /** The folder in which every stage starts, and from which the files of redirections are named; ours if omitted. */
  cwd?: string;
  /** Bytes that each pipe between two stages holds; 65536 if omitted. */
  capacity?: number;
  /**
   * Which edges are counted exactly: all, or those named by number (0 is behind stage 0). A tap is a second pipe, and a thread that moves
   * the bytes by splice(2): docs/pipe.md says what it costs.
   */
  taps?: boolean | { readonly [edge: number]: true | TapWithCopy };
  /** `'new'`, if omitted: the stages are one process group of their own; `'inherit'`: they are in that of this process. */
  processGroup?: 'new' | 'inherit';
  /** `'foreground'`: the group comes to the foreground of our terminal, as a shell's jobs do. */
  terminal?: 'foreground';
  /** Ends the pipeline: `killSignal` to the whole group, after `graceMs` SIGKILL. `wait()` rejects with an `AbortError` then. */
  signal?: AbortSignal;
  /** Milliseconds after which the pipeline is ended in the same way; `wait()` rejects with `ETIMEDOUT` then. */
  timeoutMs?: number;
  /** What the stages are asked with to end; SIGTERM if omitted. */
  killSignal?: SignalName | number;
  /** Milliseconds from `killSignal` to SIGKILL; 5000 if omitted. */
  graceMs?: number;
}

/** The names of `PipelineOptions`, for `checkOptions`. */
export const OPTIONS = [
  'input',
  'output',
  'error',
  'env',
  'cwd',
  'capacity',
  'taps',
  'processGroup',
  'terminal',
  'signal',
  'timeoutMs',
  'killSignal',
  'graceMs',
];
export const GRACE_MS = 5000;
/** The longest time of a timer, and the largest number of a descriptor. */
export const MOST = 0x7fff_ffff;

/** The stages, from a line or from a list. */
export function commandsOf(what: string | readonly (readonly string[])[]): readonly StageCommand[] {
  if (typeof what === 'string') return parseLine(what);
  if (!Array.isArray(what) || what.length === 0) {
    throw argumentError(
      `a pipeline is a line, or a list with the words of each stage; got ${inspect(what, { depth: 0 })}`,
    );
  }
  return what.map((argv: unknown, index) => {
    if (!Array.isArray(argv) || argv.length === 0 || !argv.every((word) => typeof word === 'string')) {
      throw argumentError(
        `stage ${index + 1} must be a list of strings, at least one; got ${inspect(argv, { depth: 1 })}`,
      );
    }
    return { argv: [...argv] as string[], redirects: [] };
  });
}

/** Throws for an option that is not one of these words. */
export function oneOf(name: string, value: unknown, words: readonly string[]): void {
  if (value === undefined || words.includes(value as string)) return;
  throw argumentError(
    `${name} must be ${words.map((word) => `'${word}'`).join(' or ')}, got ${inspect(value, { depth: 0 })}`,
  );
}

/** By edge, -1 for a tap without a copy; `undefined` where there is none. */
export function tapsOf(taps: PipelineOptions['taps'], edges: number): (number | undefined)[] {
  if (taps === undefined || typeof taps === 'boolean') return Array(edges).fill(taps === true ? -1 : undefined);
  if (typeof taps !== 'object' || taps === null) {
    throw argumentError(`taps must be true, or an object by the number of the edge; got ${inspect(taps)}`);
  }
  const copies: (number | undefined)[] = Array(edges).fill(undefined);
  for (const [key, tap] of Object.entries(taps)) {
    checkInteger('the number of an edge in taps', Number(key), 0, edges - 1);
    const copy = tap === true ? undefined : (tap as TapWithCopy | undefined)?.copyTo;
    if (tap !== true && typeof copy !== 'number' && typeof copy?.fd !== 'number') {
      throw argumentError(`taps[${key}] must be true or { copyTo }, got ${inspect(tap, { depth: 1 })}`);
    }
    const fd = typeof copy === 'object' ? copy.fd : copy;
    if (fd !== undefined) checkInteger(`taps[${key}].copyTo`, fd, 0, MOST);
    copies[Number(key)] = fd ?? -1;
  }
  return copies;
}
