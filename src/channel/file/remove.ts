/** The end of a log that was made for as long as it is needed. */
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LOCK_EX, native } from '../../sys/index.js';
import { END, END_BYTES, RECORD_HEADER, u32 } from './format.js';
import type { LogFile } from './logfile.js';

/** How long the sender that wrote the END may take to let go. */
const LEAVING_MS = 1000;

function endsAt(file: LogFile, position: number): boolean {
  if (file.size() !== position) return false;
  const mark = Buffer.alloc(RECORD_HEADER);
  const length = file.read(mark, 0, RECORD_HEADER, position - END_BYTES);
  return length === RECORD_HEADER && u32(mark, 0) === END;
}

/**
 * Removes a log whose END was read, unless another sender goes on with it: having its lock shows
 * that none does. A name that means another file by now stays, as does one that may not be removed.
 *
 * @param position behind the END
 */
export async function removeEnded(file: LogFile, position: number): Promise<void> {
  const deadline = performance.now() + LEAVING_MS;
  while (!file.lock(LOCK_EX)) {
    if (!endsAt(file, position) || performance.now() > deadline) return;
    await nextTurn();
  }
  if (file.named() === 'this' && endsAt(file, position)) native().unlink(file.path);
}
