/** Starting a pipeline: its stages one after the other, each joined to the next by one pipe(2) that nobody else keeps open. */
import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { native } from '../../sys/index.js';
import { checkInteger, checkOptions, checkString } from '../../core/arguments.js';
import { AbortError, argumentError, timeoutError } from '../../core/errors.js';
import { onAbort } from '../../core/abort.js';
import { traceOf } from '../../core/trace.js';
import { checkSignal, checkTimeout } from '../../core/wait.js';
import type { ChildDescriptor, HasDescriptor } from '../../proc/index.js';
import { type SignalName, toNumber } from '../../signal/index.js';
import { create, type PipePair } from '../index.js';
import type { PipeReader } from '../reader.js';
import type { PipeWriter } from '../writer.js';
import { parseLine, type StageCommand } from './commandLine.js';
import { Edge } from './edge.js';
import { type End, inputEnd, outputEnd, type PipelineInput, type PipelineOutput } from './ends.js';
import type { Flow } from './flow.js';
import { applyRedirects } from './redirect.js';
import { Pipeline } from './running.js';
import { RunningStage } from './stage.js';
import { Tap } from './tap.js';

export type { Change } from './jobs.js';
export type { Edge, Fill } from './edge.js';
export type { Chunk } from './flow.js';
export type { PipelineInput, PipelineOutput } from './ends.js';
export { Pipeline, type PipelineResult } from './running.js';
export type { StageResult } from './stage.js';

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

const OPTIONS = [
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
const GRACE_MS = 5000;
const MOST_MS = 0x7fff_ffff;
const trace = traceOf('pipe');

function commandsOf(what: string | readonly (readonly string[])[]): readonly StageCommand[] {
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

function oneOf(name: string, value: unknown, words: readonly string[]): void {
  if (value === undefined || words.includes(value as string)) return;
  throw argumentError(
    `${name} must be ${words.map((word) => `'${word}'`).join(' or ')}, got ${inspect(value, { depth: 0 })}`,
  );
}

/** By edge, -1 for a tap without a copy; `undefined` where there is none. */
function tapsOf(taps: PipelineOptions['taps'], edges: number): (number | undefined)[] {
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
    if (fd !== undefined) checkInteger(`taps[${key}].copyTo`, fd, 0, MOST_MS);
    copies[Number(key)] = fd ?? -1;
  }
  return copies;
}

/** What is shared by all stages. */
interface Plan {
  commands: readonly StageCommand[];
  options: PipelineOptions;
  taps: (number | undefined)[];
  input: End;
  output: End;
  error: End;
}

/** What is between two stages: the end that the first writes to, and the one that the second reads. */
interface Joint {
  writer: PipeWriter;
  reader: PipeReader;
  edge: Edge;
}

function closeJoint({ writer, reader }: Joint): void {
  writer.close();
  reader.close();
}

/** A pipe, or two with a tap between them. */
function makeJoint(capacity: number | undefined, copy: number | undefined): Joint {
  const options = capacity === undefined ? {} : { capacity };
  const first = create(options);
  if (copy === undefined) return { ...first, edge: new Edge(first.writer.fd, undefined) };
  try {
    const second = create(options);
    try {
      const tap = new Tap(first.reader.fd, second.writer.fd, copy);
      first.reader.close();
      return { writer: first.writer, reader: second.reader, edge: new Edge(first.writer.fd, tap) };
    } catch (why) {
      second.reader.close();
      throw why;
    } finally {
      second.writer.close();
    }
  } catch (why) {
    first.close();
    throw why;
  }
}

/** Starts one stage, which reads `from` and writes to `to`. */
function startStage(
  plan: Plan,
  index: number,
  from: ChildDescriptor,
  to: ChildDescriptor,
  group: number,
): RunningStage {
  const { argv, redirects } = plan.commands[index] as StageCommand;
  const { env, cwd, terminal } = plan.options;
  const fds: Record<number, ChildDescriptor> = { 0: from, 1: to, 2: plan.error.child };
  const opened: number[] = [];
  try {
    applyRedirects(fds, redirects, resolve(cwd ?? '.'), opened);
    return new RunningStage(argv, {
      fds,
      ...(env === undefined ? {} : { env }),
      ...(cwd === undefined ? {} : { cwd }),
      ...(plan.options.processGroup === 'inherit' ? {} : { processGroup: group === 0 ? 'new' : group }),
      ...(terminal === undefined || group !== 0 ? {} : { terminal }),
    });
  } catch (why) {
    if (why instanceof Error) {
      why.message = `stage ${index + 1} of ${plan.commands.length} (${argv[0]}): ${why.message}`;
      Object.assign(why, { stage: index });
    }
    throw why;
  } finally {
    for (const fd of opened) native().close(fd);
  }
}

/** Starts all stages; if one cannot start, those that run are killed. */
function startStages(plan: Plan): { stages: RunningStage[]; edges: Edge[] } {
  const stages: RunningStage[] = [];
  const edges: Edge[] = [];
  const inherits = plan.options.processGroup === 'inherit';
  let before: Joint | undefined;
  try {
    for (let index = 0; index < plan.commands.length; index++) {
      const copy = plan.taps[index];
      const behind = index === plan.commands.length - 1 ? undefined : makeJoint(plan.options.capacity, copy);
      try {
        const from = before?.reader ?? plan.input.child;
        const group = inherits ? 0 : (stages[0]?.pid ?? 0);
        const stage = startStage(plan, index, from, behind?.writer ?? plan.output.child, group);
        stages.push(stage);
        if (behind !== undefined) {
          behind.edge.from = stage.child;
          edges.push(behind.edge);
        }
      } catch (why) {
        if (behind !== undefined) closeJoint(behind);
        throw why;
      }
      behind?.writer.close();
      before?.reader.close();
      before = behind;
    }
  } catch (why) {
    before?.reader.close();
    for (const stage of stages) {
      stage.kill(toNumber('SIGKILL'));
      stage.release();
    }
    throw why;
  }
  return { stages, edges };
}

function endsOf(options: PipelineOptions): [input: End, output: End, error: End] {
  const { input = 'inherit', output = 'inherit', error = 'inherit' } = options;
  const made: PipePair[] = [];
  const makePipe = (): PipePair => {
    const pair = create();
    made.push(pair);
    return pair;
  };
  try {
    return [inputEnd(input, makePipe), outputEnd('output', output, makePipe), outputEnd('error', error, makePipe)];
  } catch (why) {
    for (const pair of made) pair.close();
    throw why;
  }
}

/** What comes of the options that end a pipeline. */
function endAsAsked(running: Pipeline, signal: AbortSignal | undefined, timeoutMs: number, line: string): void {
  const stopListening = signal === undefined ? undefined : onAbort(signal, () => running.end(new AbortError(signal)));
  const timer =
    timeoutMs > MOST_MS
      ? undefined
      : setTimeout(() => running.end(timeoutError('pipeline', timeoutMs, { object: line })), timeoutMs).unref();
  const over = (): void => {
    stopListening?.();
    clearTimeout(timer);
  };
  running.whenEnded(over);
}

/**
 * Runs commands that are joined by pipes: each a process, each `|` one pipe(2) between two of them, and this process out of the way of the
 * bytes.
 *
 * The line has words, quotes, `|`, `|&`, `<`, `>`, `>>`, `2>` and `2>&1` as in a shell, but no shell is started: what else one would do is
 * refused. The list has the words of each stage, taken as they are.
 *
 * It runs on without anybody waiting, and no zombie stays. A pending `wait()` keeps this process alive, and so does the passing of bytes from or to
 * a stream, not the pipeline alone.
 *
 * @throws TypeError for what the line cannot have, with its `position`; IpcError with `stage` (from 0) for one that cannot start, as ENOENT of
 *   execve: then none is left running; EMFILE
 * @example
 * const { stages, output } = await pipeline('seq 1000000 | sort -rn | head -n 3', { output: 'buffer' }).wait();
 * console.log(Buffer.from(output).toString(), stages[1].signal); // … SIGPIPE
 */
export function pipeline(line: string | readonly (readonly string[])[], options: PipelineOptions = {}): Pipeline {
  checkOptions(options, OPTIONS);
  const { capacity, cwd, graceMs = GRACE_MS, processGroup: wanted, terminal, signal } = options;
  const killSignal = options.killSignal === undefined ? toNumber('SIGTERM') : toNumber(options.killSignal);
  checkInteger('graceMs', graceMs, 0, MOST_MS);
  if (capacity !== undefined) checkInteger('capacity', capacity, 1, MOST_MS);
  if (cwd !== undefined) checkString('cwd', cwd);
  oneOf('processGroup', wanted, ['new', 'inherit']);
  oneOf('terminal', terminal, ['foreground']);
  if (terminal !== undefined && wanted === 'inherit') {
    throw argumentError(
      "a pipeline in the group of this process cannot come to the foreground: processGroup is 'inherit'",
    );
  }
  const timeoutMs = checkTimeout(options.timeoutMs);
  checkSignal(signal);
  const commands = commandsOf(line);
  const taps = tapsOf(options.taps, commands.length - 1);

  const [input, output, error] = endsOf(options);
  const ends = [input, output, error];
  let started: ReturnType<typeof startStages>;
  try {
    started = startStages({ commands, options, taps, input, output, error });
  } catch (why) {
    for (const end of ends) end.ours?.close();
    throw why;
  } finally {
    for (const end of ends) end.theirs?.close();
  }
  const { stages, edges } = started;
  const shown = typeof line === 'string' ? line : line.map((argv) => argv.join(' ')).join(' | ');
  const flows = ends.map((end) => end.begin?.());
  const running = new Pipeline({
    line: shown,
    stages,
    edges,
    group: wanted === 'inherit' ? 0 : (stages[0] as RunningStage).pid,
    flows: flows.filter((flow): flow is Flow => flow !== undefined),
    input: input.writer,
    output: output.reader,
    error: error.reader,
    collected: () => {
      const [, out, err] = flows.map((flow) => flow?.bytes?.());
      return { ...(out === undefined ? {} : { output: out }), ...(err === undefined ? {} : { error: err }) };
    },
    killSignal,
    graceMs,
  });
  endAsAsked(running, signal, timeoutMs, shown);
  trace('pipeline', { line: shown, pids: stages.map(({ pid }) => pid) });
  return running;
}
