/** One look at everything: all edges that are to be seen. It takes a few milliseconds, in which others go on. */
import { fileLockEdges } from './fileLocks.js';
import type { Found } from './found.js';
import { Maps } from './maps.js';
import { Processes } from './processes.js';
import { semaphoreSetEdges } from './semaphoreSets.js';
import { sharedMemoryEdges } from './sharedMemory.js';
import { sleepers } from './sleepers.js';

/** What a look has seen. */
export interface Look {
  readonly processes: Processes;
  readonly found: readonly Found[];
}

/** Looks. */
export function look(): Look {
  const processes = new Processes();
  const asleep = sleepers(processes);
  const found = [
    ...fileLockEdges(processes, asleep),
    ...sharedMemoryEdges(processes, asleep, new Maps(processes)),
    ...semaphoreSetEdges(processes, asleep),
  ];
  return { processes, found };
}

/** Those of the edges that another look has found unchanged: the same wait for the same, without a moment in between in which it was over. */
export function seenAgain(edges: readonly Found[], { found }: Look): Found[] {
  const before = new Map(found.map((one) => [one.key, one]));
  return edges.filter((one) => {
    const other = before.get(one.key);
    return other !== undefined && other.stamp === one.stamp;
  });
}
