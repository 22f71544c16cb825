/**
 * FIFOs, also called named pipes: fifo(7). A pipe with a name in the file system, so that processes
 * that are not related meet there; the file itself never holds a byte. And mknod(2), which makes other
 * kinds of names, too.
 *
 * @example
 * fifo.create('/tmp/jobs');
 * const [reader, writer] = await Promise.all([fifo.openReader('/tmp/jobs'), fifo.openWriter('/tmp/jobs')]);
 */
export { PipeReader, PipeWriter } from '../pipe/index.js';
export type { Owner } from '../core/owner.js';
export { create, type CreateOptions, type Device, mknod, type MknodOptions, type NodeType, unlink } from './node.js';
export {
  openReader,
  openReaderSync,
  openReadWrite,
  type OpenOptions,
  openWriter,
  openWriterSync,
  type ReaderOptions,
  tryOpenReader,
  tryOpenWriter,
} from './open.js';
export { FifoReadWriter } from './readWriter.js';
