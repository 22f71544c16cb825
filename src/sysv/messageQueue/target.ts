/** The queue that an id means, and the errors that the kernel has for it. */
import { EIDRM, EINVAL } from '../../core/errno.js';
import { type ErrorSubject, IpcError, systemError } from '../../core/errors.js';
import { maxBytesOf } from './status.js';

/** A queue, for what is done with it. */
export class Target {
  readonly id: number;
  readonly subject: ErrorSubject;

  constructor(id: number, subject: ErrorSubject) {
    this.id = id;
    this.subject = subject;
  }

  /** Whether the id means no queue any more. */
  isRemoved(): boolean {
    const found = maxBytesOf(this.id);
    return found === -EINVAL || found === -EIDRM;
  }

  /**
   * The error for what a call answered. The kernel calls an id without a queue EINVAL, and EIDRM only where it was removed
   * during the call: here both are EIDRM.
   */
  error(result: number, syscall: string): Error {
    return systemError(result === -EINVAL && this.isRemoved() ? -EIDRM : result, syscall, this.subject);
  }

  /** An error with words of ours. */
  worded(code: string, syscall: string, message: string): Error {
    return new IpcError({ code, syscall, ...this.subject, message });
  }
}
