/** Memory that no file lies behind. */
import {
  F_ADD_SEALS,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MFD_ALLOW_SEALING,
  native,
  PROT_READ,
  PROT_WRITE,
} from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError, check, systemError } from '../core/errors.js';
import { OwnedDescriptor } from '../core/handle.js';
import { howToMap } from './access.js';
import { Mapping } from './mapping.js';
import { pageSize } from './pages.js';

/** How anonymous memory is made. */
export interface AnonymousOptions {
  /**
   * Whether children and other processes can be given it; true if omitted. What is not shared costs no descriptor, and serves the
   * threads of this process.
   */
  shared?: boolean;
}

/** Memory that no file lies behind, and that other processes can be given. */
export class AnonymousMemory extends Mapping {
  readonly #memfd: OwnedDescriptor | undefined;

  /** @internal */
  constructor(mapping: ConstructorParameters<typeof Mapping>[0], byteLength: number, memfd: number | undefined) {
    super(mapping, byteLength, { access: 'read-write', what: 'the anonymous memory' });
    this.#memfd = memfd === undefined ? undefined : new OwnedDescriptor(memfd, 'anonymous memory');
  }

  /**
   * The descriptor by which others map the same memory: name it in `stdio` or `fds` of a child, or send it over a Unix socket, and call
   * `descriptor(fd)` there. Nobody can cut it (it is sealed). -1 for memory that is not shared, and after `close()`.
   */
  get fd(): number {
    return this.#memfd?.fd ?? -1;
  }

  protected override onClose(): void {
    super.onClose();
    this.#memfd?.close();
  }

  protected override details(): Record<string, unknown> {
    return { ...super.details(), fd: this.fd };
  }
}

function mapPrivate(size: number): AnonymousMemory {
  const mapping = native().mmap(-1, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
  if (typeof mapping === 'number') throw systemError(mapping, 'mmap');
  return new AnonymousMemory(mapping, size, undefined);
}

/**
 * Zero-filled memory for this process, its threads, and the children that inherit it. Node cannot fork, and exec(2) ends
 * mappings, so what C does with MAP_SHARED and MAP_ANONYMOUS of mmap(2) is done with memfd_create(2): the same kernel object, with a descriptor that
 * outlives exec and can be passed on. As there, pages are taken when they are first used; `shm.memfd` takes them at once.
 *
 * @param size bytes, 1 to what an ArrayBuffer of this runtime can have (4 GiB in Node 20)
 * @throws IpcError ENOMEM (address space, or /proc/sys/vm/max_map_count), EMFILE
 */
export function anonymous(size: number, options: AnonymousOptions = {}): AnonymousMemory {
  checkInteger('size', size, 1, Number.MAX_SAFE_INTEGER);
  checkOptions(options, ['shared']);
  const { shared = true } = options;
  if (typeof shared !== 'boolean') throw argumentError(`shared must be true or false, got ${String(shared)}`);
  if (!shared) return mapPrivate(size);
  const fd = check(native().memfdCreate('anonymous', MFD_ALLOW_SEALING), 'memfd_create');
  try {
    check(native().ftruncate(fd, size), 'ftruncate');
    check(native().fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 'fcntl(F_ADD_SEALS)');
    const { protection, flags } = howToMap('read-write');
    const mapping = native().mmap(fd, 0, size, protection, flags, pageSize());
    if (typeof mapping === 'number') throw systemError(mapping, 'mmap');
    return new AnonymousMemory(mapping, size, fd);
  } catch (error) {
    native().close(fd);
    throw error;
  }
}
