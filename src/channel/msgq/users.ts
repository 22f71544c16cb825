/**
 * Who uses a System V queue, so that it is removed only when nobody does: as inUse.ts, for queues that are no descriptors.
 *
 * Each end holds a shared lock on the byte of /proc/sysvipc/msg whose number is the key (F_OFD_SETLK): the sender until its
 * end mark is in the queue, the receiver until it has taken the last one. The kernel takes the lock from a process that dies, and
 * nothing lies in the file system. The file can be read by everybody and written by nobody, so exclusion is by flock(2) on the whole of it, which
 * needs no permission to write: shared while an end takes its lock and finds the queue, exclusive while one looks for others and removes
 * it. So a message never goes into a queue that nobody finds.
 *
 * The bit 0100 of the mode, which means nothing to the kernel, says that the queue was made for as long as it is needed:
 * who made it may be gone when the last of those who came later reaches the end.
 */
import { constants } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, native } from '../../sys/index.js';
import { EAGAIN } from '../../core/errno.js';
import { check, IpcError } from '../../core/errors.js';
import { pend, type WaitOptions } from '../../core/wait.js';
import { messageQueue } from '../../sysv/index.js';
import { lookAt } from './form.js';

type Queue = messageQueue.MessageQueue;

const PLACE = '/proc/sysvipc/msg';
/** The mode of a queue that is made for as long as it is needed. */
export const TEMPORARY_MODE = 0o700;
const TEMPORARY_BIT = 0o100;
/** How long a sender whose end mark was read may take to let go; it does so right after sending it. */
const LEAVING_MS = 1000;
/** The kernel tells only a thread that blocks when a lock is free, and whoever has it keeps it for a moment. */
const LOOK_MS = 2;
const SUBJECT = { path: PLACE };

/** What `attempt` gives, now or when it is looked at again. */
async function patiently<T>(attempt: () => T | undefined, options: WaitOptions | undefined): Promise<T> {
  const now = attempt();
  if (now !== undefined) return now;
  return pend<T>(undefined, options, { syscall: 'flock', subject: SUBJECT }, (settle) => {
    const look = setInterval(() => {
      try {
        const found = attempt();
        if (found === undefined) return;
        clearInterval(look);
        settle.resolve(found);
      } catch (why) {
        giveUp(why);
      }
    }, LOOK_MS);
    const giveUp = (why: unknown): void => {
      clearInterval(look);
      settle.reject(why);
    };
    return giveUp;
  });
}

/** One end's use of the queue with a key. */
export class Use {
  readonly #fd: number;
  readonly #key: number;
  #open = true;

  private constructor(key: number) {
    this.#fd = check(native().open(PLACE, constants.O_RDONLY, 0), 'open', SUBJECT);
    this.#key = key;
  }

  /** A queue as `open` gives it, in use until `leave` or `close`, and found by its key for as long. */
  static async of(key: number, open: () => Queue, options: WaitOptions): Promise<{ use: Use; queue: Queue }> {
    const use = new Use(key);
    try {
      const queue = await patiently(() => use.#alone(LOCK_SH, () => use.#begin(open)), options);
      return { use, queue };
    } catch (why) {
      use.close();
      throw why;
    }
  }

  /** What `action` gives under the lock of the whole; `undefined` if others have it. */
  #alone<T>(operation: number, action: () => T): T | undefined {
    const locked = native().flock(this.#fd, operation | LOCK_NB);
    if (locked === -EAGAIN) return undefined;
    check(locked, 'flock', SUBJECT);
    try {
      return action();
    } finally {
      native().flock(this.#fd, LOCK_UN);
    }
  }

  #begin(open: () => Queue): Queue {
    check(native().ofdSetLock(this.#fd, F_RDLCK, this.#key, 1), 'fcntl(F_OFD_SETLK)', SUBJECT);
    return open();
  }

  /** This end needs the queue no longer. */
  leave(): void {
    check(native().ofdSetLock(this.#fd, F_UNLCK, this.#key, 1), 'fcntl(F_OFD_SETLK)', SUBJECT);
  }

  /**
   * Removes a queue that this end has left, unless others use it or messages are in it. A key that means another queue by
   * now keeps it, as does a queue that may not be removed.
   */
  async removeUnused(queue: Queue): Promise<void> {
    const deadline = performance.now() + LEAVING_MS;
    await patiently(
      () => this.#alone(LOCK_EX, () => this.#removeNow(queue)) || performance.now() > deadline || undefined,
      undefined,
    );
  }

  /** Whether there is nothing more to wait for. */
  #removeNow(queue: Queue): boolean {
    const messages = messagesOf(queue, this.#key);
    if (messages !== 0) return true;
    const other = check(native().ofdGetLock(this.#fd, F_WRLCK, this.#key, 1), 'fcntl(F_OFD_GETLK)', SUBJECT);
    if (other !== F_UNLCK) return false;
    native().msgctlRemove(queue.id);
    return true;
  }

  /** Gives the lock back with the descriptor. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    native().close(this.#fd);
  }
}

/** How many messages the queue holds; `undefined` where its key does not mean it any more, or it cannot be known. */
function messagesOf(queue: Queue, key: number): number | undefined {
  try {
    const { id, messages } = messageQueue.open(key, { access: 'receive' }).stat();
    return id === queue.id ? messages : undefined;
  } catch (why) {
    if (why instanceof IpcError) return undefined;
    throw why;
  }
}

/** Whether the queue was made for as long as it is needed. */
export function isTemporary(queue: Queue): boolean {
  return ((lookAt(queue)?.mode ?? 0) & TEMPORARY_BIT) !== 0;
}
