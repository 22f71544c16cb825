/** Files as memory. */
import { constants } from 'node:fs';
import { native } from '../sys/index.js';
import { checkInteger, checkMode, checkOptions, checkString } from '../core/arguments.js';
import { makeComplete } from '../core/complete.js';
import { argumentError, check, IpcError } from '../core/errors.js';
import { isKind, kindOf, statusOf } from '../core/files.js';
import type { Access } from './access.js';
import { checkMapOptions, MAP_OPTIONS, mapDescriptor, type MapOptions } from './map.js';
import type { Mapping } from './mapping.js';

const OPEN: Record<Access, number> = {
  read: constants.O_RDONLY,
  'copy-on-write': constants.O_RDONLY,
  'read-write': constants.O_RDWR,
};

/** How a file is mapped. */
export interface FileOptions extends MapOptions {
  /** Whether a symbolic link at the end of the path is followed; true if omitted, and ELOOP if not. */
  follow?: boolean;
}

/** How a file is made. */
export interface CreateFileOptions {
  /** Bytes, at least 1. They are really there afterwards: a full file system is ENOSPC now, not a fault later. */
  size: number;
  /** Permission bits, exactly these whatever the umask; 0600 if omitted. */
  mode?: number;
  /** Writes into the memory before anybody else can see the file. */
  prepare?: (memory: Mapping) => void;
}

/**
 * Maps a file that exists (mmap(2)). The page cache itself is what is seen, so nothing is copied, and processes that map the same file
 * share it. The file can be removed, and need not stay open.
 *
 * With `'read'` (if omitted) there are no live views, but `read()` and layouts, which copy. `'read-write'` changes the file;
 * `sync()` says when it is on the disk. `'copy-on-write'` lets you write without anybody seeing it.
 *
 * @param path of a regular file, or of a device that can be mapped, for which `length` must be given
 * @param options `offset` is a multiple of the page size, 4096 on x86-64
 * @throws RangeError for an empty file and for a part beyond its end; IpcError ENOENT, EACCES, ELOOP, ENODEV (a folder, a FIFO, a socket)
 */
export function file(path: string, options: FileOptions = {}): Mapping {
  checkString('path', path);
  checkOptions(options, [...MAP_OPTIONS, 'follow']);
  checkMapOptions(options);
  const { follow = true, access = 'read', ...part } = options;
  if (typeof follow !== 'boolean') throw argumentError(`follow must be true or false, got ${String(follow)}`);
  // A FIFO would have us wait for its other end.
  const flags = OPEN[access] | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW);
  const fd = check(native().open(path, flags, 0), 'open', { path });
  try {
    const { mode } = statusOf(fd, { path });
    if (!isKind(mode, constants.S_IFREG) && !isKind(mode, constants.S_IFCHR)) {
      throw new IpcError({ code: 'ENODEV', syscall: 'mmap', path, message: `${kindOf(mode)} cannot be mapped` });
    }
    return mapDescriptor(fd, { ...part, access }, { path });
  } finally {
    native().close(fd);
  }
}

/**
 * Makes a zero-filled file that must not exist yet, and maps it for reading and writing. It is built without a name and then linked, so
 * nobody ever sees a half-made one.
 *
 * @throws IpcError EEXIST (also for a symbolic link), ENOSPC, ENOENT (the folder), EACCES
 */
export function createFile(path: string, options: CreateFileOptions): Mapping {
  checkString('path', path);
  checkOptions(options, ['size', 'mode', 'prepare']);
  const { size, mode = 0o600, prepare } = options ?? {};
  checkInteger('size', size, 1, Number.MAX_SAFE_INTEGER);
  checkMode(mode);
  if (prepare !== undefined && typeof prepare !== 'function') {
    throw argumentError(`prepare must be a function, got ${String(prepare)}`);
  }
  let mapping: Mapping | undefined;
  const subject = { path };
  try {
    const fd = makeComplete({
      path,
      size,
      mode,
      subject,
      syscall: 'open',
      prepare: (made) => {
        mapping = mapDescriptor(made, {}, subject);
        prepare?.(mapping);
      },
    });
    native().close(fd);
    return mapping as Mapping;
  } catch (error) {
    mapping?.close();
    throw error;
  }
}
