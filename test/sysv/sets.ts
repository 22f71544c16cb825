/** Semaphore sets that a test has for itself. */
import type { TestContext } from 'node:test';
import { semaphoreSet } from '../../src/sysv/index.js';

type SemaphoreSet = semaphoreSet.SemaphoreSet;

/** Removes a set when the test is over, unless the test did. */
export function removedAfter(t: Pick<TestContext, 'after'>, { id }: Pick<SemaphoreSet, 'id'>): void {
  t.after(() => {
    try {
      semaphoreSet.fromId(id).remove();
    } catch {
      // The test removed it.
    }
  });
}

/** A new set with a key of its own, removed when the test is over. */
export function newSet(t: Pick<TestContext, 'after'>, options: semaphoreSet.CreateOptions = {}): SemaphoreSet {
  const set = semaphoreSet.create('random', options);
  removedAfter(t, set);
  return set;
}

/** A key that no set has; what has it is removed when the test is over. */
export function freeKey(t: Pick<TestContext, 'after'>): number {
  const { key } = newSet({ after: () => {} });
  semaphoreSet.remove(key);
  t.after(() => {
    try {
      semaphoreSet.remove(key);
    } catch {
      // The test removed it, or never made it.
    }
  });
  return key;
}
