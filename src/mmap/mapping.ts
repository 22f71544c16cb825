/**
 * Mapped memory as JavaScript sees it: one ArrayBuffer over the pages themselves, so a store is
 * seen by every process that maps them. `Atomics` work on its typed arrays, `Atomics.wait` does not
 * (it is refused on an ArrayBuffer, and never reaches another process).
 */
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  type NativeMapping,
  native,
  PROT_READ,
  PROT_WRITE,
} from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { check, codedError, systemError, type ErrorSubject } from '../core/errors.js';
import { Handle } from '../core/handle.js';

/** Node 20 refuses an ArrayBuffer of more. */
const MOST_BYTES = 2 ** 32;
const NOT_SUPPORTED = -95;

/**
 * A part of memory that is mapped here (mmap(2)). `close()` detaches the buffer and unmaps: views
 * made from it have length 0 afterwards, so use after close is an error and never a crash.
 */
export class Mapping extends Handle {
  readonly byteLength: number;
  readonly #mapping: NativeMapping;
  readonly #buffer: ArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #int32: Int32Array;
  readonly #faults: Int32Array | undefined;
  #seen = 0;

  /** @internal */
  constructor(mapping: NativeMapping, byteLength: number, guarded: boolean) {
    super();
    this.#mapping = mapping;
    this.byteLength = byteLength;
    const buffer = native().mappingBuffer(mapping);
    if (typeof buffer === 'number') {
      native().munmap(mapping, undefined);
      if (buffer === NOT_SUPPORTED) {
        throw codedError(
          'ERR_INTERPROC_UNSUPPORTED',
          'this runtime does not allow an ArrayBuffer over memory that is not its own (Electron, among others), so shared memory cannot be used in it',
        );
      }
      check(buffer, 'mmap');
      throw new Error('unreachable');
    }
    this.#buffer = buffer;
    this.#bytes = new Uint8Array(buffer);
    this.#int32 = new Int32Array(buffer, 0, byteLength >> 2);
    this.#faults = guarded ? caughtFaults() : undefined;
    this.#seen = this.#faults?.[0] ?? 0;
  }

  /** All of it. A view of the memory itself: it changes when another process writes. */
  get bytes(): Uint8Array {
    this.use();
    return this.#bytes;
  }

  /** The ArrayBuffer, to make other views of. Detached by `close()`. */
  get buffer(): ArrayBuffer {
    this.use();
    return this.#buffer;
  }

  /** As 32-bit integers, for `Atomics`. */
  get int32(): Int32Array {
    this.use();
    return this.#int32;
  }

  /**
   * Throws `ERR_INTERPROC_TRUNCATED` if a page was touched here that the file behind it no longer
   * has: somebody has cut it. Such an access reads zeros and changes nothing; without interproc's
   * guard it would end the process (SIGBUS). It costs a comparison while nothing happened.
   */
  checkIntact(): void {
    if (this.#faults !== undefined && this.#faults[0] !== this.#seen) this.#lookAtFaults();
  }

  #lookAtFaults(): void {
    this.use();
    const seen = (this.#faults as Int32Array)[0] as number;
    if (native().mappingCut(this.#mapping) === 1) {
      throw codedError('ERR_INTERPROC_TRUNCATED', `somebody has cut the file behind ${this.describe()}`);
    }
    this.#seen = seen;
  }

  /** For calls that work on a word of it. @internal */
  get native(): NativeMapping {
    this.use();
    return this.#mapping;
  }

  describe(): string {
    return `the mapping of ${this.byteLength} bytes`;
  }

  protected release(): void {
    native().munmap(this.#mapping, this.#buffer);
  }

  protected override details(): Record<string, unknown> {
    return { byteLength: this.byteLength };
  }
}

let faults: Int32Array | undefined;

/** The count of faults that were caught in this process. */
function caughtFaults(): Int32Array {
  if (faults === undefined) {
    const buffer = native().guardFaults();
    if (typeof buffer === 'number') throw systemError(buffer, 'mmap');
    faults = new Int32Array(buffer);
  }
  return faults;
}

function mapped(fd: number, offset: number, length: number, flags: number, subject?: ErrorSubject): Mapping {
  const mapping = native().mmap(fd, offset, length, PROT_READ | PROT_WRITE, flags);
  if (typeof mapping === 'number') {
    check(mapping, 'mmap', subject);
    throw new Error('unreachable');
  }
  return new Mapping(mapping, length, fd >= 0);
}

/**
 * Maps `length` bytes of an open descriptor, shared and for reading and writing (MAP_SHARED). The
 * mapping stays valid when the descriptor is closed. What lies behind should not shrink: a page
 * beyond its end reads as zeros, and `checkIntact()` throws; sealed memory (`shm.memfd`) rules that out.
 *
 * @param fd a memfd, an object in /dev/shm or a regular file, open for reading and writing
 * @param length bytes, 1 to 2^32
 * @throws IpcError EACCES for a descriptor not open for both, ENODEV for what cannot be mapped
 */
export function descriptor(fd: number, length: number, subject?: ErrorSubject): Mapping {
  checkInteger('fd', fd, 0, 0x7fffffff);
  checkInteger('length', length, 1, MOST_BYTES);
  return mapped(fd, 0, length, MAP_SHARED, subject);
}

/**
 * Private memory of this thread, zero-filled (mmap(2) with MAP_ANONYMOUS), for trying things out.
 * What other processes or workers are to see is made with `shm.memfd`.
 *
 * @param size bytes, 1 to 2^32
 */
export function anonymous(size: number): Mapping {
  checkInteger('size', size, 1, MOST_BYTES);
  return mapped(-1, 0, size, MAP_PRIVATE | MAP_ANONYMOUS);
}
