/** Making a pipe: pipe2(2). */
import { constants } from 'node:fs';
import { native } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError, check } from '../core/errors.js';
import { traceOf } from '../core/trace.js';
import { changeCapacity } from './end.js';
import { PipeReader } from './reader.js';
import { PipeWriter } from './writer.js';

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
