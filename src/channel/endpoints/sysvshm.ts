/**
 * `sysvshm:0x1234`, `sysvshm:/path?id=1`: a ring in a System V segment, for two processes that share nothing but its key, or a path of which
 * ftok(3) makes one. A segment is no file on which a lock could be held, so a set of three semaphores with the same key says who is alive: the
 * kernel undoes what a dead process has done to them (SEM_UNDO).
 *
 * A segment is born with its key, zero-filled. It is made and gets its ring under the lock of the name: if its maker dies in between, the next
 * one finds zeros and goes on. Who leaves last removes both.
 */
import { IPC_CREAT, IPC_EXCL, native } from '../../sys/index.js';
import { EEXIST, EIDRM, EINVAL, ENOENT } from '../../core/errno.js';
import { check, type ErrorSubject, IpcError } from '../../core/errors.js';
import { openOrMake } from '../../core/named.js';
import type { Mapping } from '../../mmap/index.js';
import { sharedMemory } from '../../sysv/index.js';
import { LOCKS, RECEIVER, SemaphoreLocks, SENDER } from '../ring/locks.js';
import { capacityOf, formatRing, isBlank, ringBytes } from '../ring/memory.js';
import { checkOwner, type Found, namedEndpoint } from '../ring/named.js';
import { systemVKey } from '../systemVKey.js';
import type { EndpointUrl } from '../url.js';

const MODE = 0o600;

/** Who has made an object may use it as its owner may, whoever that is now. */
function checkOwners(uids: readonly number[], url: EndpointUrl): void {
  for (const uid of uids) checkOwner(uid, url);
}

/** Of `semctlStat`. */
const fields = new BigInt64Array(9);
const field = (index: number): number => Number(fields[index]);

/** The set with this key, found or made. */
function openLocks(key: number, url: EndpointUrl, subject: ErrorSubject): { id: number; made: boolean } {
  for (;;) {
    const found = native().semget(key, 0, MODE);
    const made = found === -ENOENT;
    const id = made ? native().semget(key, LOCKS, IPC_CREAT | IPC_EXCL | MODE) : found;
    if (id === -EEXIST) continue;
    const status = native().semctlStat(check(id, 'semget', subject), fields);
    // Its last user has removed it meanwhile.
    if (status === -EINVAL || status === -EIDRM) continue;
    check(status, 'semctl(IPC_STAT)', subject);
    checkOwners([field(0), field(2)], url);
    const count = field(6);
    if (count === LOCKS) return { id, made };
    const relation = count < LOCKS ? 'fewer' : 'more';
    const message = `the key has a semaphore set of ${relation} than ${LOCKS} semaphores, which is none of a ring`;
    throw new IpcError({ code: 'EINVAL', syscall: 'semget', ...subject, message });
  }
}

function find(url: EndpointUrl, capacity: number): Found {
  const key = systemVKey(url, 'segment');
  const subject = { key: url.rest };
  const { id: locks, made } = openLocks(key, url, subject);
  const ends = new SemaphoreLocks(locks);
  let segment: sharedMemory.Segment | undefined;

  const isNamed = (): boolean =>
    native().semget(key, 0, 0) === locks && (segment === undefined || native().shmget(key, 0, 0) === segment.id);

  const memory = (): Mapping => {
    segment = openOrMake(
      () => sharedMemory.open(key),
      () => sharedMemory.create(key, { size: ringBytes(capacity), mode: MODE }),
    );
    const { uid, creatorUid } = segment.stat();
    checkOwners([uid, creatorUid], url);
    const attached = segment.attach();
    const room = capacityOf(attached);
    if (room !== undefined && isBlank(attached)) formatRing(attached, room);
    return attached;
  };

  const unlink = (): void => {
    const removed = native().semctlRemove(locks);
    if (removed < 0 && removed !== -EINVAL) check(removed, 'semctl(IPC_RMID)', subject);
    try {
      segment?.remove();
    } catch (error) {
      if (!(error instanceof IpcError && (error.code === 'EIDRM' || error.errno === -ENOENT))) throw error;
    }
  };

  /** What has the key is no ring: the set that was made for it goes, unless others have come to terms with it. */
  const unfit = (): void => {
    if (made && !ends.isHeld(SENDER) && !ends.isHeld(RECEIVER)) native().semctlRemove(locks);
  };

  return {
    locks: ends,
    replaceable: true,
    memory,
    isNamed,
    unlink,
    unfit,
    close: () => segment?.close(),
  };
}

/** Rings in System V segments, as a channel. */
export const endpoint = namedEndpoint(find, ['id']);
