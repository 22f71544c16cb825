/** Who waits for whom because of locks on files: what the kernel lists (proc_locks(5)), with the processes and threads behind it. */
import { locks, type PlacedLock } from '../../filelock/index.js';
import { type Alike, having, heldOn, nameOf } from './fileHolders.js';
import { isAbout, type Wanted, wantedBy } from './fileWanted.js';
import type { Found } from './found.js';
import { type Processes, readProc } from './processes.js';
import type { Party } from './report.js';
import type { Sleeper } from './sleepers.js';

const END = 2n ** 63n;
const endOf = ({ offset, length }: PlacedLock): bigint => (length === 0n ? END : offset + length);
const isOfRange = ({ kind }: PlacedLock): boolean => kind === 'record' || kind === 'ofd';

/** Whether a lock cannot be had while the other is held. */
export function conflict(wanted: PlacedLock, held: PlacedLock): boolean {
  if (wanted.place !== held.place) return false;
  // A lease is listed as what it is to become. One that can be kept has nobody waiting.
  if (wanted.kind === 'lease') return held.kind === 'lease';
  if (wanted.shared && held.shared) return false;
  if (wanted.kind === 'flock') return held.kind === 'flock';
  if (!isOfRange(held)) return false;
  // Records belong to the process.
  if (wanted.kind === 'record' && held.kind === 'record' && wanted.pid === held.pid) return false;
  return wanted.offset < endOf(held) && held.offset < endOf(wanted);
}

function rangeText({ offset, length }: PlacedLock): string {
  if (offset === 0n && length === 0n) return '';
  return length === 0n ? `, bytes from ${offset}` : `, bytes ${offset} to ${offset + length - 1n}`;
}

/** The kernel takes a lease away after a while, unless it is told not to. */
const leasesEnd = (): boolean => readProc('/proc/sys/fs/lease-break-time')?.trim() !== '0';

/** A wait that the kernel lists. */
interface Waiting {
  readonly line: PlacedLock;
  readonly from: Party;
  readonly wanted: Wanted | undefined;
}

/** Finds for each line the thread that sleeps for it. Threads that ask for the same are alike, so each is given to one line. */
function waitsOf(lines: readonly PlacedLock[], asleep: readonly Sleeper[], processes: Processes): Waiting[] {
  const all = new Set(asleep.flatMap((one) => wantedBy(one) ?? []));
  return lines.flatMap((line) => {
    const wanted = [...all].find((one) => isAbout(line, one));
    if (wanted !== undefined) all.delete(wanted);
    const pid = wanted?.sleeper.pid ?? line.pid;
    const from = pid > 0 ? processes.party(pid, wanted?.sleeper.behalf) : undefined;
    return from === undefined ? [] : [{ line, from, wanted }];
  });
}

/** The edges of a wait to those who are in the way by locks that look alike. */
function edgesTo({ line, from, wanted }: Waiting, alike: Alike, processes: Processes): Found[] {
  const { lock, through } = alike;
  const { pids, together, certain } = having(alike, wanted);
  const descriptors = wanted === undefined ? through : [...through, { ...wanted.sleeper, fd: wanted.fd }];
  return pids.flatMap((pid) => {
    const to = processes.party(pid);
    if (to === undefined) return [];
    const waiter = [from.pid, from.startTime, wanted?.sleeper.tid];
    const object = [line.kind, line.shared, line.offset, line.length, lock.kind, lock.place, lock.offset, lock.length];
    return {
      edge: {
        from,
        to,
        mechanism: line.kind,
        object: `${nameOf(lock.place, descriptors)}${rangeText(lock)}`,
        mode: line.shared ? 'shared' : 'exclusive',
        certainty: certain ? 'kernel' : 'inferred',
      },
      key: [...waiter, ...object, pid, to.startTime].join(' '),
      stamp: wanted?.sleeper.switches,
      sleeper: wanted?.sleeper.tid,
      sharers: together ? pids.filter((other) => other !== pid) : [],
      ends: lock.kind === 'lease' && leasesEnd(),
    };
  });
}

/** All of them. Who waits for a lock that several share waits for each of them. */
export function fileLockEdges(processes: Processes, asleep: readonly Sleeper[]): Found[] {
  const all = locks();
  const lines = all.filter(({ waiting }) => waiting);
  if (lines.length === 0) return [];
  const held = [...heldOn(processes, all, new Set(lines.map(({ place }) => place))).values()];
  return waitsOf(lines, asleep, processes).flatMap((wait) =>
    held.filter(({ lock }) => conflict(wait.line, lock)).flatMap((alike) => edgesTo(wait, alike, processes)),
  );
}
