/**
 * Mapped memory as JavaScript sees it: one ArrayBuffer over the pages themselves, so a store is
 * seen by every process that maps them. `Atomics` work on its typed arrays, `Atomics.wait` does not
 * (it is refused on an ArrayBuffer, and never reaches another process).
 */

import { checkBytes, checkInteger, checkOptions } from '../core/arguments.js';
import { callBlocking } from '../core/blocking.js';
import { EBUSY, EFBIG, EOPNOTSUPP } from '../core/errno.js';
import {
  argumentError,
  check,
  codedError,
  type ErrorSubject,
  IpcError,
  rangeError,
  systemError,
} from '../core/errors.js';
import { Handle } from '../core/handle.js';
import { WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { MLOCK_ONFAULT, MS_ASYNC, MS_INVALIDATE, MS_SYNC, type NativeMapping, native } from '../sys/index.js';
import { type Access, howToMap } from './access.js';
import { caughtFaults } from './faults.js';
import {
  type Advice,
  adviceNumber,
  checkPageAligned,
  checkRange,
  pageSize,
  pagesOf,
  RANGE,
  type Range,
} from './pages.js';
import { Residents } from './residents.js';

/** What another thread of this process attaches to with `attach()`; it can be posted to a worker. */
export interface MappingHandle {
  readonly id: bigint;
  readonly byteLength: number;
  readonly access: Access;
}

/** How changes get to the file. */
export interface SyncOptions extends Range {
  /** Whether other mappings of the file are made to look at it again (MS_INVALIDATE); false if omitted. */
  invalidate?: boolean;
}

/** Which pages are in memory. */
export interface Residence {
  /** How many bytes of the part are in memory, in whole pages. */
  bytes: number;
  /** 1 for each page that is in memory and 0 for each that is not. */
  pages: Uint8Array;
}

/** What a mapping is made of. @internal */
export interface MappingInit {
  access: Access;
  /** What the kernel's errors are about. */
  subject?: ErrorSubject;
  /** What it is, for messages. */
  what?: string;
}

interface Views {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly int32: Int32Array;
}

/**
 * Buffers that are moved elsewhere would leave the mapping, and once they have gone to another thread nobody could tell any
 * more when the memory is no longer used. Node itself refuses to post such a buffer.
 */
function stay(buffer: ArrayBuffer): void {
  const refuse = (): never => {
    throw argumentError('memory that is mapped cannot be moved by transfer(): copy it with slice()');
  };
  for (const name of ['transfer', 'transferToFixedLength']) Object.defineProperty(buffer, name, { value: refuse });
}

/** A read copies at most this much in one call of the addon. */
const MOST_READ = 0xffff_ffff;

/**
 * A part of memory that is mapped here (mmap(2)). `close()` detaches the buffer and unmaps: views
 * made from it have length 0 afterwards, so use after close is an error and never a crash.
 */
export class Mapping extends Handle {
  #native: NativeMapping;
  #byteLength: number;
  #readOnly: boolean;
  /** What it is while it is not read-only. */
  readonly #writable: Access;
  readonly #subject: ErrorSubject;
  readonly #what: string;
  #views: Views | undefined;
  readonly #faults = caughtFaults();
  #seen: number;
  /** @internal */
  readonly residents = new Residents();

  /** @internal */
  constructor(mapping: NativeMapping, byteLength: number, { access, subject = {}, what = 'the mapping' }: MappingInit) {
    super();
    this.#native = mapping;
    this.#byteLength = byteLength;
    this.#readOnly = access === 'read';
    this.#writable = this.#readOnly ? 'read-write' : access;
    this.#subject = subject;
    this.#what = what;
    // Another thread may have met a fault in it before we attached: the first call asks.
    this.#seen = (this.#faults[0] as number) - 1;
    try {
      if (!this.#readOnly) this.#views = this.#show();
    } catch (error) {
      native().munmap(mapping, undefined);
      throw error;
    }
  }

  /** Bytes. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** What may be done with it here. */
  get access(): Access {
    return this.#readOnly ? 'read' : this.#writable;
  }

  /** Called when the buffer was detached: by `close()`, `protect()` or `resize()`. @internal */
  whenDetached: (() => void) | undefined;

  #detached(): void {
    this.whenDetached?.();
    this.residents.remapped();
  }

  #show(): Views {
    const buffer = native().mappingBuffer(this.#native);
    if (typeof buffer !== 'number') {
      stay(buffer);
      return {
        buffer,
        bytes: new Uint8Array(buffer),
        int32: new Int32Array(buffer, 0, Math.floor(this.#byteLength / 4)),
      };
    }
    if (buffer === -EOPNOTSUPP) {
      throw codedError(
        'ERR_INTERPROC_UNSUPPORTED',
        'this runtime does not allow an ArrayBuffer over memory that is not its own (Electron, among others), so shared memory cannot be used in it',
      );
    }
    if (buffer === -EFBIG) {
      throw rangeError(
        `this runtime has no ArrayBuffer of ${this.#byteLength} bytes: map a part, or for reading only, which needs none`,
      );
    }
    throw new Error(`no buffer: ${check(buffer, 'mmap', this.#subject)}`);
  }

  #writableViews(): Views {
    this.use();
    const views = this.#views;
    if (views === undefined) {
      throw codedError(
        'ERR_INTERPROC_READ_ONLY',
        `${this.describe()} is read-only, and JavaScript has no read-only view of memory: read() copies out of it`,
      );
    }
    return views;
  }

  /**
   * All of it. A view of the memory itself: it changes when another process writes.
   *
   * @throws Error ERR_INTERPROC_READ_ONLY for a mapping that is only for reading: `read()` copies out of it
   */
  get bytes(): Uint8Array {
    return this.#writableViews().bytes;
  }

  /** The ArrayBuffer, to make other views of. Detached by `close()`, `protect()` and `resize()`. */
  get buffer(): ArrayBuffer {
    return this.#writableViews().buffer;
  }

  /** As 32-bit integers, for `Atomics`. */
  get int32(): Int32Array {
    return this.#writableViews().int32;
  }

  /**
   * Copies bytes out of it, whatever the access. What others write meanwhile may be half there.
   *
   * @param offset bytes from its beginning
   * @param length bytes; up to the end if omitted
   * @param into where to; a new array if omitted, which is returned
   * @throws Error ERR_INTERPROC_TRUNCATED if the file behind it has been cut
   */
  read(offset = 0, length = this.#byteLength - offset, into?: Uint8Array): Uint8Array {
    this.use();
    checkInteger('offset', offset, 0, this.#byteLength);
    checkInteger('length', length, 0, Math.min(this.#byteLength - offset, MOST_READ));
    const target = into ?? new Uint8Array(length);
    checkBytes('into', target);
    if (target.length < length) throw rangeError(`into has ${target.length} bytes, and ${length} are to be read`);
    if (length > 0) check(native().mappingRead(this.#native, offset, target, 0, length), 'read', this.#subject);
    this.checkIntact();
    return target;
  }

  /**
   * Copies bytes into it.
   *
   * @param offset bytes from its beginning
   * @throws Error ERR_INTERPROC_READ_ONLY, ERR_INTERPROC_TRUNCATED
   */
  write(offset: number, data: Uint8Array): void {
    const { bytes } = this.#writableViews();
    checkBytes('data', data);
    checkInteger('offset', offset, 0, this.#byteLength);
    if (data.length > this.#byteLength - offset) {
      throw rangeError(
        `${data.length} bytes at ${offset} would go beyond the ${this.#byteLength} of ${this.describe()}`,
      );
    }
    bytes.set(data, offset);
    this.checkIntact();
  }

  /**
   * Throws `ERR_INTERPROC_TRUNCATED` if a page was touched here that the file behind it no longer
   * has: somebody has cut it. Such an access reads zeros and changes nothing; without interproc's
   * guard it would end the process (SIGBUS). It costs a comparison while nothing happened. Every other call of a
   * mapping asks, too; whoever works with views of their own asks before they believe what they read.
   */
  checkIntact(): void {
    if (this.#faults[0] !== this.#seen) this.#lookAtFaults();
  }

  #lookAtFaults(): void {
    if (this.closed) return;
    const seen = this.#faults[0] as number;
    if (native().mappingCut(this.#native) === 1) {
      throw codedError(
        'ERR_INTERPROC_TRUNCATED',
        `somebody has cut the file behind ${this.describe()}, or its file system is full`,
      );
    }
    this.#seen = seen;
  }

  /** @internal */
  override use(): void {
    super.use();
    this.checkIntact();
  }

  /**
   * Waits until what was written is on the disk (msync(2) with MS_SYNC), on a thread of its own. Memory that no file lies behind has
   * nothing to wait for. An abort rejects once the kernel has let go.
   *
   * @param options the part; all if omitted. Whole pages are written
   * @throws IpcError EIO, EBUSY (`invalidate`, and a part is locked)
   */
  async sync(options: SyncOptions & WaitOptions = {}): Promise<void> {
    const { offset, length, flags } = this.#syncPart(options);
    const begin = (token: number): number =>
      native().blockingMsync(token, this.#native, offset, length, flags | MS_SYNC);
    check(
      await callBlocking(begin, options, { syscall: 'msync', subject: this.#subject }, this),
      'msync',
      this.#subject,
    );
    this.checkIntact();
  }

  /** The same, blocking this thread. */
  syncSync(options: SyncOptions = {}): void {
    this.#msync(options, MS_SYNC);
  }

  /** Has the kernel write what was changed when it likes (MS_ASYNC), which it would do anyway; it checks the part. */
  syncLater(options: SyncOptions = {}): void {
    this.#msync(options, MS_ASYNC);
  }

  #syncPart(options: SyncOptions): { offset: number; length: number; flags: number } {
    this.use();
    checkOptions(options, [...RANGE, 'invalidate', ...WAIT_OPTIONS]);
    return { ...pagesOf(options, this.#byteLength), flags: options.invalidate === true ? MS_INVALIDATE : 0 };
  }

  #msync(options: SyncOptions, how: number): void {
    const { offset, length, flags } = this.#syncPart(options);
    check(native().msync(this.#native, offset, length, flags | how), 'msync', this.#subject);
    this.checkIntact();
  }

  /**
   * Tells the kernel what is going to be done with the pages (madvise(2)).
   *
   * @param advice `'sequential'`, `'willneed'`, …: madvise(2)'s words, in lower case
   * @param range the part; all if omitted. Whole pages only: more than was meant would be thrown away
   * @throws IpcError EINVAL for what cannot be applied to such memory, or an advice that this kernel does not know
   */
  advise(advice: Advice, range: Range = {}): void {
    this.use();
    const number = adviceNumber(advice);
    checkOptions(range, RANGE);
    const { offset, length } = checkRange(range, this.#byteLength);
    checkPageAligned('offset', offset);
    if (offset + length < this.#byteLength) checkPageAligned('length', length);
    check(native().madvise(this.#native, offset, length, number), 'madvise', this.#subject);
    this.checkIntact();
  }

  /**
   * Keeps pages in memory (mlock2(2)), so that no access waits for a disk. Until `unlockMemory()`, or until it is unmapped.
   *
   * @param options the part, in whole pages; `onFault`: each page once it is used, not all at once (MLOCK_ONFAULT)
   * @throws IpcError ENOMEM, EPERM: more than RLIMIT_MEMLOCK, which CAP_IPC_LOCK lifts
   */
  lockMemory(options: Range & { onFault?: boolean } = {}): void {
    this.use();
    checkOptions(options, [...RANGE, 'onFault']);
    const { offset, length } = pagesOf(options, this.#byteLength);
    const flags = options.onFault === true ? MLOCK_ONFAULT : 0;
    check(native().mlock(this.#native, offset, length, flags), 'mlock', this.#subject);
  }

  /** Takes `lockMemory()` back (munlock(2)); locks do not add up. */
  unlockMemory(range: Range = {}): void {
    this.use();
    checkOptions(range, RANGE);
    const { offset, length } = pagesOf(range, this.#byteLength);
    check(native().munlock(this.#native, offset, length), 'munlock', this.#subject);
  }

  /** Which pages of it are in memory now (mincore(2)). For a file that we could not write, the kernel tells only what we have used. */
  resident(range: Range = {}): Residence {
    this.use();
    checkOptions(range, RANGE);
    const { offset, length } = pagesOf(range, this.#byteLength);
    const page = pageSize();
    const pages = new Uint8Array(Math.ceil(length / page));
    check(native().mincore(this.#native, offset, length, pages), 'mincore', this.#subject);
    let count = 0;
    for (let index = 0; index < pages.length; index++) {
      pages[index] = (pages[index] as number) & 1;
      count += pages[index] as number;
    }
    return { bytes: count * page, pages };
  }

  /**
   * Changes what may be done with all of it (mprotect(2)). Views that were made of it have length 0 afterwards: take `bytes` anew.
   *
   * @param access `'read'`, after which no store through this mapping is possible, or `'read-write'`, which makes it what it was
   * @throws IpcError EACCES (what is behind it is not open for writing); EBUSY while another thread or a pending wait uses
   *   it, whose next store would end the process
   */
  protect(access: 'read' | 'read-write'): void {
    this.use();
    if (access !== 'read' && access !== 'read-write') {
      throw argumentError(`access must be 'read' or 'read-write', got ${String(access)}`);
    }
    const { protection } = howToMap(access);
    const result = native().mappingProtect(this.#native, this.#views?.buffer, protection);
    if (result === -EBUSY) {
      throw new IpcError({
        code: 'EBUSY',
        syscall: 'mprotect',
        ...this.#subject,
        message: 'another thread, a pending wait, or a buffer that was moved away uses this memory',
      });
    }
    this.#detached();
    if (result < 0) {
      // The buffer is detached by now, and nothing else has changed.
      this.#views = this.#readOnly ? undefined : this.#show();
      throw systemError(result, 'mprotect', this.#subject);
    }
    this.#readOnly = access === 'read';
    this.#views = this.#readOnly ? undefined : this.#show();
  }

  /**
   * Maps the same thing anew with another length, after it has grown, or to see less of it (mremap(2)). Views that were made of
   * it have length 0 afterwards; other threads keep what they have mapped.
   *
   * @param byteLength bytes; the file, or the object, has them already
   * @throws RangeError for more than there is, as far as whole pages tell; IpcError EINVAL for private memory, which cannot be mapped anew
   */
  resize(byteLength: number): void {
    this.use();
    checkInteger('byteLength', byteLength, 1, Number.MAX_SAFE_INTEGER);
    this.residents.checkRoom(byteLength);
    const resized = native().mappingResized(this.#native, byteLength);
    if (typeof resized === 'number') throw systemError(resized, 'mremap', this.#subject);
    native().mappingTouch(resized, byteLength - 1);
    if (native().mappingCut(resized) === 1) {
      native().munmap(resized, undefined);
      throw rangeError(`byteLength must be at most what the file has, got ${byteLength}`);
    }
    const old = { mapping: this.#native, buffer: this.#views?.buffer, byteLength: this.#byteLength };
    this.#native = resized;
    this.#byteLength = byteLength;
    try {
      this.#views = this.#readOnly ? undefined : this.#show();
    } catch (error) {
      this.#native = old.mapping;
      this.#byteLength = old.byteLength;
      native().munmap(resized, undefined);
      throw error;
    }
    native().munmap(old.mapping, old.buffer);
    this.#detached();
  }

  /** For another thread of this process: post it, and `attach()` there while this mapping is still open. */
  handle(): MappingHandle {
    this.use();
    return { id: native().mappingId(this.#native), byteLength: this.#byteLength, access: this.access };
  }

  /**
   * Detaches the buffer and unmaps the memory. Locks in it are closed before.
   *
   * @throws Error ERR_INTERPROC_LOCKED while this thread has one of the locks in it
   */
  override close(): void {
    if (!this.closed) this.residents.close();
    super.close();
  }

  /** For calls that work on a word of it. @internal */
  get native(): NativeMapping {
    this.use();
    return this.#native;
  }

  describe(): string {
    return `${this.#what} of ${this.#byteLength} bytes`;
  }

  protected onClose(): void {
    native().munmap(this.#native, this.#views?.buffer);
    this.whenDetached?.();
  }

  protected override details(): Record<string, unknown> {
    return { byteLength: this.#byteLength, access: this.access };
  }
}
