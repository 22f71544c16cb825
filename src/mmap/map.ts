/** Mapping what is open already, and attaching to what another thread has mapped. */
import { inspect } from 'node:util';
import { native } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { ENOENT } from '../core/errno.js';
import { argumentError, check, codedError, type ErrorSubject, rangeError, systemError } from '../core/errors.js';
import { isKind, statusOf } from '../core/files.js';
import { constants } from 'node:fs';
import { type Access, checkAccess, howToMap } from './access.js';
import { Mapping, type MappingHandle } from './mapping.js';
import { checkPageAligned, pageSize, type Range } from './pages.js';

/** How a file is mapped. */
export interface MapOptions extends Range {
  /** What may be done with it; `'read-write'` for a descriptor, `'read'` for a path, if omitted. */
  access?: Access;
}

/** The names of these options. */
export const MAP_OPTIONS: readonly string[] = ['offset', 'length', 'access'];

/** Throws for options that cannot be meant. */
export function checkMapOptions({ offset = 0, length, access }: MapOptions): void {
  checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
  checkPageAligned('offset', offset);
  if (length !== undefined) checkInteger('length', length, 1, Number.MAX_SAFE_INTEGER);
  if (access !== undefined) checkAccess(access);
}

/** How many bytes are mapped: what was asked for, if the file has it, else all that follow. */
function lengthToMap(fd: number, { offset = 0, length }: MapOptions, subject: ErrorSubject): number {
  const status = statusOf(fd, subject);
  const name = subject.path ?? subject.object ?? 'the file';
  if (!isKind(status.mode, constants.S_IFREG)) {
    // A device, which says itself what it maps: mmap(2) refuses a folder, a pipe and a socket.
    if (length === undefined) throw argumentError('length must be given for what is no regular file');
    return length;
  }
  const left = status.size - offset;
  if (left <= 0) {
    if (status.size === 0) throw rangeError(`${name} is empty: there is nothing to map`);
    throw rangeError(`offset must be less than the ${status.size} bytes of ${name}, got ${offset}`);
  }
  if (length !== undefined && length > left) {
    throw rangeError(`length must be at most ${left}, which is what ${name} has from there on, got ${length}`);
  }
  return length ?? left;
}

/** Maps a descriptor, whose options are checked. */
export function mapDescriptor(fd: number, options: MapOptions, subject: ErrorSubject): Mapping {
  const { offset = 0, access = 'read-write' } = options;
  const length = lengthToMap(fd, options, subject);
  const { protection, flags } = howToMap(access);
  const page = native().hugePageSize(fd);
  const mapping = native().mmap(fd, offset, length, protection, flags, page > 0 ? page : pageSize());
  if (typeof mapping === 'number') throw systemError(mapping, 'mmap', subject);
  return new Mapping(mapping, length, { access, subject });
}

/**
 * Maps an open descriptor: a memfd, an object in /dev/shm, a regular file, or a device that can be mapped. The
 * mapping stays valid when the descriptor is closed. What lies behind should not shrink: a page
 * beyond its end reads as zeros, and the next call throws; sealed memory (`shm.memfd`, `anonymous`) rules that out.
 *
 * @param fd open for reading, and for writing if `access` is `'read-write'`
 * @param subject what errors name; the descriptor if omitted
 * @throws RangeError for a part that the file does not have; IpcError EACCES for a descriptor not open for what `access` needs,
 *   ENODEV for what cannot be mapped, EBADF
 */
export function descriptor(
  fd: number,
  options: MapOptions = {},
  subject: ErrorSubject = { object: `descriptor ${fd}` },
): Mapping {
  checkInteger('fd', fd, 0, 0x7fffffff);
  checkOptions(options, MAP_OPTIONS);
  checkMapOptions(options);
  return mapDescriptor(fd, options, subject);
}

/**
 * Attaches to memory that another thread of this process has mapped: the same pages, as an ArrayBuffer of this thread. They stay
 * mapped until the last of all that have attached has closed its own.
 *
 * @param handle what `mapping.handle()` gave there
 * @throws Error ERR_INTERPROC_CLOSED if it has been closed everywhere; IpcError EACCES if it was protected since
 */
export function attach(handle: MappingHandle): Mapping {
  if (typeof handle !== 'object' || handle === null || typeof handle.id !== 'bigint') {
    throw argumentError(`handle must be what mapping.handle() gave, got ${inspect(handle, { depth: 0 })}`);
  }
  checkAccess(handle.access);
  checkInteger('byteLength', handle.byteLength, 1, Number.MAX_SAFE_INTEGER);
  const mapping = native().mappingAttach(handle.id, handle.byteLength, howToMap(handle.access).protection);
  if (mapping === -ENOENT) throw codedError('ERR_INTERPROC_CLOSED', 'the mapping of this handle is closed');
  if (typeof mapping === 'number') {
    check(mapping, 'mmap', { object: 'this handle' });
    throw new Error('unreachable');
  }
  return new Mapping(mapping, handle.byteLength, { access: handle.access });
}
