/**
 * Shared memory: POSIX objects, found by name in /dev/shm, and memfds, handed over.
 *
 * @example
 * using counter = shm.openOrCreate('/visits', { size: 4096 });
 * using memory = counter.map();
 * Atomics.add(memory.int32, 0, 1);
 */
import { constants } from 'node:fs';
import { F_ADD_SEALS, MFD_ALLOW_SEALING, native, O_TMPFILE_BIT } from '../sys/index.js';
import { checkInteger, checkMode, checkOptions, checkString } from '../core/arguments.js';
import { EINTR } from '../core/errno.js';
import { argumentError, check, type ErrorSubject, IpcError, systemError } from '../core/errors.js';
import { isKind, statusOf } from '../core/files.js';
import { openOrMake } from '../core/named.js';
import { descriptor, type Mapping } from '../mmap/index.js';
import { type Seal, SharedMemory, sealBits } from './sharedMemory.js';

export { type Seal, SharedMemory } from './sharedMemory.js';

const FOLDER = '/dev/shm';
/** What one mapping can show. */
const MOST_BYTES = 2 ** 32;

const MOST_NAME = 249;

/** How a POSIX shared memory object is made. */
export interface CreateOptions {
  /** Bytes, 1 to 2^32. They are really there afterwards: a full /dev/shm is ENOSPC now. */
  size: number;
  /** Permission bits, exactly these whatever the umask; 0600 if omitted. */
  mode?: number;
  /** Writes into the memory before anybody else can see it; the mapping is closed afterwards. */
  prepare?: (memory: Mapping) => void;
}

/** How a memfd is made. */
export interface MemfdOptions {
  /** Bytes, 1 to 2^32. They are really there afterwards. */
  size: number;
  /** Shown in /proc/PID/fd, for people; at most 249 bytes. */
  name?: string;
  /** What is forbidden from the start; `['shrink', 'grow']` if omitted, so that no peer can make the mapping fault. */
  seals?: Seal[];
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

/** Space that is really there (fallocate(2)). Older kernels break it off at a signal: then again. */
function reserve(fd: number, size: number, subject: ErrorSubject): void {
  let reserved: number;
  do {
    reserved = native().fallocate(fd, 0, size);
  } while (reserved === -EINTR);
  check(reserved, 'fallocate', subject);
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
  const mode = options.mode ?? 0o600;
  const subject = { object: name };
  const fd = check(
    native().open(FOLDER, O_TMPFILE_BIT | constants.O_DIRECTORY | constants.O_RDWR, 0o600),
    'shm_open',
    subject,
  );
  try {
    reserve(fd, options.size, subject);
    check(native().fchmod(fd, mode), 'fchmod', subject);
    if (options.prepare !== undefined) {
      using memory = descriptor(fd, options.size, subject);
      options.prepare(memory);
    }
    check(native().linkDescriptor(fd, path), 'shm_open', subject);
  } catch (error) {
    native().close(fd);
    throw error;
  }
  return new SharedMemory(fd, name, true);
}

/**
 * Opens an object that exists (shm_open(3)), for reading and writing. A symbolic link in its place
 * is not followed.
 *
 * @throws IpcError ENOENT, EACCES, ELOOP (a link); EINVAL, EISDIR or ENXIO for what is no memory
 */
export function open(name: string): SharedMemory {
  const path = pathOf(name);
  const subject = { object: name };
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = check(native().open(path, flags, 0), 'shm_open', subject);
  if (!isKind(statusOf(fd).mode, constants.S_IFREG)) {
    native().close(fd);
    throw new IpcError({
      code: 'EINVAL',
      syscall: 'shm_open',
      object: name,
      message: 'what has this name is no shared memory',
    });
  }
  return new SharedMemory(fd, name, false);
}

/**
 * Opens the object if it exists, else makes it; of several who do so at once, one makes it. The
 * options are those of a new object; one that exists keeps its own (`created` tells).
 */
export function openOrCreate(name: string, options: CreateOptions): SharedMemory {
  checkCreate(options);
  return openOrMake(
    () => open(name),
    () => create(name, options),
  );
}

/** Removes the name (shm_unlink(3)); the memory lives on in whoever has it open or mapped. */
export function unlink(name: string): void {
  check(native().unlink(pathOf(name)), 'shm_unlink', { object: name });
}

/**
 * Memory without a name (memfd_create(2)), to be handed to a child in `stdio` or over a Unix
 * socket. Sealed against shrinking and growing unless `seals` says otherwise.
 */
export function memfd(options: MemfdOptions): SharedMemory {
  checkOptions(options, ['size', 'name', 'seals']);
  checkInteger('size', options?.size, 1, MOST_BYTES);
  const name = options.name ?? 'interproc';
  checkString('name', name);
  if (Buffer.byteLength(name) > MOST_NAME) {
    throw argumentError(
      `a memfd's name has at most ${MOST_NAME} bytes, got ${Buffer.byteLength(name)}`,
      'ERR_INTERPROC_NAME',
    );
  }
  const bits = sealBits(options.seals ?? ['shrink', 'grow']);
  const fd = native().memfdCreate(name, MFD_ALLOW_SEALING);
  if (fd < 0) throw systemError(fd, 'memfd_create', { object: name });
  try {
    reserve(fd, options.size, { object: name });
    if (bits !== 0) check(native().fcntl(fd, F_ADD_SEALS, bits), 'fcntl(F_ADD_SEALS)', { object: name });
  } catch (error) {
    native().close(fd);
    throw error;
  }
  return new SharedMemory(fd, undefined, true);
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
  return new SharedMemory(fd, undefined, false);
}
