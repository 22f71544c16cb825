/** Queues that a test has for itself. */
import type { TestContext } from 'node:test';
import * as mq from '../../src/mq/index.js';
import { randomName } from '../support/folder.js';

/** A name that nobody else uses; what has it is removed when the test is over. */
export function queueName(t: Pick<TestContext, 'after'>): string {
  const name = `/${randomName('ip')}`;
  t.after(() => {
    try {
      mq.unlink(name);
    } catch {
      // The test removed it, or never made it.
    }
  });
  return name;
}

/** A new queue, closed and removed when the test is over. */
export function newQueue(t: Pick<TestContext, 'after'>, options: mq.CreateOptions = {}): mq.MessageQueue {
  const queue = mq.create(queueName(t), { maxMessages: 4, messageSize: 64, ...options });
  t.after(() => queue.close());
  return queue;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);
