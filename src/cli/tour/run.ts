/** Runs one row: starts its two programs, listens to what they report, compares and cleans up. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { explain } from '../failure.js';
import type { Input } from './input.js';
import { digestOfMessages, digestOfSignals } from './pattern.js';
import type { Job, Received, Sent } from './program.js';
import { type Place, type Prepared, type Row, type Start, stdioOf } from './row.js';

/**
 * For tests: the name of a row in whose first message the sender changes one byte, after it has read it
 * and before it enters the channel. The row must notice.
 */
const CORRUPT = 'INTERPROC_TOUR_CORRUPT';

/** How long a program may go on alone when the other has failed. */
const PATIENCE_MS = 500;

/** What is to be moved through each mechanism. */
export interface Load {
  input: Input;
  messages: number;
  roundTrips: number;
}

/** A row's result, as `tour --json` shows it; what does not apply is `null`. */
export interface RowResult {
  name: string;
  mechanism: string;
  way: Row['way'];
  family: Row['family'];
  processes: Row['processes'];
  url: string;
  /** Of the file. */
  bytes: number | null;
  messages: number | null;
  /** From the first send to the last receive, of the file and of the messages together. */
  seconds: number | null;
  fileSeconds: number | null;
  messagesSeconds: number | null;
  throughputBytesPerSecond: number | null;
  messagesPerSecond: number | null;
  /** The median. */
  roundTripMicroseconds: number | null;
  peakMemoryBytes: { sender: number | null; receiver: number | null };
  verified: boolean;
  /** Why the row is not verified. */
  error: string | null;
}

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
): Running<Report> {
  const file = fileURLToPath(new URL(`./${start.program}.js`, import.meta.url));
  const words = [file, ...start.urls, ...(job === undefined ? [] : [JSON.stringify(job)])];
  const child = spawn(process.execPath, words, { stdio: stdioOf(start), detached: apart });
  let report: Report | undefined;
  let said: string | undefined;
  let complaint = '';
  createInterface({ input: child.stdout! }).on('line', (text) => {
    const line = JSON.parse(text) as { error?: string; done?: number; ready?: boolean };
    if (line.error !== undefined) said = line.error;
    else if (line.done !== undefined || line.ready !== undefined) heard(line);
    else report = line as Report;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  child.stdin!.on('error', () => undefined);
  const ended = new Promise<Report>((resolve, reject) => {
    child.once('error', (why) => reject(new ProgramError(`the ${role} could not be started: ${why.message}`, true)));
    child.once('close', (code, killedBy) => {
      if (killedBy !== null) reject(new ProgramError(`the ${role} was killed by ${killedBy}`, true));
      else if (code === 0 && report !== undefined) resolve(report);
      else reject(new ProgramError(`the ${role} failed: ${said ?? (complaint.trim() || `exit code ${code}`)}`, false));
    });
  });
  ended.catch(() => undefined);
  return { child, ended };
}

/** Both programs' reports. When one fails the other is ended: over a queue or a file it would wait for ever. */
async function bothEnd(
  sender: Promise<Running<Sent>>,
  receiver: Running<Received>,
  stop: AbortSignal,
): Promise<{ sent: Sent; received: Received }> {
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
      return { sent: sent.value, received: received.value };
    }
    throw failures.find(({ killed }) => killed) ?? failures[0];
  } finally {
    clearTimeout(patience);
    stop.removeEventListener('abort', endAll);
  }
}

async function startBoth(
  row: Row,
  prepared: Prepared,
  job: Job,
  progress: (line: { done?: number }) => void,
  stop: AbortSignal,
): Promise<{ sent: Sent; received: Received }> {
  const apart = row.processes === 'unrelated';
  let ready!: () => void;
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const receiver = startProgram<Received>('receiver', prepared.receiver, undefined, apart, () => ready());
  const startSender = (start: Start): Running<Sent> => startProgram<Sent>('sender', start, job, apart, progress);
  const described = prepared.sender;
  const waits = typeof described === 'function';
  // A receiver that ends before it was ready is never sent to.
  const sender = waits
    ? Promise.race([isReady, receiver.ended]).then(() => startSender(described(receiver.child.pid ?? 0)))
    : Promise.resolve(startSender(described));
  if (!waits) prepared.started?.();
  return bothEnd(sender, receiver, stop);
}

function seconds(from: string | null, to: string | null): number | null {
  return from === null || to === null ? null : Number(BigInt(to) - BigInt(from)) / 1e9;
}

function perSecond(amount: number | null, time: number | null): number | null {
  return amount === null || amount === 0 || time === null || time <= 0 ? null : amount / time;
}

/** What is wrong with what arrived, `null` if nothing is. */
function fault(row: Row, load: Load, sent: Sent, received: Received): string | null {
  if (received.bytes !== null) {
    if (received.bytes !== load.input.bytes)
      return `${received.bytes} of ${load.input.bytes} bytes of the file arrived`;
    if (received.fileDigest !== load.input.digest) return 'the file arrived changed: its SHA-256 differs';
  }
  if (row.mostSeconds === undefined && sent.messages !== load.messages) return `${sent.messages} messages were sent`;
  if (received.messages !== sent.messages) return `${received.messages} of ${sent.messages} messages arrived`;
  const expected = row.family === 'signal' ? digestOfSignals(sent.messages) : digestOfMessages(sent.messages);
  return received.messagesDigest === expected ? null : 'the messages arrived changed: their SHA-256 differs';
}

function unmeasured(row: Row, url: string, error: string): RowResult {
  const { name, mechanism, way, family, processes } = row;
  return {
    ...{ name, mechanism, way, family, processes, url },
    bytes: null,
    messages: null,
    seconds: null,
    fileSeconds: null,
    messagesSeconds: null,
    throughputBytesPerSecond: null,
    messagesPerSecond: null,
    roundTripMicroseconds: null,
    peakMemoryBytes: { sender: null, receiver: null },
    verified: false,
    error,
  };
}

function measured(row: Row, url: string, load: Load, sent: Sent, received: Received): RowResult {
  const error = fault(row, load, sent, received);
  const fileSeconds = seconds(sent.fileBegan, received.fileEnded);
  const messagesSeconds = seconds(sent.messagesBegan, received.messagesEnded);
  return {
    ...unmeasured(row, url, ''),
    bytes: received.bytes,
    messages: received.messages,
    seconds: (fileSeconds ?? 0) + (messagesSeconds ?? 0),
    fileSeconds,
    messagesSeconds,
    throughputBytesPerSecond: perSecond(received.bytes, fileSeconds),
    messagesPerSecond: perSecond(received.messages, messagesSeconds),
    roundTripMicroseconds: sent.roundTripMicroseconds,
    peakMemoryBytes: { sender: sent.peakMemoryBytes, receiver: received.peakMemoryBytes },
    verified: error === null,
    error,
  };
}

/**
 * Runs a row. What goes wrong is in its result; only `stop` rejects. Nothing is left afterwards.
 *
 * @param progress called with the part that is done, 0 to 1
 */
export async function runRow(
  row: Row,
  place: Place,
  load: Load,
  progress: (part: number) => void,
  stop: AbortSignal,
): Promise<RowResult> {
  stop.throwIfAborted();
  let prepared: Prepared | undefined;
  const job: Job = {
    input: load.input.path,
    messages: load.messages,
    roundTrips: load.roundTrips,
    coalesce: row.coalesce,
    mostSeconds: row.mostSeconds ?? null,
    corrupt: process.env[CORRUPT] === row.name,
  };
  try {
    prepared = row.prepare(place);
    const { sent, received } = await startBoth(row, prepared, job, ({ done = 0 }) => progress(done), stop);
    return measured(row, prepared.url, load, sent, received);
  } catch (why) {
    stop.throwIfAborted();
    return unmeasured(row, prepared?.url ?? `${row.name}:`, explain(why).text);
  } finally {
    prepared?.cleanUp();
  }
}
