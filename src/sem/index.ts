/**
 * POSIX semaphores: sem_overview(7). A semaphore is a number of permits, found by a name, or at a place in shared memory, and the same
 * for every program that uses libc's.
 *
 * @example
 * using printers = sem.openOrCreate('/printers', { value: 2 });
 * using permit = await printers.acquire({ timeoutMs: 5000 });
 */
import { checkOptions } from '../core/arguments.js';
import { argumentError, check } from '../core/errors.js';
import { openOrMake } from '../core/named.js';
import { Mapping } from '../mmap/index.js';
import { native } from '../sys/index.js';
import { checkOwner, type OwnerOptions, pathOf } from './name.js';
import {
  type CreateOptions,
  checkCreate,
  createAt,
  createNamed,
  type NamedCreateOptions,
  openAt,
  openNamed,
} from './placed.js';
import {
  checkRecovering,
  checkTemporary,
  createRecovering,
  openRecovering,
  type RecoveringOpenOptions,
  type RecoveringOptions,
  type RecoveringSemaphore,
} from './recovering.js';
import type { Semaphore } from './semaphore.js';

export { Permit } from '../core/permit.js';
export { configureWaiting, type WaitingOptions } from '../core/places.js';
export type { OwnerOptions } from './name.js';
export { byteLength, type CreateOptions, type NamedCreateOptions } from './placed.js';
export { type RecoveringOpenOptions, type RecoveringOptions, RecoveringSemaphore } from './recovering.js';
export { Semaphore } from './semaphore.js';

const CREATE = ['value', 'mode', 'recover', 'temporary'];
const OPEN = ['owner', 'recover', 'temporary'];

interface AnyOptions {
  recover?: unknown;
  temporary?: unknown;
}

/** Whether the permits are to come back. */
function recovers<T extends AnyOptions>(options: T): options is Extract<T, { recover: true }> {
  const { recover, temporary } = options;
  if (recover !== undefined && typeof recover !== 'boolean') {
    throw argumentError(`recover must be true or false, got ${String(recover)}`);
  }
  if (recover !== true && temporary !== undefined) {
    throw argumentError('temporary needs recover: true: who else has a semaphore of sem_open(3) open is not known');
  }
  return recover === true;
}

/** Options of one of libc's. */
interface Plain {
  /** Whether a permit comes back when its owner ends; false if omitted, as sem_open(3) has it. */
  recover?: false;
}

/**
 * Makes a semaphore that must not exist yet (sem_open(3) with O_CREAT and O_EXCL). Of several who do so at once one succeeds, and nobody
 * ever sees it without its value.
 *
 * @param name one slash and then no other; at most 251 bytes after it
 * @throws IpcError EEXIST, ENAMETOOLONG, ENOSPC (/dev/shm is full)
 */
export function create(name: string, options?: NamedCreateOptions & Plain): Semaphore;
/** Makes one whose permits come back when their owner ends. It is another than that of sem_open(3) with this name. */
export function create(name: string, options: RecoveringOptions): RecoveringSemaphore;
/**
 * Makes one inside a mapping (sem_init(3) for several processes), whatever is there. Others open it at the same place of the same memory, and
 * it ends with the memory.
 *
 * @param offset a multiple of 8; it takes `byteLength` bytes, 32
 */
export function create(mapping: Mapping, offset: number, options?: CreateOptions): Semaphore;
export function create(
  place: string | Mapping,
  second?: (NamedCreateOptions & Plain) | RecoveringOptions | number,
  third: CreateOptions = {},
): Semaphore | RecoveringSemaphore {
  if (place instanceof Mapping) return createAt(place, second as number, third);
  const options = (second ?? {}) as (NamedCreateOptions & Plain) | RecoveringOptions;
  checkOptions(options, CREATE);
  if (recovers(options)) {
    checkRecovering(options);
    return createRecovering(place, options);
  }
  checkCreate(options);
  return createNamed(place, options);
}

/**
 * Opens a semaphore that exists (sem_open(3)). A symbolic link in its place is not followed, and what somebody else has made is refused.
 *
 * @throws IpcError ENOENT, EACCES (its mode, or its owner), ELOOP (a link), EINVAL (it is no semaphore)
 */
export function open(name: string, options?: OwnerOptions & Plain): Semaphore;
/** Opens one whose permits come back. */
export function open(name: string, options: RecoveringOpenOptions): RecoveringSemaphore;
/** Opens the one that is in a mapping. @throws IpcError EINVAL (there is none) */
export function open(mapping: Mapping, offset: number): Semaphore;
export function open(
  place: string | Mapping,
  second?: (OwnerOptions & Plain) | RecoveringOpenOptions | number,
): Semaphore | RecoveringSemaphore {
  if (place instanceof Mapping) return openAt(place, second as number);
  const options = (second ?? {}) as (OwnerOptions & Plain) | RecoveringOpenOptions;
  checkOptions(options, OPEN);
  checkOwner(options);
  if (recovers(options)) {
    checkTemporary(options.temporary);
    return openRecovering(place, options);
  }
  return openNamed(place, options);
}

/**
 * Opens the semaphore if it exists, else makes it; of several who do so at once, one makes it. `value` and `mode` are those of a new one; one that
 * exists keeps its own (`created` tells).
 */
export function openOrCreate(name: string, options?: NamedCreateOptions & OwnerOptions & Plain): Semaphore;
/** The same for one whose permits come back. */
export function openOrCreate(name: string, options: RecoveringOptions & OwnerOptions): RecoveringSemaphore;
export function openOrCreate(
  name: string,
  options: OwnerOptions & ((NamedCreateOptions & Plain) | RecoveringOptions) = {},
): Semaphore | RecoveringSemaphore {
  checkOptions(options, [...CREATE, 'owner']);
  checkOwner(options);
  const { owner, ...making } = options;
  const whose = owner === undefined ? {} : { owner };
  if (recovers(making)) {
    checkRecovering(making);
    const { temporary = false } = making;
    return openOrMake(
      () => openRecovering(name, { recover: true, temporary, ...whose }),
      () => createRecovering(name, making),
    );
  }
  checkCreate(making);
  return openOrMake(
    () => openNamed(name, whose),
    () => createNamed(name, making),
  );
}

/**
 * Removes the name (sem_unlink(3)). Who has the semaphore open goes on with it; who opens that name makes another.
 *
 * @param options whether the one is meant whose permits come back
 * @throws IpcError ENOENT, EACCES
 */
export function unlink(name: string, options: { recover?: boolean } = {}): void {
  checkOptions(options, ['recover']);
  check(native().unlink(pathOf(name, recovers(options))), 'sem_unlink', { object: name });
}
