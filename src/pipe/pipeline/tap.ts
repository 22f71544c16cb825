/** A tap: a pipe of its own on each side, and a thread between them that counts, and copies if asked (native/tap.c). */
import { type NativeTapCount, native } from '../../sys/index.js';
import { callBlocking } from '../../core/blocking.js';
import { ECANCELED, errnoName } from '../../core/errno.js';
import { check, type IpcError, systemError } from '../../core/errors.js';
import { Referenced } from '../../core/referenced.js';

/** Who waits for the thread without keeping the process alive. */
class Quiet extends Referenced {}

/** The thread of one edge. */
export class Tap {
  readonly #count: NativeTapCount;
  /** Resolves when everything has passed, with the kernel's error if it broke off. */
  readonly ended: Promise<IpcError | undefined>;

  /** Begins to move what can be read from `from` to `to`, which may be closed here then; `copy` is -1 without. */
  constructor(from: number, to: number, copy: number) {
    const count = native().tapCount();
    if (typeof count === 'number') throw systemError(count, 'tap');
    this.#count = count;
    let failed = 0;
    const start = (token: number): number => (failed = native().blockingTap(token, count, from, to, copy));
    const moved = callBlocking(start, undefined, { syscall: 'splice' }, new Quiet().unref());
    this.ended = moved.then((result) =>
      result === 0 || result === -ECANCELED ? undefined : systemError(result, 'splice'),
    );
    this.ended.catch(() => {}); // `check` throws the same
    check(failed, 'splice');
  }

  /** Bytes that have passed so far. */
  get bytes(): number {
    return native().tapBytes(this.#count);
  }

  /** Why the copy ended before the flow; `undefined` if it has not. EPIPE: nobody reads it any more. */
  get copyError(): string | undefined {
    const errno = native().tapCopyError(this.#count);
    return errno === 0 ? undefined : errnoName(errno);
  }
}
