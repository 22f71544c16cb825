/** One look: all edges that are to be seen. It takes some milliseconds, in which others go on. */
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

/** Looks at everybody, or at these processes only: what they wait for, and which of them has it. */
export function look(only?: readonly number[]): Look {
  const processes = new Processes(only);
  const asleep = sleepers(processes);
  const found = [
    ...fileLockEdges(processes, asleep),
    ...sharedMemoryEdges(processes, asleep, new Maps(processes)),
    ...semaphoreSetEdges(processes, asleep),
  ];
  return { processes, found };
}

/** Whether two looks have found all of these waits, and nobody has run in between who waits in one of them. Then all have stood at one moment. */
export function standsIn(circle: readonly Found[], one: Look, other: Look): boolean {
  const before = new Map(one.found.map(({ key, stamp }) => [key, stamp]));
  const after = new Map(other.found.map(({ key, stamp }) => [key, stamp]));
  return circle.every(({ key }) => before.has(key) && after.has(key) && before.get(key) === after.get(key));
}
