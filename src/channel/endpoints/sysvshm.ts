/**
 * `sysvshm:0x1234`, `sysvshm:/path?id=1`: a ring in a System V segment, for two processes that share nothing but its key, or a path of which
 * ftok(3) makes one. A segment is no file on which a lock could be held, so a set of three semaphores with the same key says who is alive: the
 * kernel undoes what a dead process has done to them (SEM_UNDO).
 *
 * A segment is born with its key, zero-filled. It is made and gets its ring under the lock of the name: if its maker dies in between, the next
 * one finds zeros and goes on. Who leaves last removes both.
 */
import { IPC_CREAT, native } from '../../sys/index.js';
import { EINVAL, ENOENT } from '../../core/errno.js';
import { check, type ErrorSubject, IpcError } from '../../core/errors.js';
import { openOrMake } from '../../core/named.js';
import type { Mapping } from '../../mmap/index.js';
import { sharedMemory } from '../../sysv/index.js';
import { LOCKS, SemaphoreLocks } from '../ring/locks.js';
import { capacityOf, formatRing, isBlank, ringBytes } from '../ring/memory.js';
import { checkOwner, type Found, namedEndpoint } from '../ring/named.js';
import { systemVKey } from '../systemVKey.js';
import type { EndpointUrl } from '../url.js';

const MODE = 0o600;

function openLocks(key: number, url: EndpointUrl, subject: ErrorSubject): number {
  const id = native().semget(key, LOCKS, IPC_CREAT | MODE);
  if (id === -EINVAL) {
    const message = `the key has a semaphore set of fewer than ${LOCKS} semaphores, which is none of a ring`;
    throw new IpcError({ code: 'EINVAL', syscall: 'semget', ...subject, message });
  }
  checkOwner(check(native().semctlOwner(check(id, 'semget', subject)), 'semctl(IPC_STAT)', subject), url);
  return id;
}

function find(url: EndpointUrl, capacity: number): Found {
  const key = systemVKey(url, 'segment');
  const subject = { key: url.rest };
  const locks = openLocks(key, url, subject);
  let segment: sharedMemory.Segment | undefined;

  const isNamed = (): boolean =>
    native().semget(key, 0, 0) === locks && (segment === undefined || native().shmget(key, 0, 0) === segment.id);

  const memory = (): Mapping => {
    segment = openOrMake(
      () => sharedMemory.open(key),
      () => sharedMemory.create(key, { size: ringBytes(capacity), mode: MODE }),
    );
    checkOwner(segment.stat().uid, url);
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

  return {
    locks: new SemaphoreLocks(locks),
    replaceable: true,
    memory,
    isNamed,
    unlink,
    close: () => segment?.close(),
  };
}

/** Rings in System V segments, as a channel. */
export const endpoint = namedEndpoint(find, ['id']);
