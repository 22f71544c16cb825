/** Pipelines: commands that are joined by pipes of the kernel, as one job. docs/design/pipelines.md says why it is made so. */
import { checkInteger, checkOptions, checkString } from '../../core/arguments.js';
import { AbortError, argumentError, timeoutError } from '../../core/errors.js';
import { onAbort } from '../../core/abort.js';
import { traceOf } from '../../core/trace.js';
import { checkSignal, checkTimeout } from '../../core/wait.js';
import { toNumber } from '../../signal/index.js';
import { create, type PipePair } from '../create.js';
import { type End, inputEnd, outputEnd } from './ends.js';
import type { Flow } from './flow.js';
import { commandsOf, GRACE_MS, MOST, oneOf, OPTIONS, type PipelineOptions, tapsOf } from './options.js';
import { Pipeline } from './running.js';
import type { RunningStage } from './stage.js';
import { startStages } from './start.js';

export type { Change } from './jobs.js';
export type { Edge, Fill } from './edge.js';
export type { Chunk } from './flow.js';
export type { PipelineInput, PipelineOutput } from './ends.js';
export { Pipeline, type PipelineResult } from './running.js';
export type { StageResult } from './stage.js';
export type { PipelineOptions, TapWithCopy } from './options.js';

const trace = traceOf('pipe');

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
    timeoutMs > MOST
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
  checkInteger('graceMs', graceMs, 0, MOST);
  if (capacity !== undefined) checkInteger('capacity', capacity, 1, MOST);
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
