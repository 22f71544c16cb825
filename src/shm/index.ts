/**
 * Shared memory: POSIX objects, found by name in /dev/shm, and memfds, handed over.
 *
 * @example
 * using counter = shm.openOrCreate('/visits', { size: 4096 });
 * using memory = counter.map();
 * Atomics.add(memory.int32, 0, 1);
 */
import { constants } from 'node:fs';
import { F_ADD_SEALS, MFD_ALLOW_SEALING, MFD_HUGETLB, native } from '../sys/index.js';
import { checkInteger, checkMode, checkOptions, checkString } from '../core/arguments.js';
import { makeComplete, reserve } from '../core/complete.js';
import { argumentError, check, IpcError, systemError } from '../core/errors.js';
import { isKind, statusOf } from '../core/files.js';
import { openOrMake } from '../core/named.js';
import { checkOwner, type Owner, refuseStranger } from '../core/owner.js';
import { descriptor, type Mapping } from '../mmap/index.js';
import { type Seal, SharedMemory, type ShmAccess, sealBits } from './sharedMemory.js';

export type { Owner } from '../core/owner.js';
export { type Seal, SharedMemory, type ShmAccess } from './sharedMemory.js';

const FOLDER = '/dev/shm';
const MOST_BYTES = Number.MAX_SAFE_INTEGER;
const MOST_NAME = 249;

/** How a POSIX shared memory object is made. */
export interface CreateOptions {
  /** Bytes, at least 1. They are really there afterwards: a full /dev/shm is ENOSPC now. */
  size: number;
  /** Permission bits, exactly these whatever the umask; 0600 if omitted. */
  mode?: number;
  /** Writes into the memory before anybody else can see it; the mapping is closed afterwards. */
  prepare?: (memory: Mapping) => void;
}

/** How an object is opened. */
export interface OpenOptions {
  /** What is to be done with it: `'read-write'` if omitted. With `'read'` nothing can be stored through it. */
  access?: ShmAccess;
  /** Whose it has to be: `'self'`, or a user's number; another's is EACCES. Anybody's if omitted. */
  owner?: Owner;
}

/** How a memfd is made. */
export interface MemfdOptions {
  /** Bytes, at least 1, rounded up to whole huge pages if it has such. They are really there afterwards. */
  size: number;
  /** Shown in /proc/PID/fd, for people; at most 249 bytes. */
  name?: string;
  /** What is forbidden from the start; `['shrink', 'grow']` if omitted, so that no peer can make the mapping fault. */
  seals?: Seal[];
  /**
   * Huge pages (MFD_HUGETLB), of the size in /proc/meminfo: fewer entries for the processor to look up, for memory of many
   * megabytes. `true` takes ordinary pages where there are none (`memory.pageSize` tells), `'require'` is ENOMEM then. False if omitted.
   */
  hugePages?: boolean | 'require';
}

function checkCreate(options: CreateOptions): void {
  checkOptions(options, ['size', 'mode', 'prepare']);
  checkInteger('size', options?.size, 1, MOST_BYTES);
  if (options.mode !== undefined) checkMode(options.mode);
  if (options.prepare !== undefined && typeof options.prepare !== 'function') {
    throw argumentError(`prepare must be a function, got ${String(options.prepare)}`);
  }
}

function pathOf(name: string): string {
  checkString('name', name);
  if (!/^\/(?!\.{1,2}$)[^/]+$/.test(name)) {
    throw argumentError(
      `a shared memory name is one slash and then no other, like '/frames', got '${name}'`,
      'ERR_INTERPROC_NAME',
    );
  }
  return FOLDER + name;
}

/**
 * Makes an object that must not exist yet (shm_open(3) with O_CREAT and O_EXCL). It is built
 * without a name and then linked, so nobody ever sees a half-made one. Zero-filled.
 *
 * @throws IpcError EEXIST, ENOSPC (/dev/shm is full), ENAMETOOLONG (more than 255 bytes)
 */
export function create(name: string, options: CreateOptions): SharedMemory {
  const path = pathOf(name);
  checkCreate(options);
  const { size, mode = 0o600, prepare } = options;
  const subject = { object: name };
  const fd = makeComplete({
    path,
    size,
    mode,
    subject,
    syscall: 'shm_open',
    prepare: (made) => {
      if (prepare === undefined) return;
      using memory = descriptor(made, {}, subject);
      prepare(memory);
    },
  });
  return new SharedMemory(fd, { name, created: true });
}

/**
 * Opens an object that exists (shm_open(3)). A symbolic link in its place is not followed.
 *
 * @throws IpcError ENOENT, EACCES, ELOOP (a link); EINVAL, EISDIR or ENXIO for what is no memory
 */
export function open(name: string, options: OpenOptions = {}): SharedMemory {
  const path = pathOf(name);
  checkOptions(options, ['access', 'owner']);
  const { access = 'read-write', owner } = options;
  checkOwner(owner);
  if (access !== 'read' && access !== 'read-write') {
    throw argumentError(`access must be 'read' or 'read-write', got ${String(access)}`);
  }
  const subject = { object: name };
  const rights = access === 'read' ? constants.O_RDONLY : constants.O_RDWR;
  const fd = check(native().open(path, rights | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0), 'shm_open', subject);
  try {
    const { mode, uid } = statusOf(fd, subject);
    if (!isKind(mode, constants.S_IFREG)) {
      const message = 'what has this name is no shared memory';
      throw new IpcError({ code: 'EINVAL', syscall: 'shm_open', ...subject, message });
    }
    refuseStranger(uid, owner, { noun: 'object', syscall: 'shm_open', ...subject });
  } catch (error) {
    native().close(fd);
    throw error;
  }
  return new SharedMemory(fd, { name, created: false });
}

/**
 * Opens the object if it exists, else makes it; of several who do so at once, one makes it. The
 * options are those of a new object; one that exists keeps its own (`created` tells).
 */
export function openOrCreate(name: string, options: CreateOptions & Pick<OpenOptions, 'owner'>): SharedMemory {
  const { owner, ...making } = options ?? {};
  checkOwner(owner);
  checkCreate(making as CreateOptions);
  return openOrMake(
    () => open(name, owner === undefined ? {} : { owner }),
    () => create(name, making as CreateOptions),
  );
}

/** Removes the name (shm_unlink(3)); the memory lives on in whoever has it open or mapped. */
export function unlink(name: string): void {
  check(native().unlink(pathOf(name)), 'shm_unlink', { object: name });
}

function checkMemfd(options: MemfdOptions): void {
  checkOptions(options, ['size', 'name', 'seals', 'hugePages']);
  checkInteger('size', options?.size, 1, MOST_BYTES);
  const { name, hugePages } = options;
  if (hugePages !== undefined && typeof hugePages !== 'boolean' && hugePages !== 'require') {
    throw argumentError(`hugePages must be true, false or 'require', got ${String(hugePages)}`);
  }
  if (name === undefined) return;
  checkString('name', name);
  if (Buffer.byteLength(name) > MOST_NAME) {
    throw argumentError(
      `a memfd's name has at most ${MOST_NAME} bytes, got ${Buffer.byteLength(name)}`,
      'ERR_INTERPROC_NAME',
    );
  }
}

/** A memfd whose pages are there, or the error for why not. */
function reserved(name: string, size: number, flags: number): number {
  const subject = { object: name };
  const fd = native().memfdCreate(name, flags);
  if (fd < 0) throw systemError(fd, 'memfd_create', subject);
  try {
    const page = native().hugePageSize(fd);
    reserve(fd, 0, page > 0 ? Math.ceil(size / page) * page : size, subject);
    return fd;
  } catch (error) {
    native().close(fd);
    throw error;
  }
}

function reservedHuge(name: string, size: number, flags: number): number {
  try {
    return reserved(name, size, flags | MFD_HUGETLB);
  } catch (cause) {
    throw new IpcError({
      code: 'ENOMEM',
      syscall: 'memfd_create',
      object: name,
      message: `there are no huge pages for ${size} bytes`,
      hint: '/proc/sys/vm/nr_hugepages says how many there are, and HugePages_Free in /proc/meminfo how many are free',
      cause,
    });
  }
}

/**
 * Memory without a name (memfd_create(2)), to be handed to a child in `stdio` or over a Unix
 * socket. Sealed against shrinking and growing unless `seals` says otherwise.
 *
 * @throws IpcError ENOMEM (no huge pages, and `hugePages: 'require'`), EMFILE
 */
export function memfd(options: MemfdOptions): SharedMemory {
  checkMemfd(options);
  const { size, name = 'interproc', seals = ['shrink', 'grow'], hugePages = false } = options;
  const bits = sealBits(seals);
  const fd = memfdOf(name, size, hugePages);
  try {
    if (bits !== 0) check(native().fcntl(fd, F_ADD_SEALS, bits), 'fcntl(F_ADD_SEALS)', { object: name });
  } catch (error) {
    native().close(fd);
    throw error;
  }
  return new SharedMemory(fd, { name: undefined, created: true });
}

function memfdOf(name: string, size: number, hugePages: boolean | 'require'): number {
  if (hugePages === false) return reserved(name, size, MFD_ALLOW_SEALING);
  try {
    return reservedHuge(name, size, MFD_ALLOW_SEALING);
  } catch (error) {
    if (hugePages === 'require') throw error;
    return reserved(name, size, MFD_ALLOW_SEALING);
  }
}

/**
 * Takes over a descriptor of shared memory that was received or inherited; it is closed with the
 * handle.
 *
 * @throws IpcError EBADF, EINVAL for a descriptor of something else
 */
export function fromDescriptor(fd: number): SharedMemory {
  checkInteger('fd', fd, 0, 0x7fffffff);
  if (!isKind(statusOf(fd).mode, constants.S_IFREG)) {
    throw new IpcError({ code: 'EINVAL', syscall: 'fstat', message: `descriptor ${fd} is no memory` });
  }
  return new SharedMemory(fd, { name: undefined, created: false });
}
