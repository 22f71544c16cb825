/** A System V segment: attaching it, and what the kernel tells of it. */
import { native, SHM_LOCK, SHM_RDONLY, SHM_UNLOCK } from '../../sys/index.js';
import { checkOptions } from '../../core/arguments.js';
import { argumentError } from '../../core/errors.js';
import { traceOf } from '../../core/trace.js';
import { Mapping } from '../../mmap/index.js';
import type { Found } from '../kind.js';
import { SystemVObject } from '../object.js';
import { checkOwnerChanges, OWNER_CHANGES, type OwnerChanges } from '../owner.js';
import { SEGMENTS, type Status, statusOf } from './status.js';

/** What is to be done with the memory. */
export type Access = 'read' | 'read-write';

/** How a segment is attached. */
export interface AttachOptions {
  /** What the segment was opened for, if omitted: 'read-write' unless `open` was told otherwise. */
  access?: Access;
}

/** What is known of a segment when its handle is made. @internal */
export interface FoundSegment extends Found {
  size: number;
  access: Access;
  hugePages: boolean | undefined;
}

const trace = traceOf('sysv');

/** Throws for what is no access. */
export function checkAccess(access: unknown): asserts access is Access | undefined {
  if (access !== undefined && access !== 'read' && access !== 'read-write') {
    throw argumentError(`access must be 'read' or 'read-write', got ${String(access)}`);
  }
}

/**
 * A segment. It is no descriptor and is not open: the kernel looks at the permissions when it is attached. `close()` forgets
 * it and leaves alone what is attached, `remove()` removes it for everybody.
 */
export class Segment extends SystemVObject {
  /** Bytes. A segment never changes its size. */
  readonly size: number;
  /** Whether this call made it of huge pages; `undefined` for one that was found, of which the kernel does not tell. */
  readonly hugePages: boolean | undefined;
  readonly #access: Access;

  /** @internal */
  constructor(found: FoundSegment) {
    super(SEGMENTS, found);
    this.size = found.size;
    this.hugePages = found.hugePages;
    this.#access = found.access;
  }

  /**
   * Maps all of the segment, shared with everybody who attaches it (shmat(2)). Closing the mapping detaches it (shmdt(2)), and so does
   * the end of the thread that attached it. Each call attaches once more.
   *
   * A segment that was removed can still be attached by who has its handle or id, as long as somebody has it attached.
   *
   * @throws IpcError EACCES (reading needs mode 0400, read-write 0600), EIDRM (it is gone), ENOMEM
   */
  attach(options: AttachOptions = {}): Mapping {
    this.use();
    checkOptions(options, ['access']);
    checkAccess(options.access);
    const access = options.access ?? this.#access;
    const attached = native().shmat(this.id, access === 'read' ? SHM_RDONLY : 0);
    if (typeof attached === 'number') throw this.target.error(attached, 'shmat');
    trace('attach', { id: this.id, key: this.key, access });
    const what = `the memory of ${this.describe()}`;
    return new Mapping(attached, this.size, { access, subject: this.subject, what });
  }

  /** What the kernel tells of the segment (IPC_STAT of shmctl(2)). @throws IpcError EACCES (mode 0400 is needed), EIDRM */
  stat(): Status {
    this.use();
    const status = statusOf(this.id);
    if (typeof status === 'number') throw this.target.error(status, 'shmctl(IPC_STAT)');
    return status;
  }

  /**
   * Changes owner or mode of the segment (IPC_SET of shmctl(2)); what is not named stays. Who has it attached keeps it as it is.
   * Who may not look at the segment names all three.
   *
   * @throws IpcError EPERM (neither owner nor creator), EACCES, EIDRM
   */
  set(changes: OwnerChanges): void {
    this.use();
    checkOptions(changes, OWNER_CHANGES);
    checkOwnerChanges(changes);
    const { uid, gid, mode } = changes;
    const complete = uid !== undefined && gid !== undefined && mode !== undefined;
    const all = complete ? { uid, gid, mode } : { ...this.stat(), ...changes };
    this.target.check(native().shmctlSet(this.id, all.uid, all.gid, all.mode), 'shmctl(IPC_SET)');
  }

  /**
   * Keeps its pages in memory from now on, for everybody: they are not swapped out (SHM_LOCK of shmctl(2)). Pages that nobody has
   * touched yet do not exist yet, and are kept once they do.
   *
   * @throws IpcError EPERM (neither owner nor creator, or RLIMIT_MEMLOCK is 0), ENOMEM (beyond RLIMIT_MEMLOCK), EIDRM
   */
  lock(): void {
    this.use();
    this.target.check(native().shmctl(this.id, SHM_LOCK), 'shmctl(SHM_LOCK)');
  }

  /** Lets its pages be swapped out again (SHM_UNLOCK of shmctl(2)). @throws IpcError EPERM (neither owner nor creator), EIDRM */
  unlock(): void {
    this.use();
    this.target.check(native().shmctl(this.id, SHM_UNLOCK), 'shmctl(SHM_UNLOCK)');
  }

  /**
   * Removes the segment (IPC_RMID of shmctl(2)). Its key is free at once. The memory lives on for those who have it attached, and for who
   * attaches it by handle or id until the last of them detaches it; then it is gone.
   *
   * @throws IpcError EPERM (neither owner nor creator), EIDRM (it is gone already)
   */
  override remove(): void {
    super.remove();
  }

  protected override details(): Record<string, unknown> {
    return { ...super.details(), size: this.size };
  }
}
