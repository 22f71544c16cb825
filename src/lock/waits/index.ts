/**
 * Who waits for whom, and the deadlocks among them: locks in shared memory, locks on files, System V semaphore sets.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { circlesIn, othersOf } from './cycles.js';
import type { Found } from './found.js';
import { type Look, look, seenAgain } from './look.js';
import type { Processes } from './processes.js';
import type { Cycle, Party, Waits } from './report.js';

export type { Certainty, Cycle, Edge, Mechanism, Party, Waits } from './report.js';

/** How often a circle that was seen is looked for again. One who sleeps for a lock in shared memory looks up four times in a second. */
const MOST_LOOKS = 5;
const PAUSE_MS = 10;

function cycleOf(circle: readonly Found[], processes: Processes): Cycle {
  const others = othersOf(circle, (pid) => processes.get(pid)?.threads ?? 0);
  return {
    edges: circle.map(({ edge }) => edge),
    parties: circle.map(({ edge }) => edge.from),
    proven: others.length === 0,
    others: others.flatMap((pid): Party | [] => processes.party(pid) ?? []),
  };
}

function circlesOf({ found, processes }: Look, among = found): Found[][] {
  return circlesIn(among, (pid) => processes.get(pid)?.threads ?? 0);
}

/**
 * Tells who waits for whom on this machine: among the locks of this library in shared memory and any other robust mutex that processes share
 * (pthread_mutexattr_setrobust(3)), the locks on files (flock(2), fcntl(2), leases), and System V semaphore sets (semop(2)).
 *
 * Nobody is stopped or asked, and nothing is taken: it reads /proc, and the memory of those who wait (process_vm_readv(2)), of which only what one may trace
 * can be read (ptrace(2)); `unreadable` has the processes that it could not look into.
 *
 * It looks while others go on, so an edge may be over by now. A circle is told only if a second look finds each of its edges again, with the same waiter,
 * object and holder, and as far as can be seen without the waiter having run in between: then all of them have stood at one moment. What cannot be
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
  let last = look();
  let confirmed: Found[][] = [];
  for (let looks = 1; looks < MOST_LOOKS && circlesOf(last).length > 0; looks++) {
    if (looks > 1) await pause(PAUSE_MS);
    const next = look();
    confirmed = circlesOf(next, seenAgain(next.found, last));
    last = next;
    if (confirmed.length === circlesOf(next).length) break;
  }
  const { processes, found } = last;
  const deadlocks = confirmed.map((circle) => cycleOf(circle, processes));
  deadlocks.sort((one, other) => Number(other.proven) - Number(one.proven));
  return { edges: found.map(({ edge }) => edge), deadlocks, unreadable: processes.unreadable };
}
