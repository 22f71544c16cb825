/** The faults that the SIGBUS guard has caught in this process: one count for all mappings. */
import { native } from '../sys/index.js';
import { systemError } from '../core/errors.js';

let faults: Int32Array | undefined;

/** The count, which a handler raises behind JavaScript's back. */
export function caughtFaults(): Int32Array {
  if (faults === undefined) {
    const buffer = native().guardFaults();
    if (typeof buffer === 'number') throw systemError(buffer, 'mmap');
    faults = new Int32Array(buffer);
  }
  return faults;
}
