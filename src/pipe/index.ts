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
import { constants } from 'node:fs';
import { F_GETFL, F_SETFD, FD_CLOEXEC, native } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError, check } from '../core/errors.js';
import { isKind, statusOf } from '../core/files.js';
import { traceOf } from '../core/trace.js';
import { changeCapacity } from './end.js';
import { PipeReader } from './reader.js';
import { PipeWriter } from './writer.js';

export type { ReadOptions, SyncReadOptions, TryReadOptions } from '../core/reading.js';
export { PipeEnd } from './end.js';
export { PipeReader } from './reader.js';
export { PIPE_BUF, PipeWriter } from './writer.js';
export {
  type AmountOptions,
  type Descriptor,
  type RangeOptions,
  type SpliceOptions,
  splice,
  spliceSync,
  tee,
  teeSync,
  trySplice,
  tryTee,
  tryVmsplice,
  vmsplice,
  vmspliceSync,
} from './splice.js';
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

/** How a pipe is made. */
export interface PipeOptions {
  /** Bytes that it holds, rounded up to a power of two of pages; 65536 if omitted. */
  capacity?: number;
  /**
   * Packet mode (O_DIRECT): each write, of at most 4096 bytes, is one read. What a read has no room
   * for is lost.
   */
  packet?: boolean;
  /**
   * O_NONBLOCK on both ends from the start, as pipe2(2) sets it: for a child that wants its end so. If omitted, an
   * end blocks until the first call here that must not. `handOver()` gives a blocking end all the
   * same: name `end.fd` in `stdio` to hand down one that does not block.
   */
  nonBlocking?: boolean;
}

/** Both ends of a pipe. */
export interface PipePair extends Disposable {
  reader: PipeReader;
  writer: PipeWriter;
  /** Closes both ends. */
  close(): void;
}

const trace = traceOf('pipe');
const ends = new Int32Array(new ArrayBuffer(128));

/**
 * Makes a pipe (pipe2(2)). Both ends are close-on-exec: a child gets one only if it is named in
 * `stdio` (see `handOver`).
 *
 * @throws IpcError EMFILE, ENFILE, EPERM (a capacity above /proc/sys/fs/pipe-max-size)
 */
export function create(options: PipeOptions = {}): PipePair {
  checkOptions(options, ['capacity', 'packet', 'nonBlocking']);
  const { capacity, packet = false, nonBlocking = false } = options;
  if (typeof packet !== 'boolean') throw argumentError(`packet must be true or false, got ${String(packet)}`);
  if (typeof nonBlocking !== 'boolean')
    throw argumentError(`nonBlocking must be true or false, got ${String(nonBlocking)}`);
  if (capacity !== undefined) checkInteger('capacity', capacity, 1, 0x7fffffff);
  check(native().pipe2(ends, (packet ? constants.O_DIRECT : 0) | (nonBlocking ? constants.O_NONBLOCK : 0)), 'pipe2');
  const reader = new PipeReader(ends[0] as number, 'the read end of a pipe');
  const writer = new PipeWriter(ends[1] as number, 'the write end of a pipe', undefined, packet);
  const close = (): void => {
    reader.close();
    writer.close();
  };
  try {
    if (capacity !== undefined) changeCapacity(writer.fd, capacity);
  } catch (why) {
    close();
    throw why;
  }
  trace('create', { reader: reader.fd, writer: writer.fd, packet, nonBlocking });
  return { reader, writer, close, [Symbol.dispose]: close };
}

const ACCESS_MODE = 3;

/** The flags of an inherited descriptor, made close-on-exec; throws unless it is a pipe open this way. */
function adopt(fd: number, refused: number, way: string): number {
  checkInteger('fd', fd, 0, 0x7fffffff);
  const subject = { object: `descriptor ${fd}` };
  const { mode } = statusOf(fd, subject);
  if (!isKind(mode, constants.S_IFIFO)) throw argumentError(`descriptor ${fd} is not a pipe`);
  const flags = check(native().fcntl(fd, F_GETFL, 0), 'fcntl(F_GETFL)', subject);
  if ((flags & ACCESS_MODE) === refused) throw argumentError(`descriptor ${fd} is a pipe, but not open for ${way}`);
  check(native().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl(F_SETFD)', subject);
  return flags;
}

/**
 * Takes over a descriptor that this process inherited, or got over a socket, as the read end of a
 * pipe or FIFO. It becomes close-on-exec, with the first call that must not block non-blocking for everybody who shares
 * it, and is closed with the handle.
 *
 * @throws TypeError if it is no pipe, or not open for reading; IpcError EBADF
 */
export function readerFromFd(fd: number): PipeReader {
  adopt(fd, constants.O_WRONLY, 'reading');
  return new PipeReader(fd, `the read end of a pipe (descriptor ${fd})`);
}

/** As `readerFromFd`, for the write end. */
export function writerFromFd(fd: number): PipeWriter {
  const flags = adopt(fd, constants.O_RDONLY, 'writing');
  const packet = (flags & constants.O_DIRECT) !== 0;
  return new PipeWriter(fd, `the write end of a pipe (descriptor ${fd})`, undefined, packet);
}
