/** What the kernel tells of locks: proc_locks(5), and the `lock:` lines of proc_pid_fdinfo(5). */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { statusOf } from '../core/files.js';
import type { Range } from './range.js';

/** The kinds of locks that a file can have. */
export type LockKind = 'flock' | 'record' | 'ofd' | 'lease';

/** A line of the kernel's. */
export interface KernelLock extends Range {
  readonly kind: LockKind;
  /** Whether others may have a lock like this at the same time. */
  readonly shared: boolean;
  /** Whether it is not held, but waited for; of a lease, that somebody waits for it to be broken. */
  readonly waiting: boolean;
  /** Who took it; -1 for a lock of an open file, which has no process. */
  readonly pid: number;
}

/** A line with the file that it is about, `major:minor:inode`. */
export interface PlacedLock extends KernelLock {
  readonly place: string;
}

const NO_PLACE = '<none>:0';
const KINDS: Record<string, LockKind> = { FLOCK: 'flock', POSIX: 'record', OFDLCK: 'ofd', LEASE: 'lease' };

/** `1: -> POSIX  ADVISORY  WRITE 4711 08:01:131073 0 EOF`, with an arrow where it is waited for. */
const LINE = /^\d+: *(-> *)?(\w+) +(\w+) +(\w+) +(-?\d+) +([\da-f]+:[\da-f]+:\d+|<none>:0) +(\d+) +(\d+|EOF)/;

function parse(line: string): PlacedLock | undefined {
  const [, arrow, type, state, mode, pid, place, first, last] = LINE.exec(line.trim()) ?? [];
  const kind = KINDS[type as string];
  if (kind === undefined || place === undefined || first === undefined || last === undefined) return undefined;
  const offset = BigInt(first);
  return {
    kind,
    shared: mode === 'READ',
    waiting: arrow !== undefined || state === 'BREAKER',
    pid: Number(pid),
    place,
    offset,
    length: last === 'EOF' ? 0n : BigInt(last) - offset + 1n,
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended or was closed, or is not ours to see
  }
}

/** How often the list is read, at most, until it is twice the same. */
const MOST_READS = 20;

/**
 * The list of the machine's locks as it was at one moment. The kernel counts entries from one read(2) to the next, so a lock that is taken or
 * given back in between, by whomever, shows another one twice, or not at all.
 */
function wholeList(): string {
  let before = read('/proc/locks');
  for (let reads = 1; reads < MOST_READS; reads++) {
    const now = read('/proc/locks');
    if (now === before) break;
    before = now;
  }
  return before;
}

/**
 * Every lock on a file that the kernel shows, and every wait for one (proc_locks(5)), as lslocks(8). What processes of another pid namespace took is
 * not shown.
 */
export function allLocks(): PlacedLock[] {
  let held: PlacedLock | undefined;
  return wholeList()
    .split('\n')
    .flatMap((line) => {
      const found = parse(line);
      if (found === undefined) return [];
      if (!found.waiting) held = found;
      // Who waits follows the one he waits for, and who waits for a lease has no file of his own yet.
      return found.place === NO_PLACE ? { ...found, place: held?.place ?? NO_PLACE } : found;
    });
}

/** The locks that were taken through the open file behind a descriptor, whoever shares it. */
export function locksThrough(fd: number | string, pid: number | 'self' = 'self'): PlacedLock[] {
  return read(`/proc/${pid}/fdinfo/${fd}`)
    .split('\n')
    .flatMap((line) => (line.startsWith('lock:') ? (parse(line.slice('lock:'.length)) ?? []) : []));
}

/** By the mount that the descriptor is on; `undefined` where the kernel does not say enough. */
function placeByMount(fd: number | string, pid: number | 'self', inodeOf: () => string): string | undefined {
  const info = read(`/proc/${pid}/fdinfo/${fd}`);
  const mount = /^mnt_id:\s*(\d+)/m.exec(info)?.[1];
  if (mount === undefined) return undefined;
  for (const line of read(`/proc/${pid}/mountinfo`).split('\n')) {
    const [id, , device] = line.split(' ');
    if (id === mount && device !== undefined) return placeIn(device, /^ino:\s*(\d+)/m.exec(info)?.[1] ?? inodeOf());
  }
  return undefined;
}

/** As `placeOf`, for a descriptor of another process; `undefined` where that cannot be seen. */
export function placeSeen(fd: number, pid: number): string | undefined {
  try {
    return placeByMount(fd, pid, () => String(statSync(`/proc/${pid}/fd/${fd}`, { bigint: true }).ino));
  } catch {
    return undefined;
  }
}

/**
 * How /proc/locks names the file behind a descriptor. Its device is that of the file system, and on some (overlayfs, btrfs) stat(2)
 * shows another; so it is looked up by the mount that the descriptor is on.
 */
export function placeOf(fd: number): string {
  const inodeOf = (): string => String(statusOf(fd).ino);
  const known = placeByMount(fd, 'self', inodeOf);
  if (known !== undefined) return known;
  const inode = inodeOf();
  const { dev } = statusOf(fd);
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return placeIn(`${major}:${minor}`, inode);
}

function placeIn(device: string, inode: string): string {
  const [major, minor] = device.split(':').map((part) => Number(part).toString(16).padStart(2, '0'));
  return `${major}:${minor}:${inode}`;
}

/** The locks on the file behind a descriptor that belong to this process. Neighbours are one for the kernel, whatever descriptors they came by. */
export function ofProcess(fd: number): PlacedLock[] {
  const place = placeOf(fd);
  return allLocks().filter((lock) => lock.pid === process.pid && lock.place === place);
}

/** The processes that can be looked into from here. */
export function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The descriptors of a process; none of one that is not ours to see. */
export function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fdinfo`);
  } catch {
    return [];
  }
}

/** A process's command line, its name if it has none, `undefined` if it is gone. */
export function commandOf(pid: number): string | undefined {
  const words = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
  const command = words === '' ? read(`/proc/${pid}/comm`).trim() : words;
  return command === '' ? undefined : command;
}
