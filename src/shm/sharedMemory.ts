/**
 * Shared memory with a descriptor: POSIX objects with a name (shm_overview(7)) and memfds without
 * one (memfd_create(2)), which can be sealed and are handed over instead of found.
 */
import {
  F_ADD_SEALS,
  F_GET_SEALS,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  native,
} from '../sys/index.js';
import { argumentError, check, type ErrorSubject } from '../core/errors.js';
import { statusOf } from '../core/files.js';
import { DescriptorHandle } from '../core/handle.js';
import { traceOf } from '../core/trace.js';
import { descriptor, type Mapping } from '../mmap/index.js';

/** What can be forbidden for good, to everybody, by a seal of fcntl(2). */
export type Seal = 'shrink' | 'grow' | 'write' | 'future-write' | 'seal';

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

  /** @internal */
  constructor(fd: number, name: string | undefined, created: boolean) {
    super(fd, name === undefined ? 'a memfd' : `the shared memory ${name}`);
    this.name = name;
    this.created = created;
    this.#subject = name === undefined ? {} : { object: name };
    trace(created ? 'create' : 'open', { name, fd });
  }

  /** Bytes now (fstat(2)). */
  get size(): number {
    this.use();
    return statusOf(this.fd, this.#subject).size;
  }

  /** Maps all of it, for reading and writing, shared with everybody who maps it. */
  map(): Mapping {
    const size = this.size;
    if (size === 0) throw argumentError(`${this.describe()} is empty: there is nothing to map`);
    return descriptor(this.fd, size, this.#subject);
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
    return { name: this.name, ...super.details() };
  }
}
