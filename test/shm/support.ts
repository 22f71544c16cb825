/** Shared memory objects that a test has for itself. */
import type { TestContext } from 'node:test';
import * as shm from '../../src/shm/index.js';
import { randomName } from '../support/folder.js';

/** A name that nobody else uses; what has it is removed when the test is over. */
export function memoryName(t: Pick<TestContext, 'after'>): string {
  const name = `/${randomName('ip')}`;
  t.after(() => {
    try {
      shm.unlink(name);
    } catch {
      // The test removed it, or never made it.
    }
  });
  return name;
}

/** A new object, closed and removed when the test is over. */
export function newMemory(
  t: Pick<TestContext, 'after'>,
  size = 4096,
  mode = 0o600,
): shm.SharedMemory & { name: string } {
  const memory = shm.create(memoryName(t), { size, mode }) as shm.SharedMemory & { name: string };
  t.after(() => memory.close());
  return memory;
}

export const text = (data: Uint8Array): string => new TextDecoder().decode(data);
