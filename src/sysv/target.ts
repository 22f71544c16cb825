/** The object that an id means, and the errors that the kernel has for it. */
import { EIDRM, EINVAL } from '../core/errno.js';
import { type ErrorSubject, IpcError, systemError } from '../core/errors.js';
import type { Result } from '../sys/index.js';
import { type Found, type Kind, subjectOf } from './kind.js';

/** An object, for what is done with it. */
export class Target {
  readonly kind: Kind;
  readonly id: number;
  readonly subject: ErrorSubject;

  constructor(kind: Kind, found: Pick<Found, 'id' | 'key'>) {
    this.kind = kind;
    this.id = found.id;
    this.subject = subjectOf(found);
  }

  /** Whether the id means nothing any more. */
  isRemoved(): boolean {
    const found = this.kind.keyOf(this.id);
    return found === -EINVAL || found === -EIDRM;
  }

  /**
   * The error for what a call answered. The kernel calls an id without an object EINVAL, and EIDRM only where it was removed
   * during the call: here both are EIDRM.
   */
  error(result: Result, syscall: string): Error {
    return systemError(result === -EINVAL && this.isRemoved() ? -EIDRM : result, syscall, this.subject);
  }

  /** The result of a call, or the error that it stands for. */
  check(result: Result, syscall: string): number {
    if (result < 0) throw this.error(result, syscall);
    return result;
  }

  /** An error with words of ours. */
  worded(code: string, syscall: string, message: string): Error {
    return new IpcError({ code, syscall, ...this.subject, message });
  }
}
