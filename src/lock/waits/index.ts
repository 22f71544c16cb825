/**
 * Who waits for whom, and the deadlocks among them: locks in shared memory, locks on files, System V semaphore sets.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { circlesIn, othersOf } from './cycles.js';
import type { Found } from './found.js';
import { look, standsIn } from './look.js';
import type { Processes } from './processes.js';
import type { Cycle, Party, Waits } from './report.js';

export type { Certainty, Cycle, Edge, Mechanism, Party, Waits } from './report.js';

/** How often a circle that was seen is looked at again. Who sleeps for a lock in shared memory looks up some times in a second. */
const MOST_LOOKS = 12;
const PAUSE_MS = 5;

function cycleOf(circle: readonly Found[], processes: Processes): Cycle {
  const others = othersOf(circle, (pid) => processes.get(pid)?.threads ?? 0);
  return {
    edges: circle.map(({ edge }) => edge),
    parties: circle.map(({ edge }) => edge.from),
    proven: others.length === 0,
    others: others.flatMap((pid): Party | [] => processes.party(pid) ?? []),
  };
}

/** Those of the circles that stand. Only who is in one is looked at, which takes less time than anybody sleeps. */
async function standing(circles: readonly Found[][]): Promise<Found[][]> {
  const confirmed: Found[][] = [];
  let left = [...circles];
  for (let looks = 0; left.length > 0 && looks < MOST_LOOKS; looks++) {
    if (looks > 0) await pause(PAUSE_MS);
    const pids = [...new Set(left.flatMap((circle) => circle.flatMap(({ edge }) => [edge.from.pid, edge.to.pid])))];
    const [one, other] = [look(pids), look(pids)];
    confirmed.push(...left.filter((circle) => standsIn(circle, one, other)));
    left = left.filter((circle) => !confirmed.includes(circle));
  }
  return confirmed;
}

/**
 * Tells who waits for whom on this machine: among the locks of this library in shared memory and any other robust mutex that processes share
 * (pthread_mutexattr_setrobust(3)), the locks on files (flock(2), fcntl(2), leases), and System V semaphore sets (semop(2)).
 *
 * Nobody is stopped or asked, and nothing is taken: it reads /proc, and the memory of those who wait (process_vm_readv(2)), of which only what one may trace
 * can be read (ptrace(2)); `unreadable` has the processes that it could not look into.
 *
 * It looks while others go on, blocking this thread for some milliseconds, so an edge may be over by now. A circle is told only if further looks find each
 * of its edges again, with the same waiter, object and holder, and, as far as can be seen, without the waiter having run in between: then all of them
 * have stood at one moment. What cannot be
 * known is whether a wait has a time-out, or will be ended by a signal or an abort. `proven` says whether anybody but the threads that sleep in the circle
 * could end it. Two parts of one process that take turns are no circle.
 *
 * Who waits for a lock that several share, or whose open file several have, waits for each of them, since each of them has to go. Not seen are waits of pid
 * namespaces that are not ours, or that no thread sleeps for (`sysv.configureWaiting`).
 *
 * @example
 * const { deadlocks } = await lock.waits();
 * for (const { proven, edges } of deadlocks) {
 *   for (const { from, to, object } of edges) console.log(proven, `${from.pid} ${from.command} waits for ${to.pid}: ${object}`);
 * }
 */
export async function waits(): Promise<Waits> {
  const { found, processes } = look();
  const circles = circlesIn(found, (pid) => processes.get(pid)?.threads ?? 0);
  const deadlocks = (await standing(circles)).map((circle) => cycleOf(circle, processes));
  deadlocks.sort((one, other) => Number(other.proven) - Number(one.proven));
  return { edges: found.map(({ edge }) => edge), deadlocks, unreadable: processes.unreadable };
}
