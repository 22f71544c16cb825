/**
 * Pipes: pipe(7). A stream of bytes in one direction through a buffer of the kernel, from whoever
 * holds the write end to whoever holds the read end: usually a process and its child.
 *
 * @example
 * using ends = pipe.create();
 * await ends.writer.write(Buffer.from('hello'));
 * ends.writer.close();
 * for await (const chunk of ends.reader) console.log(chunk.length); // 5
 */
export type { ReadOptions, SyncReadOptions, TryReadOptions } from '../core/reading.js';
export { create, type PipeOptions, type PipePair } from './create.js';
export { PipeEnd } from './end.js';
export { readerFromFd, writerFromFd } from './inherited.js';
export { PipeReader } from './reader.js';
export { PIPE_BUF, PipeWriter } from './writer.js';
export type { AmountOptions, Descriptor } from './moving.js';
export { type SpliceOptions, splice, spliceSync, trySplice } from './splice.js';
export { tee, teeSync, tryTee } from './tee.js';
export { type RangeOptions, tryVmsplice, vmsplice, vmspliceSync } from './vmsplice.js';
export {
  type Change,
  type Chunk,
  type Edge,
  type Fill,
  Pipeline,
  type PipelineInput,
  type PipelineOptions,
  type PipelineOutput,
  type PipelineResult,
  pipeline,
  type StageResult,
  type TapWithCopy,
} from './pipeline/index.js';
