/**
 * System V shared memory: sysvipc(7), shmop(2). A segment is memory that is found by a key, and that stays, whether or not
 * anybody has it attached, until it is removed.
 *
 * @example
 * using segment = sysv.sharedMemory.openOrCreate(0x1234, { size: 4096 });
 * using memory = segment.attach();
 * Atomics.add(memory.int32, 0, 1);
 */
import { IPC_CREAT, IPC_EXCL, native, SHM_HUGETLB } from '../../sys/index.js';
import { checkInteger, checkOptions } from '../../core/arguments.js';
import { EEXIST, EIDRM, EINVAL, ENOENT } from '../../core/errno.js';
import { argumentError, check, systemError } from '../../core/errors.js';
import { findOrMake, makeNew, removeByKey, statusById } from '../finding.js';
import { checkPublicKey, type Key } from '../key.js';
import { subjectOfKey } from '../kind.js';
import { checkObjectMode } from '../owner.js';
import { type Access, checkAccess, Segment } from './segment.js';
import { SEGMENTS, statusOf } from './status.js';

export { type Access, type AttachOptions, Segment } from './segment.js';
export type { Status } from './status.js';

/** How a segment is opened. */
export interface OpenOptions {
  /** What must be permitted, else it is EACCES, and how it is attached; 'read-write' if omitted. */
  access?: Access;
  /** Bytes that it must have at least, else it is EINVAL; any number if omitted. */
  size?: number;
}

/** How a segment is made. */
export interface CreateOptions {
  /**
   * Bytes, 1 to /proc/sys/kernel/shmmax. They are zero, and no memory is taken for them yet: that happens page by page, when a page
   * is touched first.
   */
  size: number;
  /** Permission bits, 0 to 0777, exactly these: System V knows no umask. 0600 if omitted. */
  mode?: number;
  /**
   * Huge pages (SHM_HUGETLB): true takes ordinary ones where there are none, and `segment.hugePages` tells; 'require' is ENOMEM or
   * EPERM there. They are reserved at once. false if omitted.
   */
  hugePages?: boolean | 'require';
}

/** What shmget(2) is to ask for. */
const ACCESS: Record<Access, number> = { read: 0o400, 'read-write': 0o600 };

function checkSize(size: unknown): asserts size is number {
  checkInteger('size', size, 1, Number.MAX_SAFE_INTEGER);
}

function checkCreate(options: CreateOptions): void {
  checkOptions(options, ['size', 'mode', 'hugePages']);
  checkSize(options?.size);
  if (options.mode !== undefined) checkObjectMode(options.mode);
  if (![undefined, true, false, 'require'].includes(options.hugePages)) {
    throw argumentError(`hugePages must be a boolean or 'require', got ${String(options.hugePages)}`);
  }
}

function checkOpen(options: OpenOptions): void {
  checkOptions(options, ['access', 'size']);
  checkAccess(options.access);
  if (options.size !== undefined) checkSize(options.size);
}

function made(key: number, access: Access, { size, mode = 0o600, hugePages = false }: CreateOptions): Segment {
  const flags = mode | IPC_CREAT | IPC_EXCL;
  const subject = subjectOfKey(key);
  if (hugePages !== false) {
    const id = native().shmget(key, size, flags | SHM_HUGETLB);
    if (id >= 0) return new Segment({ id, key, created: true, size, access, hugePages: true });
    if (id === -EEXIST) throw systemError(id, 'shmget', subject);
    if (hugePages === 'require') throw systemError(id, 'shmget(SHM_HUGETLB)', subject);
  }
  const id = check(native().shmget(key, size, flags), 'shmget', subject);
  return new Segment({ id, key, created: true, size, access, hugePages: false });
}

/** The handle of a segment that exists, whose size the kernel tells. One that has just been removed is not there. */
function opened(key: number, { access = 'read-write', size: least = 0 }: OpenOptions): Segment {
  const subject = subjectOfKey(key);
  const id = check(native().shmget(key, least, ACCESS[access]), 'shmget', subject);
  const status = statusOf(id);
  if (status === -EINVAL || status === -EIDRM) throw systemError(-ENOENT, 'shmget', subject);
  if (typeof status === 'number') throw systemError(status, 'shmctl(IPC_STAT)', subject);
  return new Segment({ id, key, created: false, size: status.size, access, hugePages: undefined });
}

/**
 * Makes a segment that must not exist yet (shmget(2) with IPC_CREAT and IPC_EXCL). Zero-filled.
 *
 * @param key a number of 32 bits; `'private'` for a segment without a key; `'random'` for a key that is free (`segment.key` tells it)
 * @throws IpcError EEXIST, EINVAL (more than /proc/sys/kernel/shmmax), ENOSPC (/proc/sys/kernel/shmmni segments, or shmall pages),
 *   ENOMEM, EPERM
 */
export function create(key: Key | 'random', options: CreateOptions): Segment {
  checkCreate(options);
  return makeNew(key, (checked) => made(checked, 'read-write', options));
}

/**
 * Finds a segment that exists (shmget(2)).
 *
 * @throws IpcError ENOENT, EACCES, EINVAL (it has fewer bytes than `size`)
 */
export function open(key: number, options: OpenOptions = {}): Segment {
  const checked = checkPublicKey(key);
  checkOpen(options);
  return opened(checked, options);
}

/**
 * Finds the segment if it exists, else makes it; of several who do so at once, one makes it. `mode` and `hugePages` are those of
 * a new segment; one that exists keeps its own (`created` tells), and has at least `size` bytes, else it is EINVAL. A private segment
 * is always new.
 *
 * Whoever finds it may be earlier than whoever made it has written anything: what both can rely on are zeros.
 */
export function openOrCreate(key: Key, options: CreateOptions & OpenOptions): Segment {
  checkOptions(options, ['access', 'size', 'mode', 'hugePages']);
  const { access = 'read-write', ...making } = options ?? {};
  checkAccess(access);
  checkCreate(making);
  return findOrMake(
    key,
    (checked) => opened(checked, { access, size: making.size }),
    (checked) => made(checked, access, making),
  );
}

/**
 * The segment with this id, as `ipcmk -M` and `segment.id` tell it; also one that was removed while somebody has it attached. It has
 * to be readable for us.
 *
 * @throws IpcError EINVAL (there is none), EACCES
 */
export function fromId(id: number): Segment {
  const { key, size } = statusById(SEGMENTS, id, statusOf);
  return new Segment({ id, key, created: false, size, access: 'read-write', hugePages: undefined });
}

/**
 * Removes the segment with this key (IPC_RMID of shmctl(2)). It lives on for those who have it attached, until the last of them
 * detaches it.
 *
 * @throws IpcError ENOENT, EPERM (neither owner nor creator)
 */
export function remove(key: number): void {
  removeByKey(SEGMENTS, key);
}
