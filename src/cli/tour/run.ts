/** Runs one row: its two programs, then compares what was sent with what arrived, and cleans up. */
import { explain } from '../failure.js';
import type { Input } from './input.js';
import { digestOfMessages, digestOfSignals } from './pattern.js';
import type { Job, Received, Sent } from './program.js';
import { runBoth, runPair } from './processes.js';
import type { Place, Prepared, Row, SyncRow, TransferRow } from './row.js';
import type { Turned } from './turns.js';

/**
 * For tests: the name of a row whose sender changes one byte of one message, after it has read the file
 * and before the message enters the channel; of a row for synchronization, one process takes a turn that is not its own. The row must notice.
 */
const CORRUPT = 'INTERPROC_TOUR_CORRUPT';

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
  /** Of one pass; for synchronization, how often the turn was handed over. */
  messages: number | null;
  /** From the first send to the last receive, of the file and of one pass of the messages together. */
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

function seconds(from: string | null, to: string | null): number | null {
  return from === null || to === null ? null : Number(BigInt(to) - BigInt(from)) / 1e9;
}

function perSecond(amount: number | null, time: number | null): number | null {
  return amount === null || amount === 0 || time === null || time <= 0 ? null : amount / time;
}

/** What is wrong with what arrived, `null` if nothing is. */
function fault(row: TransferRow, load: Load, sent: Sent, received: Received): string | null {
  if (received.bytes !== null) {
    if (received.bytes !== load.input.bytes)
      return `${received.bytes} of ${load.input.bytes} bytes of the file arrived`;
    if (received.fileDigest !== load.input.digest) return 'the file arrived changed: its SHA-256 differs';
  }
  for (const [index, { messages }] of sent.passes.entries()) {
    const arrived = received.passes[index];
    if (row.mostSeconds === undefined && messages !== load.messages) return `${messages} messages were sent`;
    if (arrived?.messages !== messages) return `${arrived?.messages ?? 0} of ${messages} messages arrived`;
    const expected = row.family === 'signal' ? digestOfSignals(messages) : digestOfMessages(messages);
    if (arrived.digest !== expected) return 'the messages arrived changed: their SHA-256 differs';
  }
  return null;
}

/** The pass whose speed is the median. */
function middlePass(sent: Sent, received: Received): { messages: number; seconds: number } | undefined {
  const passes = sent.passes.flatMap(({ messages, began }, index) => {
    const time = seconds(began, received.passes[index]?.ended ?? null);
    return time === null ? [] : [{ messages, seconds: time }];
  });
  return passes.sort((a, b) => a.seconds / a.messages - b.seconds / b.messages)[passes.length >> 1];
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

function measured(row: TransferRow, url: string, load: Load, sent: Sent, received: Received): RowResult {
  const error = fault(row, load, sent, received);
  const fileSeconds = seconds(sent.fileBegan, received.fileEnded);
  const pass = middlePass(sent, received);
  const messages = pass?.messages ?? null;
  const messagesSeconds = pass?.seconds ?? null;
  return {
    ...unmeasured(row, url, ''),
    bytes: received.bytes,
    messages,
    seconds: (fileSeconds ?? 0) + (messagesSeconds ?? 0),
    fileSeconds,
    messagesSeconds,
    throughputBytesPerSecond: perSecond(received.bytes, fileSeconds),
    messagesPerSecond: perSecond(messages, messagesSeconds),
    roundTripMicroseconds: sent.roundTripMicroseconds,
    peakMemoryBytes: { sender: sent.peakMemoryBytes, receiver: received.peakMemoryBytes },
    verified: error === null,
    error,
  };
}

/** What is wrong with the turns, `null` if nothing is: no two at once, none left out, none lost. */
function faultOfTurns(first: Turned, second: Turned): string | null {
  const fault = first.fault ?? second.fault;
  if (fault !== null) return `the turns did not alternate: ${fault}`;
  const turns = first.turns + second.turns;
  const count = first.measured?.count;
  return count === turns ? null : `the turns did not alternate: of ${turns} the count has ${count}`;
}

/** The result of two processes that handed a turn to each other; each hand-over counts as a message. */
function turned(row: SyncRow, url: string, first: Turned, second: Turned): RowResult {
  const { handOvers = null, seconds = null, roundTripMicroseconds = null } = first.measured ?? {};
  const error = faultOfTurns(first, second);
  return {
    ...unmeasured(row, url, ''),
    messages: handOvers,
    seconds,
    messagesSeconds: seconds,
    messagesPerSecond: perSecond(handOvers, seconds),
    roundTripMicroseconds,
    peakMemoryBytes: { sender: first.peakMemoryBytes, receiver: second.peakMemoryBytes },
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
    passes: 1,
    roundTrips: load.roundTrips,
    coalesce: false,
    mostSeconds: null,
    corrupt: process.env[CORRUPT] === row.name,
  };
  try {
    if (row.family === 'sync') {
      const pair = row.prepare(place);
      prepared = pair;
      const roles = ['first process', 'second process'] as const;
      return turned(row, pair.url, ...(await runPair<Turned, Turned>(row, pair, roles, job, progress, stop)));
    }
    prepared = row.prepare(place);
    const { passes, coalesce, mostSeconds = null } = row;
    const { sent, received } = await runBoth(row, prepared, { ...job, passes, coalesce, mostSeconds }, progress, stop);
    return measured(row, prepared.url, load, sent, received);
  } catch (why) {
    stop.throwIfAborted();
    return unmeasured(row, prepared?.url ?? `${row.name}:`, explain(why).text);
  } finally {
    prepared?.cleanUp();
  }
}
