/**
 * Shared memory with a descriptor: POSIX objects with a name (shm_overview(7)) and memfds without
 * one (memfd_create(2)), which can be sealed and are handed over instead of found.
 */
import { constants } from 'node:fs';
import {
  F_ADD_SEALS,
  F_GET_SEALS,
  F_GETFL,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  native,
} from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { reserve } from '../core/complete.js';
import { argumentError, check, type ErrorSubject, rangeError } from '../core/errors.js';
import { statusOf } from '../core/files.js';
import { DescriptorHandle } from '../core/handle.js';
import { traceOf } from '../core/trace.js';
import { descriptor, type Mapping, type MapOptions, pageSize } from '../mmap/index.js';

/** What can be forbidden for good, to everybody, by a seal of fcntl(2). */
export type Seal = 'shrink' | 'grow' | 'write' | 'future-write' | 'seal';

/** What shared memory is open for. */
export type ShmAccess = 'read' | 'read-write';

const SEALS: Record<Seal, number> = {
  seal: F_SEAL_SEAL,
  shrink: F_SEAL_SHRINK,
  grow: F_SEAL_GROW,
  write: F_SEAL_WRITE,
  'future-write': F_SEAL_FUTURE_WRITE,
};

const trace = traceOf('shm');

/** The bits of these seals; throws for a name that is none. */
export function sealBits(seals: readonly Seal[]): number {
  let bits = 0;
  for (const seal of seals) {
    const bit = SEALS[seal];
    if (bit === undefined) {
      throw argumentError(`unknown seal ${String(seal)}; known are ${Object.keys(SEALS).join(', ')}`);
    }
    bits |= bit;
  }
  return bits;
}

/** An open shared memory object or memfd. `close()` lets go of our descriptor; mappings stay. */
export class SharedMemory extends DescriptorHandle {
  /** `/name` in /dev/shm; undefined for a memfd. */
  readonly name: string | undefined;
  /** Whether this call made the object. */
  readonly created: boolean;
  readonly #subject: ErrorSubject;

  /** What the descriptor is open for. */
  readonly access: ShmAccess;
  /** Bytes of its pages: those of the machine (4096 on x86-64), or of huge pages. */
  readonly pageSize: number;

  /** @internal */
  constructor(fd: number, { name, created }: { name: string | undefined; created: boolean }) {
    super(fd, name === undefined ? 'a memfd' : `the shared memory ${name}`);
    this.name = name;
    this.created = created;
    this.access = (native().fcntl(fd, F_GETFL, 0) & 3) === constants.O_RDWR ? 'read-write' : 'read';
    this.pageSize = Math.max(native().hugePageSize(fd), 0) || pageSize();
    this.#subject = name === undefined ? {} : { object: name };
    trace(created ? 'create' : 'open', { name, fd });
  }

  /** Bytes now (fstat(2)). */
  get size(): number {
    this.use();
    return statusOf(this.fd, this.#subject).size;
  }

  /**
   * Maps it (mmap(2)), shared with everybody who maps it.
   *
   * @param options the part, all if omitted; `access` is that of the descriptor if omitted
   * @throws RangeError for an empty object, and for a part beyond its end; IpcError EACCES, EPERM (sealed against writing)
   */
  map(options: MapOptions = {}): Mapping {
    this.use();
    return descriptor(this.fd, { access: this.access, ...options }, this.#subject);
  }

  /**
   * Makes it larger (fallocate(2)): what is new is zero-filled, and really there. Mappings stay as they are, here and elsewhere;
   * `mapping.resize()` maps anew. It cannot be made smaller: whoever has mapped it would touch what is gone.
   *
   * @param size bytes, at least what it has
   * @throws IpcError ENOSPC, EPERM (sealed against growing), EBADF (open for reading only)
   */
  grow(size: number): void {
    const has = this.size;
    checkInteger('size', size, 1, Number.MAX_SAFE_INTEGER);
    if (size < has) throw rangeError(`size must be at least the ${has} bytes that it has, got ${size}`);
    if (size > has) reserve(this.fd, has, size - has, this.#subject);
  }

  /**
   * Forbids something for good (fcntl(2), F_ADD_SEALS): to this process, and to whoever has or
   * gets a descriptor of it. Only a memfd can be sealed.
   *
   * @throws IpcError EBUSY for 'write' while a writable mapping exists, EPERM after 'seal', EINVAL
   *   for an object that is no memfd
   */
  seal(...seals: Seal[]): void {
    this.use();
    check(native().fcntl(this.fd, F_ADD_SEALS, sealBits(seals)), 'fcntl(F_ADD_SEALS)', this.#subject);
  }

  /** What is forbidden (F_GET_SEALS). */
  get seals(): Seal[] {
    this.use();
    const bits = check(native().fcntl(this.fd, F_GET_SEALS, 0), 'fcntl(F_GET_SEALS)', this.#subject);
    return (Object.keys(SEALS) as Seal[]).filter((seal) => bits & SEALS[seal]);
  }

  describe(): string {
    return this.name === undefined ? 'the memfd' : `the shared memory ${this.name}`;
  }

  protected override details(): Record<string, unknown> {
    return { name: this.name, access: this.access, ...super.details() };
  }
}
