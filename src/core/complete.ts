/** Files that come into the world complete: nobody sees a half-made one, and of several makers one wins. */
import { randomBytes } from 'node:crypto';
import { constants, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { native, O_TMPFILE_BIT } from '../sys/index.js';
import { EINTR, EISDIR, EOPNOTSUPP } from './errno.js';
import { check, type ErrorSubject } from './errors.js';

/** A file to be made. */
export interface CompleteFile {
  path: string;
  /** Bytes. */
  size: number;
  /** Permission bits, exactly these whatever the umask. */
  mode: number;
  subject: ErrorSubject;
  /** What the kernel's errors are said to come from. */
  syscall: string;
  /** Writes into it while nobody else can see it. */
  prepare?: ((fd: number) => void) | undefined;
}

const ZEROS = 1 << 20;

/**
 * Space that is really there (fallocate(2)), so that a store into the memory cannot fail later. Older kernels break it off
 * at a signal: then again. A file system that cannot do it is filled by hand, which only who is alone with the file may do.
 */
export function reserve(fd: number, offset: number, length: number, subject: ErrorSubject, alone = false): void {
  let reserved: number;
  do {
    reserved = native().fallocate(fd, offset, length);
  } while (reserved === -EINTR);
  if (reserved === -EOPNOTSUPP && alone) fill(fd, offset, length);
  else check(reserved, 'fallocate', subject);
}

function fill(fd: number, offset: number, length: number): void {
  const zeros = Buffer.alloc(Math.min(ZEROS, length));
  for (let done = 0; done < length; ) {
    done += writeSync(fd, zeros, 0, Math.min(zeros.length, length - done), offset + done);
  }
}

/** A file without a name in this folder; `undefined` where its file system has none such. */
function openUnnamed(folder: string, { syscall, subject }: CompleteFile): number | undefined {
  if (process.env['INTERPROC_TMPFILE'] === 'no') return undefined;
  const flags = O_TMPFILE_BIT | constants.O_DIRECTORY | constants.O_RDWR;
  const fd = native().open(folder, flags, 0o600);
  if (fd === -EOPNOTSUPP || fd === -EISDIR) return undefined;
  return check(fd, syscall, subject);
}

/**
 * Makes a file and gives it its name when it is complete (open(2) with O_TMPFILE, linkat(2)); the descriptor is
 * open for reading and writing. Where the file system has no unnamed files, or with INTERPROC_TMPFILE=no in the environment, it
 * has a random name beside its own until then, which a crash in between leaves behind.
 *
 * @throws IpcError EEXIST (somebody has that name, were it a symbolic link), ENOSPC
 */
export function makeComplete(file: CompleteFile): number {
  const { path, size, mode, subject, syscall, prepare } = file;
  const folder = dirname(path);
  const unnamed = openUnnamed(folder, file);
  const temporary = join(folder, `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  const named = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW;
  const fd = unnamed ?? check(native().open(temporary, named, 0o600), syscall, subject);
  try {
    reserve(fd, 0, size, subject, true);
    check(native().fchmod(fd, mode), 'fchmod', subject);
    prepare?.(fd);
    check(native().linkDescriptor(fd, path), syscall, subject);
  } catch (error) {
    native().close(fd);
    throw error;
  } finally {
    if (unnamed === undefined) native().unlink(temporary);
  }
  return fd;
}
