/**
 * Who has a lock on a file. The kernel's list names no process for a lock of an open file (F_OFD_SETLK), and for one of flock(2) that which took it,
 * which may be gone while others share its open file. So both are looked up by the descriptors of all processes.
 */
import { readlinkSync } from 'node:fs';
import { locksThrough, type PlacedLock } from '../../filelock/index.js';
import type { Wanted } from './fileWanted.js';
import { listProc, type Processes } from './processes.js';

/** A descriptor of a process. */
export interface Through {
  readonly pid: number;
  /** A thread of it that lives. */
  readonly tid: number;
  readonly fd: number;
}

/** Locks that look alike: the kernel shows the locks of two open files by the same words. */
export interface Alike {
  readonly lock: PlacedLock;
  /** How many there are. */
  readonly count: number;
  /** All descriptors through which one of them is held. */
  readonly through: readonly Through[];
}

/** Who is in the way by such locks. */
export interface Having {
  readonly pids: readonly number[];
  /** Whether they have it together, so that each of them could give it up. */
  readonly together: boolean;
  /** Whether it is theirs for sure. */
  readonly certain: boolean;
}

const NOBODY: Having = { pids: [], together: false, certain: false };

const wordsOf = ({ kind, place, shared, pid, offset, length }: PlacedLock): string =>
  [kind, place, shared, pid, offset, length].join(' ');

/** Through which descriptors the locks on these files are held, by their words. */
function descriptorsOf(processes: Processes, places: ReadonlySet<string>): Map<string, Through[]> {
  const found = new Map<string, Through[]>();
  for (const { pid, through: tid } of processes.all()) {
    const names = listProc(`/proc/${tid}/fdinfo`, processes.refusedBy(pid));
    for (const fd of names ?? []) {
      for (const lock of locksThrough(fd, tid)) {
        if (!places.has(lock.place)) continue;
        const words = wordsOf(lock);
        found.set(words, [...(found.get(words) ?? []), { pid, tid, fd: Number(fd) }]);
      }
    }
  }
  return found;
}

/** The locks on these files, by their words. */
export function heldOn(
  processes: Processes,
  all: readonly PlacedLock[],
  places: ReadonlySet<string>,
): Map<string, Alike> {
  const descriptors = descriptorsOf(processes, places);
  const found = new Map<string, Alike>();
  for (const lock of all) {
    if (lock.waiting || !places.has(lock.place)) continue;
    const words = wordsOf(lock);
    found.set(words, {
      lock,
      count: (found.get(words)?.count ?? 0) + 1,
      through: descriptors.get(words) ?? [],
    });
  }
  return found;
}

const isOwn = ({ pid, fd }: Through, wanted: Wanted | undefined): boolean =>
  pid === wanted?.sleeper.pid && fd === wanted.fd;

/** Who has them, without the open file of who waits: its own lock would be converted. */
export function having({ lock, count, through }: Alike, wanted: Wanted | undefined): Having {
  if (lock.kind === 'record') return { pids: [lock.pid], together: false, certain: true };
  if (through.length === 0) {
    // Its taker cannot be looked into, and may have handed it on; one that can be has it no more.
    const hidden = lock.pid > 0 && listProc(`/proc/${lock.pid}/fdinfo`) === undefined;
    return hidden ? { pids: [lock.pid], together: true, certain: false } : NOBODY;
  }
  if (count === 1 && through.some((one) => isOwn(one, wanted))) return NOBODY;
  // As many descriptors as locks: each is an open file of its own.
  const apart = through.length === count;
  const others = apart ? through.filter((one) => !isOwn(one, wanted)) : through;
  const pids = [...new Set(others.map(({ pid }) => pid))];
  return { pids, together: !apart && pids.length > 1, certain: apart || count === 1 };
}

/** What a file is called, by one of these descriptors. */
export function nameOf(place: string, descriptors: readonly Through[]): string {
  for (const { tid, fd } of descriptors) {
    try {
      return readlinkSync(`/proc/${tid}/fd/${fd}`);
    } catch {
      // It was closed, or is not ours to see.
    }
  }
  return `inode ${place}`;
}
