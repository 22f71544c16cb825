/**
 * Who uses a message queue, so that its name is removed only when nobody does.
 *
 * Each end holds a shared flock(2) on the queue: the sender until its end mark is in it, the receiver
 * until it has taken the last one. The kernel takes the lock from a process that dies. The name is
 * removed under the exclusive lock, from an empty queue. An end that got its lock when the name
 * was gone already lets go and opens anew. So a message never goes into a queue that nobody finds.
 *
 * The sticky bit, which means nothing to the kernel, says that the queue was made for as long as it
 * is needed: who made it may be gone when the last of those who came later reaches the end.
 */
import { performance } from 'node:perf_hooks';
import { LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, native } from '../sys/index.js';
import { EAGAIN } from '../core/errno.js';
import { check } from '../core/errors.js';
import { statusOf } from '../core/files.js';
import { pend, type WaitOptions } from '../core/wait.js';
import type { MessageQueue } from '../mq/index.js';

/** The mode of a queue that is made for as long as it is needed. */
export const TEMPORARY_MODE = 0o1600;
const STICKY = 0o1000;

/** How long a sender whose end mark was read may take to let go; it does so right after sending it. */
const LEAVING_MS = 1000;
/** The kernel tells only a thread that blocks when a lock is free, and whoever has it keeps it for a moment. */
const LOOK_MS = 2;

/** flock(2), at once or not at all. */
function lock(queue: MessageQueue, operation: number): boolean {
  const locked = native().flock(queue.fd, operation | LOCK_NB);
  if (locked === -EAGAIN) return false;
  check(locked, 'flock', { object: queue.name });
  return true;
}

/** A queue has one name or none: it cannot be renamed, and unlinking it takes its only link. */
function isNamed(queue: MessageQueue): boolean {
  return statusOf(queue.fd, { object: queue.name }).links > 0;
}

/** Whether the queue was made for as long as it is needed. */
export function isTemporary(queue: MessageQueue): boolean {
  return (statusOf(queue.fd, { object: queue.name }).mode & STICKY) !== 0;
}

/** What `attempt` gives, now or when it is looked at again. */
async function patiently<T>(
  attempt: () => T | undefined,
  options: WaitOptions | undefined,
  object: string,
): Promise<T> {
  const now = attempt();
  if (now !== undefined) return now;
  return pend<T>(undefined, options, { syscall: 'flock', subject: { object } }, (settle) => {
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

/** Opens what the name means, or makes it; `undefined` while somebody is about to remove it. */
function tryToUse(open: () => MessageQueue): MessageQueue | undefined {
  for (;;) {
    const queue = open();
    let kept = false;
    try {
      if (!lock(queue, LOCK_SH)) return undefined;
      kept = isNamed(queue);
      if (kept) return queue;
    } finally {
      if (!kept) queue.close();
    }
  }
}

/** A queue as `open` gives it, in use until `leave` or until it is closed, and found by its name for as long. */
export function use(open: () => MessageQueue, name: string, options: WaitOptions): Promise<MessageQueue> {
  return patiently(() => tryToUse(open), options, name);
}

/** This end needs the queue no longer, though it is open. */
export function leave(queue: MessageQueue): void {
  check(native().flock(queue.fd, LOCK_UN), 'flock', { object: queue.name });
}

/**
 * Removes the name of a queue that this end has left, unless others use it or messages are in it. A
 * name that means another queue by now stays, as does one that may not be removed.
 */
export async function removeUnused(queue: MessageQueue): Promise<void> {
  const deadline = performance.now() + LEAVING_MS;
  const attempt = (): true | undefined => {
    if (!lock(queue, LOCK_EX)) {
      const used = queue.attributes.messages > 0 || performance.now() > deadline;
      return used || undefined;
    }
    if (isNamed(queue) && queue.attributes.messages === 0) native().mqUnlink(queue.name);
    leave(queue);
    return true;
  };
  await patiently(attempt, undefined, queue.name);
}
