/**
 * Circles of waits. A wait needs every one of those who are in the way to give something up, so a circle of waits never ends by itself: if the one who is
 * waited for is the one who waits next.
 *
 * Whether he is, is a question of threads. A thread that has something and waits itself is stuck. What belongs to a process can be given up by each of
 * its threads, and a thread of JavaScript that waits by a promise goes on; then the circle is told, and not called proven.
 */
import type { Found } from './found.js';
import type { Party } from './report.js';

const isSameProcess = (one: Party, other: Party): boolean => one.pid === other.pid && one.startTime === other.startTime;

/** Whether the one that the first waits for is the one who waits in the second. */
function leadsTo({ edge: { to } }: Found, { edge: { from } }: Found): boolean {
  if (!isSameProcess(to, from)) return false;
  return to.tid === undefined || to.tid === from.tid;
}

/** How many threads a process has. */
export type ThreadsOf = (pid: number) => number;

/** Who else than the thread that sleeps in `next` could give up what `one` waits for. */
export function othersBetween(one: Found, next: Found, threadsOf: ThreadsOf): number[] {
  const { to } = one.edge;
  const isStuck = to.tid === undefined ? threadsOf(to.pid) === 1 : next.sleeper === to.tid;
  return isStuck ? [...one.sharers] : [to.pid, ...one.sharers];
}

/** Two parts of one process that take turns are no circle: one goes on while the other waits. */
function isTurn(one: Found, threadsOf: ThreadsOf): boolean {
  return leadsTo(one, one) && othersBetween(one, one, threadsOf).length > 0;
}

/** The shortest way from what follows `start` back to it, `start` first; `undefined` if there is none. */
function circleThrough(start: Found, followers: ReadonlyMap<Found, readonly Found[]>): Found[] | undefined {
  const cameFrom = new Map<Found, Found>();
  const queue: Found[] = [start];
  for (const one of queue) {
    for (const next of followers.get(one) ?? []) {
      if (next === start) {
        const circle = [one];
        while (circle[0] !== start) circle.unshift(cameFrom.get(circle[0] as Found) as Found);
        return circle;
      }
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, one);
      queue.push(next);
    }
  }
  return undefined;
}

/** Circles of edges, of which none is inferred and none ends by itself. Every edge that is part of a circle is in one that is found. */
export function circlesIn(found: readonly Found[], threadsOf: ThreadsOf): Found[][] {
  const edges = found.filter((one) => one.edge.certainty !== 'inferred' && !one.ends && !isTurn(one, threadsOf));
  const byWaiter = new Map<number, Found[]>();
  for (const one of edges) byWaiter.set(one.edge.from.pid, [...(byWaiter.get(one.edge.from.pid) ?? []), one]);
  const followers = new Map(
    edges.map((one) => [one, (byWaiter.get(one.edge.to.pid) ?? []).filter((next) => leadsTo(one, next))]),
  );
  const covered = new Set<Found>();
  const circles: Found[][] = [];
  for (const one of edges) {
    const circle = covered.has(one) ? undefined : circleThrough(one, followers);
    if (circle === undefined) continue;
    for (const part of circle) covered.add(part);
    circles.push(circle);
  }
  return circles;
}

/** The processes that could end a circle without one of its threads that sleep. */
export function othersOf(circle: readonly Found[], threadsOf: ThreadsOf): number[] {
  const pids = circle.flatMap((one, place) =>
    othersBetween(one, circle[(place + 1) % circle.length] as Found, threadsOf),
  );
  return [...new Set(pids)];
}
