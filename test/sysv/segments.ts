/** Segments that a test has for itself. */
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { sharedMemory } from '../../src/sysv/index.js';

type Segment = sharedMemory.Segment;

/** Removes a segment when the test is over, unless the test did. */
export function removedAfter(t: Pick<TestContext, 'after'>, { id }: Pick<Segment, 'id'>): void {
  t.after(() => {
    try {
      sharedMemory.fromId(id).remove();
    } catch {
      // The test removed it.
    }
  });
}

/** A new segment with a key of its own, removed when the test is over. */
export function newSegment(
  t: Pick<TestContext, 'after'>,
  options: Partial<sharedMemory.CreateOptions> = {},
): sharedMemory.Segment {
  const segment = sharedMemory.create('random', { size: 4096, ...options });
  removedAfter(t, segment);
  return segment;
}

/** A key that no segment has; what has it is removed when the test is over. */
export function freeKey(t: Pick<TestContext, 'after'>): number {
  const { key } = newSegment({ after: () => {} });
  sharedMemory.remove(key);
  t.after(() => {
    try {
      sharedMemory.remove(key);
    } catch {
      // The test removed it, or never made it.
    }
  });
  return key;
}

/** How often a process has the segment attached, as /proc/PID/maps shows it: the inode is the id. */
export function timesAttached({ id }: Pick<Segment, 'id'>, pid: number | 'self' = 'self'): number {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  return lines.filter((line) => {
    const [, , , , inode, path] = line.split(/\s+/);
    return path?.startsWith('/SYSV') && Number(inode) === id;
  }).length;
}

/** Whether the system has huge pages that are free. */
export function hasHugePages(): boolean {
  return Number(/^HugePages_Free:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) > 0;
}
