/**
 * Files on which this thread has record locks. Whoever closes any descriptor of such a file drops the record locks of the
 * whole process on it (fcntl(2)); so what this family opened, in any thread, is closed only when the last of its record locks there
 * is gone (native/filelock.c).
 */
import { native } from '../sys/index.js';
import { EBUSY } from '../core/errno.js';
import { check, type ErrorSubject, IpcError } from '../core/errors.js';
import { overlap, type Range } from './range.js';

/** By what a file is known, whatever its names. */
export interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** What is locked or waited for, by file. */
const files = new Map<string, Set<Range>>();

const keyOf = ({ dev, ino }: Identity): string => `${dev}:${ino}`;

function busy(subject: ErrorSubject, message: string, hint: string): IpcError {
  return new IpcError({ code: 'EBUSY', syscall: 'fcntl(F_SETLK)', ...subject, message, hint });
}

/**
 * From now on this thread locks, or waits for, a part of the file; the returned function ends that.
 *
 * @throws IpcError EBUSY where this process has that already: the kernel would let it have the lock a second time
 */
export function claimRange(file: Identity, range: Range, subject: ErrorSubject): () => void {
  const key = keyOf(file);
  const known = files.get(key);
  for (const other of known ?? []) {
    if (!overlap(other, range)) continue;
    throw busy(
      subject,
      'this process has these bytes locked, or waits for them',
      'record locks belong to the process and do not exclude its own parts; filelock.ofd does',
    );
  }
  const claimed = native().claimRecordFile(file.dev, file.ino);
  if (claimed === -EBUSY) {
    throw busy(
      subject,
      'another thread of this process has record locks on this file',
      'record locks belong to the process and do not exclude its threads; filelock.ofd does',
    );
  }
  check(claimed, 'fcntl(F_SETLK)', subject);
  const ranges = known ?? new Set<Range>();
  ranges.add(range);
  files.set(key, ranges);
  return () => {
    if (!ranges.delete(range) || ranges.size > 0) return;
    files.delete(key);
    native().giveRecordFile(file.dev, file.ino);
  };
}

/** Closes a descriptor of this family's: now, or when that drops no record lock of this process, whichever of its threads has it. */
export function closeFile(fd: number, { dev, ino }: Identity): void {
  native().closeFile(fd, dev, ino);
}
