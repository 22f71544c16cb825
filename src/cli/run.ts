/** `interproc run 'a | b | c'`: a pipeline in the foreground, with the keys of the terminal doing what they do in a shell. */
import { constants, fstatSync, readFileSync } from 'node:fs';
import { type Pipeline, type PipelineOptions, type PipelineResult, pipeline } from '../pipe/index.js';
import { foreground, processGroup, setForeground } from '../proc/index.js';
import { handle, ignore, raise, table, toNumber } from '../signal/index.js';
import { writeJson } from './output.js';
import { edges } from './runProgress.js';
import type { Verb } from './verb.js';

interface RunOptions {
  json?: boolean;
  progress?: boolean;
  pipefail?: boolean;
}

/** What a program is asked with to end; the pipeline is asked with it, too. */
const PASSED_ON = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'];
/** Ends that a shell says nothing of. */
const QUIET = ['SIGPIPE', 'SIGINT'];
const STOPS = ['SIGTSTP', 'SIGTTIN', 'SIGTTOU'];
const KILLED = 128;

/** Whether another program may be joined to this one, so that the terminal is not ours alone to give away. */
function isJoined(fd: number): boolean {
  try {
    const kind = fstatSync(fd).mode & constants.S_IFMT;
    return kind === constants.S_IFIFO || kind === constants.S_IFSOCK;
  } catch {
    return false;
  }
}

/** Whether a shell has put this process, alone, into the foreground of a terminal. */
function hasTerminal(): boolean {
  return processGroup() === process.pid && hasForeground(process.pid) && !isJoined(0) && !isJoined(1);
}

/** Takes the terminal back from the job, if it has it, and if there still is one. */
function takeTerminal(job: Pipeline): void {
  if (hasForeground(job.group)) setForeground();
}

/** Whether this group has the terminal; nobody has after a hang-up. */
function hasForeground(group: number): boolean {
  try {
    return foreground() === group;
  } catch {
    return false;
  }
}

/** Whether a process is stopped, or about to be. */
function isStopping(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const isStopped = stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
    return isStopped || table(pid).some(({ name, pending }) => name === 'SIGTSTP' && pending);
  } catch {
    return false; // it has ended
  }
}

/** A Ctrl+Z that came while the stages were being started has missed those that came after it. */
function stopLateComers(job: Pipeline): void {
  if (job.stages.some(({ pid }) => isStopping(pid))) job.kill('SIGTSTP');
}

/** A job stops: so does this process, as its parent, the shell, expects. When that continues us, the job goes on where we are. */
async function shareStops(job: Pipeline): Promise<void> {
  for await (const { state, signal } of job.changes()) {
    if (state !== 'stopped') continue;
    // It wanted the terminal in the background, and the shell has brought us to the foreground meanwhile.
    if (signal !== 'SIGTSTP' && signal !== 'SIGSTOP' && hasForeground(processGroup())) {
      job.foreground();
      continue;
    }
    takeTerminal(job);
    raise(signal !== null && STOPS.includes(signal) ? signal : 'SIGSTOP');
    // Here it goes on after SIGCONT.
    if (hasForeground(processGroup())) job.foreground();
    else job.continue();
  }
}

/** Runs it and waits for its end; what ends this process ends it. */
async function inForeground(line: string, options: PipelineOptions, watch: (job: Pipeline) => Disposable) {
  const isJob = hasTerminal();
  const held: Disposable[] = [];
  try {
    // With `stty tostop` a shell that writes while its job has the terminal would be stopped.
    if (isJob) held.push(ignore('SIGTTOU'));
    let job: Pipeline | undefined;
    for (const name of PASSED_ON) {
      // What the terminal sends, the stages get from it: they are in its foreground, as we are if it is not theirs alone.
      held.push(
        handle(name, ({ code }) => {
          // A hang-up comes from the kernel to the session's leader and the foreground only.
          if (job === undefined || (code === 'SI_KERNEL' && !(isJob && name === 'SIGHUP'))) return;
          job.kill(name);
          if (name === 'SIGHUP' || name === 'SIGTERM') job.continue(); // who is stopped hears of it only then
        }),
      );
    }
    job = pipeline(line, { ...options, ...(isJob ? { terminal: 'foreground' } : { processGroup: 'inherit' }) });
    held.push(watch(job));
    if (isJob) {
      stopLateComers(job);
      await shareStops(job);
    }
    const result = await job.wait();
    if (isJob) takeTerminal(job);
    return result;
  } finally {
    for (const one of held) one[Symbol.dispose]();
  }
}

/** As a shell tells of what a signal has ended. */
function tell({ stages }: PipelineResult): void {
  for (const [index, { argv, signal, description }] of stages.entries()) {
    if (signal === null || QUIET.includes(signal)) continue;
    process.stderr.write(`interproc run: stage ${index + 1} of ${stages.length} (${argv[0]}) was ${description}\n`);
  }
}

/** What is printed of a stage. */
function shown({ stages, ok, status }: PipelineResult): object {
  return {
    stages: stages.map(({ argv, pid, code, signal, coreDumped, seconds, bytesOut, countedBy }) => ({
      argv,
      pid,
      code,
      signal,
      coreDumped,
      seconds,
      bytesOut,
      countedBy,
    })),
    ok,
    status,
  };
}

/** With `pipefail`: the last stage that failed, as `$?` has it. */
function failed({ stages, status }: PipelineResult): number {
  const last = stages.findLast(({ code }) => code !== 0);
  if (last === undefined || last === stages.at(-1)) return status;
  return last.code ?? KILLED + toNumber(last.signal as string);
}

/** The verb. */
export const verb: Verb<RunOptions> = {
  define(command) {
    command
      .argument('<line>', "the commands, as 'a | b | c', in one word")
      .option('--json', 'print { stages, ok, status }, and what the pipeline prints on standard error')
      .option('--progress', 'show what passes each | on the terminal: bytes, rate, and how full the pipe is')
      .option('--pipefail', 'exit with the status of the last stage that failed, not with that of the last one')
      .addHelpText(
        'after',
        `
LINE has words, quotes, | |& < > >> 2> 2>&1 as a shell has them, but no shell is started: variables, patterns of file names,
; && $(…) and the like are refused, with their position. Each | is one pipe of the kernel.

Ctrl+C, Ctrl+\\ and Ctrl+Z do what they do in a shell. The exit status is that of the last stage, 128 and the number of the
signal if one ended it; 127 if there is no program for a stage, 126 if it cannot be executed, 2 if LINE cannot be understood.

In the JSON, bytesOut is what passed the pipe behind a stage if countedBy is "tap" (with --progress), all that the
stage wrote if it is "io". ok says whether every stage exited with 0; one that SIGPIPE ended did not.

Examples:
  $ interproc run 'seq 1000000 | sort -rn | head -n 3'
  $ interproc run --progress 'cat big.log | grep -c error'
  $ interproc run --json 'seq 10 | wc -l' 2>/dev/null
`,
      );
  },

  async run([line = ''], options, stop, leaveSignals) {
    leaveSignals();
    const result = await inForeground(
      line,
      { ...(options.json === true ? { output: 2 } : {}), taps: options.progress === true },
      options.progress === true ? await edges() : () => ({ [Symbol.dispose]() {} }),
    );
    tell(result);
    if (options.json === true) await writeJson(shown(result), stop);
    return options.pipefail === true ? failed(result) : result.status;
  },
};
