/** What goes into the first stage, and what comes out of the last, where it is not a descriptor: bytes pass through JavaScript. */
import type { Writable } from 'node:stream';
import { pipeline as join } from 'node:stream/promises';
import type { WritableStream } from 'node:stream/web';
import { checkBytes } from '../../core/arguments.js';
import { EPIPE } from '../../core/errno.js';
import { IpcError } from '../../core/errors.js';
import { toReadable } from '../../core/streams.js';
import type { PipeReader } from '../reader.js';
import type { PipeWriter } from '../writer.js';

/** Bytes, or text that becomes UTF-8. */
export type Chunk = Uint8Array | string;

/** Bytes on their way. */
export interface Flow {
  /** Resolves when all have passed, or nobody wants them any more; rejects if their source or their goal failed. */
  readonly done: Promise<void>;
  /** The stages have ended: nobody takes any more. */
  stop(): void;
  /** What is still to come is not wanted any more. */
  abandon(): void;
}

/** Whoever reads has gone: for a source in a pipeline that is an end as any other. */
function isBroken(why: unknown): boolean {
  return why instanceof IpcError && why.errno === -EPIPE;
}

/** Writes what `source` gives, as it comes and as there is room. The source is told when nobody takes more. */
export function feed(writer: PipeWriter, source: AsyncIterable<Chunk> | Iterable<Chunk>): Flow {
  const chunks = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let stopped = false;
  let stop!: () => void;
  const stopping = new Promise<undefined>((resolve) => {
    stop = () => {
      stopped = true;
      resolve(undefined);
    };
  });
  const move = async (): Promise<void> => {
    let ended = false;
    try {
      while (!stopped) {
        const next = await Promise.race([stopping, chunks.next()]);
        if (next === undefined) break;
        ended = next.done === true;
        if (ended) break;
        const bytes = typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
        checkBytes('what input gives', bytes);
        await writer.write(bytes as Uint8Array);
      }
      writer.close();
    } catch (why) {
      if (!isBroken(why) && !stopped) throw why; // the writer stays open: the stage must not take this for the end
      writer.close();
    } finally {
      // Not awaited: a generator that is waiting for its own next chunk returns only after that.
      if (!ended) Promise.resolve(chunks.return?.()).catch(() => {});
    }
  };
  const end = (): void => {
    stop();
    writer.close();
  };
  return { done: move(), stop: end, abandon: end };
}

/** Reads everything. */
export function collect(reader: PipeReader): Flow & { bytes(): Uint8Array } {
  const chunks: Uint8Array[] = [];
  const move = async (): Promise<void> => {
    try {
      for await (const chunk of reader) chunks.push(chunk);
    } catch (why) {
      if (!reader.closed) throw why;
    } finally {
      reader.close();
    }
  };
  return { done: move(), stop() {}, abandon: () => reader.close(), bytes: () => Buffer.concat(chunks) };
}

/** Process.stdout and its like are never ended: others write there, too. */
function staysOpen(goal: object): boolean {
  return goal === process.stdout || goal === process.stderr;
}

/** Writes everything into a stream, and ends that. */
export function drain(reader: PipeReader, goal: Writable | WritableStream<Uint8Array>): Flow {
  const readable = toReadable(reader);
  const done = join(readable, goal as Writable, { end: !staysOpen(goal) });
  return { done, stop() {}, abandon: () => reader.close() };
}
