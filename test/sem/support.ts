/** Semaphores that a test has for itself. */
import { rmSync } from 'node:fs';
import type { TestContext } from 'node:test';
import * as mmap from '../../src/mmap/index.js';
import * as sem from '../../src/sem/index.js';
import { randomName } from '../support/folder.js';

type After = Pick<TestContext, 'after'>;

/** A name that no semaphore has, of either kind; what has it is removed when the test is over. */
export function freeName(t: After): string {
  const name = `/${randomName('sem')}`;
  t.after(() => {
    for (const path of [pathOf(name), recoveringPathOf(name)]) rmSync(path, { force: true, recursive: true });
  });
  return name;
}

/** Where libc keeps one with this name. */
export const pathOf = (name: string): string => `/dev/shm/sem.${name.slice(1)}`;
/** Where one with this name is whose permits come back. */
export const recoveringPathOf = (name: string): string => `/dev/shm/interproc-sem.${name.slice(1)}`;

/** A new named one, closed and removed when the test is over. */
export function newNamed(t: After, value = 0): sem.Semaphore & { name: string } {
  const semaphore = sem.create(freeName(t), { value });
  t.after(() => semaphore.close());
  return semaphore as sem.Semaphore & { name: string };
}

/** A new one in memory of its own. */
export function newPlaced(t: After, value = 0): sem.Semaphore {
  const memory = mmap.anonymous(4096);
  t.after(() => memory.close());
  return sem.create(memory, 64, { value });
}

/** A new one whose permits come back. */
export function newRecovering(t: After, value = 1): sem.RecoveringSemaphore {
  const semaphore = sem.create(freeName(t), { recover: true, value });
  t.after(() => semaphore.close());
  return semaphore;
}
