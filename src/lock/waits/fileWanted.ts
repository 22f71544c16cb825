/** For which lock on a file a thread sleeps, by what it gave to flock(2) or fcntl(2). */
import { type LockKind, type PlacedLock, placeSeen } from '../../filelock/index.js';
import { memoryOf } from './memory.js';
import type { Sleeper } from './sleepers.js';

const LOCK_SH = 1;
const LOCK_EX = 2;
const F_SETLKW = 7;
const F_OFD_SETLKW = 38;
const F_RDLCK = 0;
const SEEK_SET = 0;
const FLOCK_BYTES = 24;

/** What a thread sleeps for. */
export interface Wanted {
  readonly sleeper: Sleeper;
  /** The descriptor through which it wants the lock. */
  readonly fd: number;
  readonly kind: LockKind;
  readonly place: string;
  readonly shared: boolean;
  /** `undefined` where only the kernel knows, since it counts from another place than the beginning. */
  readonly range: { readonly offset: bigint; readonly length: bigint } | undefined;
}

function kindAsked({ call, args }: Sleeper): LockKind | undefined {
  if (call === 'flock') return 'flock';
  if (call !== 'fcntl') return undefined;
  const command = Number(args[1]);
  return command === F_OFD_SETLKW ? 'ofd' : command === F_SETLKW ? 'record' : undefined;
}

/** The `struct flock` that fcntl(2) was given. */
function flockOf({ tid, args }: Sleeper): Pick<Wanted, 'shared' | 'range'> | undefined {
  const view = memoryOf(tid, args[2] as bigint, FLOCK_BYTES);
  if (view === undefined) return undefined;
  const start = view.getBigInt64(8, true);
  const size = view.getBigInt64(16, true);
  const range = size < 0n ? { offset: start + size, length: -size } : { offset: start, length: size };
  const isFromStart = view.getInt16(2, true) === SEEK_SET;
  return { shared: view.getInt16(0, true) === F_RDLCK, range: isFromStart ? range : undefined };
}

/** What a thread sleeps for; `undefined` if that is no lock on a file. */
export function wantedBy(sleeper: Sleeper): Wanted | undefined {
  const kind = kindAsked(sleeper);
  if (kind === undefined) return undefined;
  const { tid, args } = sleeper;
  const fd = Number(args[0]);
  const place = placeSeen(fd, tid);
  if (place === undefined) return undefined;
  const common = { sleeper, fd, kind, place };
  if (kind === 'flock') {
    return { ...common, shared: (Number(args[1]) & (LOCK_SH | LOCK_EX)) === LOCK_SH, range: undefined };
  }
  const asked = flockOf(sleeper);
  return asked === undefined ? undefined : { ...common, ...asked };
}

/** Whether a line of the kernel's may be about this. */
export function isAbout(line: PlacedLock, { sleeper, kind, place, shared, range }: Wanted): boolean {
  if (kind !== line.kind || place !== line.place || shared !== line.shared) return false;
  if (line.pid > 0 && line.pid !== sleeper.pid) return false;
  return range === undefined || (range.offset === line.offset && range.length === line.length);
}
