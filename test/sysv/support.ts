/** Queues that a test has for itself. */
import type { TestContext } from 'node:test';
import { messageQueue } from '../../src/sysv/index.js';

type Queue = messageQueue.MessageQueue;

/** Removes a queue when the test is over, unless the test did. */
export function removedAfter(t: Pick<TestContext, 'after'>, { id }: Pick<Queue, 'id'>): void {
  t.after(() => {
    try {
      messageQueue.fromId(id).remove();
    } catch {
      // The test removed it.
    }
  });
}

/** A new queue with a key of its own, removed when the test is over. */
export function newQueue(t: Pick<TestContext, 'after'>, options: messageQueue.CreateOptions = {}): Queue {
  const queue = messageQueue.create('random', options);
  removedAfter(t, queue);
  return queue;
}

/** A key that no queue has; what has it is removed when the test is over. */
export function freeKey(t: Pick<TestContext, 'after'>): number {
  const { key } = newQueue({ after: () => {} });
  messageQueue.remove(key);
  t.after(() => {
    try {
      messageQueue.remove(key);
    } catch {
      // The test removed it, or never made it.
    }
  });
  return key;
}

/** A queue into which nothing more fits. */
export function fullQueue(t: Pick<TestContext, 'after'>): Queue {
  const queue = newQueue(t, { maxBytes: 64 });
  while (queue.trySend(1, new Uint8Array(16)));
  return queue;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);
