/** Who has locks on a file, as the kernel tells it. */
import { inspect } from 'node:util';
import { F_RDLCK, F_UNLCK, F_WRLCK, native, O_PATH } from '../sys/index.js';
import { checkOptions, checkString } from '../core/arguments.js';
import { argumentError, check } from '../core/errors.js';
import { type Lockable, OpenFile, type OpenFileOptions } from './file.js';
import {
  allLocks,
  commandOf,
  descriptorsOf,
  type LockKind,
  locksThrough,
  type PlacedLock,
  placeOf,
  processes,
} from './kernelLocks.js';
import { RANGE_OPTIONS, type RangeOptions, rangeOf } from './range.js';

/** Somebody who has a lock, or waits for one. */
export interface Holder {
  kind: LockKind;
  /** Who took it: the process that has a record lock, or that called flock(2), which may be gone while others share its open file. `undefined` where that cannot be seen from here, and for `ofd`. */
  pid: number | undefined;
  /** The processes that have it now, as far as they can be looked into: of an open file's lock, all that have the file open. */
  pids: number[];
  /** The command line of `pid` if that has it, or else of the first of `pids`. */
  command: string | undefined;
  /** Whether others may have a shared lock there, too. */
  shared: boolean;
  /** Whether it is not held, but waited for; of a lease, that it waits for the lease to be given up. */
  waiting: boolean;
  offset: bigint;
  /** 0 for all up to the end. */
  length: bigint;
}

/** Which lock is asked about. */
export interface HolderOptions extends Pick<OpenFileOptions, 'follow'>, RangeOptions {
  /** Whether only what is in the way of a shared lock counts: exclusive ones. False if omitted. */
  shared?: boolean;
}

const isSame = (one: PlacedLock, other: PlacedLock): boolean =>
  one.kind === other.kind &&
  one.place === other.place &&
  one.shared === other.shared &&
  one.offset === other.offset &&
  one.length === other.length &&
  one.pid === other.pid;

/** The processes through whose descriptors a lock is held. */
function sharing(lock: PlacedLock): number[] {
  return processes().filter((pid) =>
    descriptorsOf(pid).some((fd) => locksThrough(fd, pid).some((other) => isSame(lock, other))),
  );
}

/**
 * The process to name: who took it, unless others are seen to have it and that one is not. Then it is gone, and its number may
 * be somebody else's by now.
 */
export function processOf(pid: number | undefined, pids: readonly number[]): number | undefined {
  return pid !== undefined && (pids.length === 0 || pids.includes(pid)) ? pid : pids[0];
}

function holderFrom(lock: PlacedLock): Holder {
  const pid = lock.pid > 0 ? lock.pid : undefined;
  const isOfOpenFile = !lock.waiting && (lock.kind === 'ofd' || lock.kind === 'flock');
  const pids = isOfOpenFile ? sharing(lock) : pid === undefined ? [] : [pid];
  const known = processOf(pid, pids);
  return {
    kind: lock.kind,
    pid,
    pids,
    command: known === undefined ? undefined : commandOf(known),
    shared: lock.shared,
    waiting: lock.waiting,
    offset: lock.offset,
    length: lock.length,
  };
}

/** Opens it as a place only: to close that drops no record lock of this process. */
function withPlace<T>(file: Lockable, use: (fd: number) => T): T {
  if (typeof file !== 'string') {
    const open = OpenFile.of(file, {}, 'read');
    try {
      return use(open.fd);
    } finally {
      open.close();
    }
  }
  checkString('path', file);
  const fd = check(native().open(file, O_PATH, 0), 'open', { path: file });
  try {
    return use(fd);
  } finally {
    native().close(fd);
  }
}

/**
 * Who has locks of any kind on a file, and who waits for one (proc_locks(5)). It takes and disturbs none. What processes of another
 * pid namespace took is not shown by the kernel, and who shares the lock of an open file only where their descriptors may be looked at:
 * those of this user, or of all for root.
 *
 * @throws IpcError ENOENT, EACCES, ELOOP of open
 * @example
 * for (const { kind, pid, command } of filelock.holders('/var/lib/dpkg/lock')) console.log(kind, pid, command);
 */
export function holders(file: Lockable): Holder[] {
  return withPlace(file, (fd) => {
    const place = placeOf(fd);
    return allLocks()
      .filter((lock) => lock.place === place)
      .map(holderFrom);
  });
}

/** What fcntl(2) says is in the way. */
export function holderOf(command: number, file: Lockable, options: HolderOptions = {}): Holder | undefined {
  const { shared = false, follow, ...range } = options;
  checkOptions(options, ['shared', 'follow', ...RANGE_OPTIONS]);
  if (typeof shared !== 'boolean') throw argumentError(`shared must be true or false, got ${inspect(shared)}`);
  const { offset, length } = rangeOf(range);
  const open = OpenFile.of(file, follow === undefined ? {} : { follow }, 'read');
  try {
    const fields = BigInt64Array.of(BigInt(shared ? F_RDLCK : F_WRLCK), offset, length, 0n);
    check(native().getLock(open.fd, command, fields), 'fcntl(F_GETLK)', open.subject);
    const [type, start, size, owner] = fields as unknown as [bigint, bigint, bigint, bigint];
    if (Number(type) === F_UNLCK) return undefined;
    const place = placeOf(open.fd);
    const kind = owner < 0n ? 'ofd' : 'record';
    return holderFrom({
      kind,
      shared: Number(type) === F_RDLCK,
      waiting: false,
      pid: Number(owner),
      place,
      offset: start,
      length: size,
    });
  } finally {
    open.close();
  }
}
