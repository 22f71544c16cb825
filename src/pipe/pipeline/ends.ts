/** The two ends of a pipeline and its standard error: what the stages get there, and what is ours to do about it. */
import { inspect } from 'node:util';
import type { Writable } from 'node:stream';
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { argumentError } from '../../core/errors.js';
import type { Handle } from '../../core/handle.js';
import { nearest } from '../../core/nearest.js';
import type { ChildDescriptor, HasDescriptor } from '../../proc/index.js';
import type { PipeReader } from '../reader.js';
import type { PipeWriter } from '../writer.js';
import { type Chunk, collect, drain, feed, type Flow } from './flow.js';

/**
 * What the first stage reads: a descriptor or a handle of one; bytes; whatever gives chunks, as a stream of Node or of the web, or a
 * generator; `'inherit'`, what this process has as standard input; `'null'`, nothing; `'pipe'`, what is written to the pipeline's `input`.
 */
export type PipelineInput =
  | 'inherit'
  | 'null'
  | 'pipe'
  | number
  | HasDescriptor
  | Uint8Array
  | AsyncIterable<Chunk>
  | Iterable<Chunk>
  | ReadableStream<Uint8Array>;

/**
 * Where the last stage writes: a descriptor or a handle of one; a stream of Node or of the web; `'inherit'`, where this process does;
 * `'null'`, nowhere; `'pipe'`, to the pipeline's `output`; `'buffer'`, into the result.
 */
export type PipelineOutput =
  | 'inherit'
  | 'null'
  | 'pipe'
  | 'buffer'
  | number
  | HasDescriptor
  | Writable
  | WritableStream<Uint8Array>;

/** One end. */
export interface End {
  /** What the stages get. */
  readonly child: ChildDescriptor;
  /** The stages' side of a pipe: closed here once they have it. */
  readonly theirs?: Handle;
  /** Our side, if it is the user's to use. */
  readonly reader?: PipeReader;
  readonly writer?: PipeWriter;
  /** Our side, which is closed if the stages do not come to run. */
  readonly ours?: Handle;
  /** Begins to move bytes, when the stages run. */
  begin?(): Flow & { bytes?(): Uint8Array };
}

type MakePipe = () => { reader: PipeReader; writer: PipeWriter };

function isDescriptor(value: unknown): value is number | HasDescriptor {
  if (typeof value === 'number') return true;
  if (typeof value !== 'object' || value === null || !('fd' in value) || typeof value.fd !== 'number') return false;
  // Streams of Node have one, too, and may have read ahead of it; only those of standard input and output stand for it.
  return !('pipe' in value) || value.fd <= 2;
}

function unknown(name: string, value: unknown, words: readonly string[]): never {
  const like = typeof value === 'string' ? nearest(value, words) : undefined;
  throw argumentError(
    `${name} must be a descriptor, a handle, a stream${name === 'input' ? ', bytes, an iterable' : ''} or one of ${words.join(', ')}, got ${inspect(value, { depth: 0 })}${like === undefined ? '' : `; did you mean '${like}'?`}`,
  );
}

function isIterable(value: unknown): value is AsyncIterable<Chunk> | Iterable<Chunk> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

/** The end that the first stage reads. */
export function inputEnd(input: PipelineInput, makePipe: MakePipe): End {
  if (input === 'inherit' || input === 'null' || isDescriptor(input)) return { child: input as ChildDescriptor };
  const source = input instanceof Uint8Array ? [input] : input;
  if (source !== 'pipe' && !isIterable(source)) unknown('input', input, ['inherit', 'null', 'pipe']);
  const { reader, writer } = makePipe();
  const end = { child: reader, theirs: reader, ours: writer };
  return source === 'pipe' ? { ...end, writer } : { ...end, begin: () => feed(writer, source) };
}

function isGoal(value: unknown): value is Writable | WritableStream<Uint8Array> {
  if (typeof value !== 'object' || value === null) return false;
  return ('write' in value && 'end' in value) || 'getWriter' in value;
}

/** The end that the last stage, or as `error` all of them, write to. */
export function outputEnd(name: 'output' | 'error', output: PipelineOutput, makePipe: MakePipe): End {
  if (output === 'inherit' || output === 'null' || isDescriptor(output)) return { child: output };
  if (output !== 'pipe' && output !== 'buffer' && !isGoal(output)) {
    unknown(name, output, ['inherit', 'null', 'pipe', 'buffer']);
  }
  const { reader, writer } = makePipe();
  const end = { child: writer, theirs: writer, ours: reader };
  if (output === 'pipe') return { ...end, reader };
  return { ...end, begin: () => (output === 'buffer' ? collect(reader) : drain(reader, output)) };
}
