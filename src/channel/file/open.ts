/** Opening a log to append to it: alone, and behind its last whole message. */
import { constants } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { check } from '../../core/errors.js';
import { LOCK_EX, LOCK_SH, LOCK_UN, native } from '../../sys/index.js';
import { END, END_BYTES, newSalt, START_BYTES, startRecord, TEMPORARY, u32 } from './format.js';
import { busy } from './holder.js';
import { LogFile } from './logfile.js';
import { scan } from './scan.js';

/** A sender that has written its END, or a receiver that removes the log, has the lock this long at most. */
const LEAVING_MS = 1000;

/** How a log is opened for appending. */
export interface AppendOptions {
  readonly raw: boolean;
  readonly temporary: boolean;
}

/** A log that is open for appending, its lock held. */
export interface Appended {
  readonly file: LogFile;
  /** Whether the END will say that the file is to be removed. */
  readonly temporary: boolean;
  /** Whether this call made the file. */
  readonly created: boolean;
  salt: number;
  /** Bytes in the file. */
  size: number;
}

/** Runs a generator to its end on this thread. */
export function runNow<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Opens the log that the path names, or makes it. Yields while it waits for somebody who is about
 * to leave, and between the pieces of a long log.
 *
 * @throws IpcError EBUSY (it has a sender), EBADMSG (not a log, or damaged), ELOOP, ENOENT (no such folder)
 */
export function* openForAppending(path: string, options: AppendOptions): Generator<void, Appended, void> {
  const access = constants.O_RDWR | constants.O_APPEND;
  let deadline: number | undefined;
  for (;;) {
    const found = LogFile.open(path, access);
    const file = found ?? LogFile.create(path, access);
    if (file === undefined) continue;
    let kept = false;
    try {
      if (!file.lock(LOCK_EX)) {
        deadline ??= performance.now() + LEAVING_MS;
        if (!isLeaving(file) || performance.now() > deadline) throw busy(file);
        yield;
        continue;
      }
      // Between open and lock somebody may have renamed or removed it: then nobody would find what we write.
      if (file.named() !== 'this') continue;
      const log: Appended = { file, created: found === undefined, temporary: options.temporary, salt: 0, size: 0 };
      const temporary = options.raw ? false : yield* begin(log);
      kept = true;
      return { ...log, temporary };
    } finally {
      if (!kept) {
        if (found === undefined && file.named() === 'this' && file.size() === 0) native().unlink(path);
        file.close();
      }
    }
  }
}

/** Whether whoever holds the lock will give it back at once. */
function isLeaving(file: LogFile): boolean {
  if (file.named() !== 'this') return true;
  if (file.lock(LOCK_SH)) {
    file.lock(LOCK_UN);
    return true;
  }
  const size = file.size();
  const last = Buffer.alloc(END_BYTES);
  return size >= END_BYTES && file.read(last, 0, END_BYTES, size - END_BYTES) === END_BYTES && u32(last, 0) === END;
}

/**
 * Cuts off what follows the last whole message and writes a START with a new salt. Answers whether
 * the END is to say that the file shall be removed: because this sender made it for as long as it is
 * needed, or goes on with one that another made so.
 *
 * @param log its `salt` and `size` are set
 */
export function* begin(log: Appended): Generator<void, boolean, void> {
  const { file } = log;
  const found = yield* scan(file, log.salt);
  if (file.size() !== found.end) check(native().ftruncate(file.fd, found.end), 'ftruncate', { path: file.path });
  const temporary = log.temporary && (log.created || found.temporary);
  const salt = newSalt(found.salt);
  file.append(startRecord(salt, temporary ? TEMPORARY : 0), START_BYTES, undefined, () => 0);
  log.salt = salt;
  log.size = found.end + START_BYTES;
  return temporary;
}
