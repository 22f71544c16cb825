/** Ends of pipes that this process has by number: inherited, or got over a socket. */
import { constants } from 'node:fs';
import { F_GETFL, F_SETFD, FD_CLOEXEC, native } from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { argumentError, check } from '../core/errors.js';
import { isKind, statusOf } from '../core/files.js';
import { PipeReader } from './reader.js';
import { PipeWriter } from './writer.js';

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
