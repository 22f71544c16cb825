/** A pipeline that runs. */
import { native } from '../../sys/index.js';
import { checkOptions } from '../../core/arguments.js';
import { argumentError, check, closedError, timeoutError } from '../../core/errors.js';
import { Referenced } from '../../core/referenced.js';
import { checkSignal, checkTimeout, pend, type Settle, WAIT_OPTIONS, type WaitOptions } from '../../core/wait.js';
import { foreground, processGroup, setForeground, type Terminal } from '../../proc/index.js';
import { type SignalName, toNumber } from '../../signal/index.js';
import type { PipeReader } from '../reader.js';
import type { PipeWriter } from '../writer.js';
import type { Edge } from './edge.js';
import type { Flow } from './flow.js';
import { hasOthers } from './group.js';
import { type Change, changesOf } from './jobs.js';
import type { RunningStage, StageResult } from './stage.js';

/** What became of a pipeline. */
export interface PipelineResult {
  stages: StageResult[];
  /** Whether every stage exited with 0, as the shell's `pipefail` asks it: one that SIGPIPE ended makes it false. */
  ok: boolean;
  /** What a shell without `pipefail` has in `$?`: the last stage's code, or 128 and the number of the signal that ended it. */
  status: number;
  /** What came out of the last stage, with `output: 'buffer'`. */
  output?: Uint8Array;
  /** What the stages wrote to standard error, with `error: 'buffer'`. */
  error?: Uint8Array;
}

/** What a pipeline is made of. @internal */
export interface Parts {
  line: string;
  stages: readonly RunningStage[];
  edges: readonly Edge[];
  /** 0 if the stages are in the group of this process. */
  group: number;
  flows: readonly Flow[];
  input: PipeWriter | undefined;
  output: PipeReader | undefined;
  error: PipeReader | undefined;
  collected: () => Pick<PipelineResult, 'output' | 'error'>;
  killSignal: number;
  graceMs: number;
}

/** How often to look whether what a stage has left in its group is gone. */
const LEFT_MS = 20;
const KILLED = 128;
const SIGKILL = 9;
const SIGCONT = 18;

/** Processes that are joined by pipes, as one job. */
export class Pipeline extends Referenced implements AsyncDisposable {
  /** The process group of all stages, 0 if they are in that of this process. */
  readonly group: number;
  /** What goes into the first stage, with `input: 'pipe'`: close it, or the first stage waits for more. */
  readonly input: PipeWriter | undefined;
  /** What comes out of the last stage, with `output: 'pipe'`. */
  readonly output: PipeReader | undefined;
  /** What the stages write to standard error, with `error: 'pipe'`. */
  readonly error: PipeReader | undefined;
  /** The pipes between the stages: edge 0 is behind stage 0. */
  readonly edges: readonly Edge[];
  readonly #parts: Parts;
  readonly #ended: Promise<PipelineResult>;
  readonly #waiting = new Set<Settle<PipelineResult>>();
  #over = false;
  #continued = 0;
  /** Why it was ended from here, before it had come to its own end. */
  #why: Error | undefined;
  #grace: NodeJS.Timeout | undefined;

  /** @internal */
  constructor(parts: Parts) {
    super();
    this.#parts = parts;
    this.group = parts.group;
    this.input = parts.input;
    this.output = parts.output;
    this.error = parts.error;
    this.edges = parts.edges;
    this.#ended = this.#watch().finally(() => {
      this.#over = true;
    });
    // Who waits is in a set, and not one more reaction of the promise, which would stay until the end.
    this.#ended.then(
      (result) => this.#tell((settle) => settle.resolve(result)),
      (why) => this.#tell((settle) => settle.reject(why)),
    );
    for (const flow of parts.flows) flow.done.catch((why) => this.end(why));
    for (const edge of parts.edges) void edge.passed.then((why) => why && this.end(why));
  }

  /** The stages: what each was started with, and its pid. */
  get stages(): readonly { readonly argv: readonly string[]; readonly pid: number }[] {
    return this.#parts.stages.map(({ argv, pid }) => ({ argv, pid }));
  }

  /** Whether every stage has ended. */
  get ended(): boolean {
    return this.#parts.stages.every((stage) => stage.ended);
  }

  async #watch(): Promise<PipelineResult> {
    const { stages, flows, edges } = this.#parts;
    try {
      await Promise.all(stages.map((stage) => stage.end));
      await this.#clearGroup();
    } finally {
      clearTimeout(this.#grace);
      for (const stage of stages) stage.release();
      for (const flow of flows) flow.stop();
    }
    await Promise.allSettled(flows.map((flow) => flow.done));
    await Promise.all(edges.map((edge) => edge.passed));
    const results = stages.map((stage, index) => stage.result(edges[index]?.bytes ?? null));
    const last = results.at(-1) as StageResult;
    const result: PipelineResult = {
      stages: results,
      ok: results.every(({ code }) => code === 0),
      status: last.code ?? KILLED + toNumber(last.signal as SignalName),
      ...this.#parts.collected(),
    };
    if (this.#why !== undefined) throw Object.assign(this.#why, { result });
    return result;
  }

  /** What an ended pipeline has left in its group gets its grace, and then no more. */
  async #clearGroup(): Promise<void> {
    while (this.#why !== undefined && this.group !== 0 && hasOthers(this.group, this.#parts.stages)) {
      await new Promise((resolve) => setTimeout(resolve, LEFT_MS));
    }
  }

  #tell(how: (settle: Settle<PipelineResult>) => void): void {
    for (const settle of this.#waiting) how(settle);
    this.#waiting.clear();
  }

  /**
   * Waits until every stage has ended, and everything that came out of them has been passed on or read. An abort or a time-out ends the wait,
   * not the pipeline: for that there are the options of `pipeline()`.
   *
   * @throws AbortError, or IpcError ETIMEDOUT, when the `signal` or `timeoutMs` of `pipeline()` ended it, and the error of the stream that was its input or output, each
   *   with the `result`; ERR_INTERPROC_CLOSED after `close()` and `destroy()`
   */
  wait(options?: WaitOptions): Promise<PipelineResult> {
    try {
      checkOptions(options, WAIT_OPTIONS);
      checkSignal(options?.signal);
      const timeoutMs = checkTimeout(options?.timeoutMs);
      if (timeoutMs === 0 && !this.#over) throw timeoutError('waitid', 0, { object: this.#parts.line });
    } catch (why) {
      return Promise.reject(why);
    }
    return pend<PipelineResult>(
      this,
      options,
      { syscall: 'waitid', subject: { object: this.#parts.line } },
      (settle) => {
        if (this.#over) this.#ended.then(settle.resolve, settle.reject);
        else this.#waiting.add(settle);
        return (why) => {
          this.#waiting.delete(settle);
          settle.reject(why);
        };
      },
    );
  }

  /**
   * Sends a signal to all processes of the group, those that stages have started too; in the group of this process, to the
   * stages alone.
   *
   * @param sig SIGTERM if omitted
   * @returns false if every stage has ended
   */
  kill(sig: SignalName | number = 'SIGTERM'): boolean {
    const number = sig === 0 ? 0 : toNumber(sig);
    if (this.ended) return false;
    if (this.group === 0) for (const stage of this.#lastFirst) stage.kill(number);
    else check(native().kill(-this.group, number), 'kill', { object: `group ${this.group}` });
    if (number === SIGCONT) this.#continued++;
    return true;
  }

  /** Stops every process of the pipeline (SIGSTOP), as Ctrl+Z would. Returns false if it has ended. */
  stop(): boolean {
    return this.kill('SIGSTOP');
  }

  /** Lets a stopped pipeline go on (SIGCONT), where it is: in the foreground or the background. */
  continue(): boolean {
    return this.kill('SIGCONT');
  }

  /**
   * Brings it to the foreground of the terminal, which it may read then, and lets it go on: what a shell's `fg` does.
   *
   * @throws IpcError ENXIO (this process has no terminal), ENOTTY, EPERM
   */
  foreground(terminal?: Terminal): void {
    if (this.group === 0) throw argumentError('a pipeline in the group of this process has no foreground of its own');
    setForeground(this.group, terminal);
    this.continue();
  }

  /** Takes the terminal back for this process, if the pipeline has it, and lets it go on: what a shell's `bg` does. */
  background(terminal?: Terminal): void {
    if (this.group !== 0 && foreground(terminal) === this.group) setForeground(processGroup(), terminal);
    this.continue();
  }

  /**
   * Each time it stops as a whole, goes on, and at last that it has ended. While the loop runs, a thread waits for each stage.
   *
   * @example
   * for await (const { state } of job.changes()) if (state === 'stopped') break;
   */
  changes(options?: WaitOptions): AsyncGenerator<Change, void, undefined> {
    return changesOf(this.#parts.stages, () => this.#continued, options);
  }

  /** Calls back when it has come to its end. @internal */
  whenEnded(tell: () => void): void {
    this.#ended.then(tell, tell);
  }

  /** Ends it from here: politely, after the grace time not. @internal */
  end(why: Error): void {
    if (this.#why !== undefined || this.#over) return;
    this.#why = why;
    if (!this.ended) {
      this.#send(this.#parts.killSignal);
      this.#send(SIGCONT);
      this.#grace = setTimeout(() => this.#send(SIGKILL), this.#parts.graceMs);
    }
    // After the signal: who reads the end of an input that broke off must not take it for the whole.
    for (const flow of this.#parts.flows) flow.abandon();
  }

  /** For a signal to each: who reads the end of an input because a stage before it was ended must not take it for the whole. */
  get #lastFirst(): RunningStage[] {
    return this.#parts.stages.toReversed();
  }

  /** As `kill`, where nobody could be told: a stage that has become another user's, as sudo(8) does, is waited for then. */
  #send(number: number): void {
    if (this.group !== 0) {
      native().kill(-this.group, number); // its leader is ours and not waited for yet: the number is that group's
      return;
    }
    for (const stage of this.#lastFirst) {
      try {
        stage.kill(number);
      } catch {
        // EPERM
      }
    }
  }

  /**
   * Ends it as an abort would, if it runs: `killSignal` to all, after `graceMs` SIGKILL. Resolves when nothing of it is left. It is
   * `Symbol.asyncDispose`.
   */
  async close(): Promise<void> {
    this.end(closedError(`the pipeline ${this.#parts.line}`));
    await this.#ended.catch(() => {});
  }

  /** Ends it at once, with SIGKILL. */
  destroy(): void {
    if (this.#over) return;
    this.#why ??= closedError(`the pipeline ${this.#parts.line}`);
    for (const flow of this.#parts.flows) flow.abandon();
    if (!this.ended) this.#send(SIGKILL);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
