/** The two programs of a row: started, listened to, and ended together. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Job, Received, Sent } from './program.js';
import {
  type Prepared,
  type PreparedFamily,
  type PreparedPair,
  type Row,
  type Start,
  stdioOf,
  type TransferRow,
} from './row.js';

/** How long a program may go on alone when the other has failed. */
const PATIENCE_MS = 500;

/** A program that runs. */
interface Running<Report> {
  child: ChildProcess;
  /** What it reported at the end, or why there is none. */
  ended: Promise<Report>;
}

/** One of the programs ended without its report. */
class ProgramError extends Error {
  /** Whether it was killed: the other one's error is only what follows from that. */
  readonly killed: boolean;

  constructor(message: string, killed: boolean) {
    super(message);
    this.killed = killed;
  }
}

function startProgram<Report>(
  role: string,
  start: Start,
  job: Job | undefined,
  apart: boolean,
  heard: (line: { done?: number; ready?: boolean }) => void,
  reported?: (report: Report) => void,
): Running<Report> {
  const file = fileURLToPath(new URL(`./${start.program}.js`, import.meta.url));
  const words = [file, ...start.urls, ...(job === undefined ? [] : [JSON.stringify(job)])];
  const child = spawn(process.execPath, words, { stdio: stdioOf(start), detached: apart });
  let report: Report | undefined;
  let said: string | undefined;
  /** What a parent tells of its child's end, which is the cause of its own. */
  let ofChild: string | undefined;
  let complaint = '';
  createInterface({ input: child.stdout! }).on('line', (text) => {
    const line = JSON.parse(text) as { error?: string; ofChild?: string; done?: number; ready?: boolean };
    if (line.ofChild !== undefined) ofChild = line.ofChild;
    else if (line.error !== undefined) said = line.error;
    else if (line.done !== undefined || line.ready !== undefined) heard(line);
    else {
      report = line as Report;
      reported?.(report);
    }
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  child.stdin!.on('error', () => undefined);
  const ended = new Promise<Report>((resolve, reject) => {
    child.once('error', (why) => reject(new ProgramError(`the ${role} could not be started: ${why.message}`, true)));
    child.once('close', (code, killedBy) => {
      if (ofChild !== undefined) reject(new ProgramError(ofChild, true));
      else if (killedBy !== null) reject(new ProgramError(`the ${role} was killed by ${killedBy}`, true));
      else if (code === 0 && report !== undefined) resolve(report);
      else reject(new ProgramError(`the ${role} failed: ${said ?? (complaint.trim() || `exit code ${code}`)}`, false));
    });
  });
  ended.catch(() => undefined);
  return { child, ended };
}

/** What a parent reports together with its child: each has fields that the other has not. */
type Both = { sent: Sent; received: Received };

/** Runs a parent, which starts the other program; both report through it. */
async function runFamily(
  prepared: PreparedFamily,
  job: Job,
  progress: (part: number) => void,
  stop: AbortSignal,
): Promise<Both> {
  let sent: Sent | undefined;
  let received: Received | undefined;
  const parent = startProgram<Sent | Received>(
    'sender',
    prepared.parent,
    job,
    false,
    ({ done = 0 }) => progress(done),
    (report) => {
      if ('fileDigest' in report) received = report;
      else sent = report;
    },
  );
  prepared.started?.();
  const end = (): void => void parent.child.kill('SIGKILL');
  stop.addEventListener('abort', end, { once: true });
  try {
    await parent.ended;
  } catch (why) {
    stop.throwIfAborted();
    throw why;
  } finally {
    stop.removeEventListener('abort', end);
  }
  if (sent === undefined || received === undefined) throw new Error('one of the two programs ended without its report');
  return { sent, received };
}

/** Both programs' reports. When one fails the other is ended: over a queue or a file it would wait for ever. */
async function bothEnd<First, Second>(
  sender: Promise<Running<First>>,
  receiver: Running<Second>,
  stop: AbortSignal,
): Promise<[First, Second]> {
  const programs: Running<unknown>[] = [receiver];
  const failures: ProgramError[] = [];
  let ending = false;
  let patience: NodeJS.Timeout | undefined;
  const endAll = (): void => {
    ending = true;
    for (const { child } of programs) child.kill('SIGKILL');
  };
  stop.addEventListener('abort', endAll, { once: true });
  const failed = (why: ProgramError): never => {
    // What we killed ourselves is no news.
    if (!why.killed || !ending) failures.push(why);
    // If one says that its peer is gone, that one's death is the cause and about to be known.
    if (why.killed) endAll();
    else patience ??= setTimeout(endAll, PATIENCE_MS);
    throw why;
  };
  try {
    const started = sender.then((running) => {
      programs.push(running);
      if (ending) endAll();
      return running.ended;
    });
    const [sent, received] = await Promise.allSettled([started.catch(failed), receiver.ended.catch(failed)]);
    stop.throwIfAborted();
    if (sent.status === 'fulfilled' && received.status === 'fulfilled') {
      return [sent.value, received.value];
    }
    throw failures.find(({ killed }) => killed) ?? failures[0];
  } finally {
    clearTimeout(patience);
    stop.removeEventListener('abort', endAll);
  }
}

/**
 * Runs both programs to their end and answers what they report. When one fails the other is ended.
 *
 * @param roles what the programs are called when one of them fails: the one with the job, and the other
 * @param progress called with the part that is done, 0 to 1
 * @throws an error that names the program which failed first, or was killed; the reason of `stop`
 */
export async function runPair<First, Second>(
  row: Row,
  prepared: PreparedPair,
  roles: readonly [first: string, second: string],
  job: Job,
  progress: (part: number) => void,
  stop: AbortSignal,
): Promise<[First, Second]> {
  const apart = row.processes === 'unrelated';
  let ready!: () => void;
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const receiver = startProgram<Second>(roles[1], prepared.receiver, undefined, apart, () => ready());
  const startSender = (start: Start): Running<First> =>
    startProgram<First>(roles[0], start, job, apart, ({ done = 0 }) => progress(done));
  const described = prepared.sender;
  // A receiver that ends before it was ready is never sent to.
  const may = typeof described === 'function' ? Promise.race([isReady, receiver.ended]) : Promise.resolve();
  const sender = may.then(() => {
    const running = startSender(typeof described === 'function' ? described(receiver.child.pid ?? 0) : described);
    prepared.started?.();
    return running;
  });
  return bothEnd(sender, receiver, stop);
}

/** As `runPair`, for a row whose programs are a sender and a receiver, or one that starts the other. */
export async function runBoth(
  row: TransferRow,
  prepared: Prepared,
  job: Job,
  progress: (part: number) => void,
  stop: AbortSignal,
): Promise<Both> {
  if ('parent' in prepared) return runFamily(prepared, job, progress, stop);
  const roles = ['sender', 'receiver'] as const;
  const [sent, received] = await runPair<Sent, Received>(row, prepared, roles, job, progress, stop);
  return { sent, received };
}
