/** What the handles of all System V objects have in common. */
import type { ErrorSubject } from '../core/errors.js';
import { Handle } from '../core/handle.js';
import { traceOf } from '../core/trace.js';
import { keyName } from './key.js';
import type { Found, Kind } from './kind.js';
import { Target } from './target.js';

const trace = traceOf('sysv');

/**
 * A System V object. It is no descriptor and is not open: the kernel looks at the permissions with each call. `close()`
 * forgets it, `remove()` removes it for everybody.
 */
export abstract class SystemVObject extends Handle {
  /** The number by which the kernel and ipcs(1) know it. */
  readonly id: number;
  /** 0 to 2^32 - 1; 0 is a private object. */
  readonly key: number;
  /** Whether this call made the object. */
  readonly created: boolean;
  /** @internal */
  protected readonly target: Target;

  /** @internal */
  constructor(kind: Kind, found: Found) {
    super();
    this.id = found.id;
    this.key = found.key;
    this.created = found.created;
    this.target = new Target(kind, found);
    trace(found.created ? 'create' : 'open', { kind: kind.noun, id: found.id, key: found.key });
  }

  /** What errors about it name. @internal */
  get subject(): ErrorSubject {
    return this.target.subject;
  }

  /** The error for what a call answered. @internal */
  failure(result: number, syscall: string): Error {
    return this.target.error(result, syscall);
  }

  /**
   * Removes the object for everybody (IPC_RMID).
   *
   * @throws IpcError EPERM (neither owner nor creator), EIDRM (it is removed already)
   */
  remove(): void {
    this.use();
    const { kind } = this.target;
    this.target.check(kind.remove(this.id), `${kind.prefix}ctl(IPC_RMID)`);
    trace('remove', { kind: kind.noun, id: this.id, key: this.key });
  }

  describe(): string {
    const { key, object } = this.target.subject;
    return `the System V ${this.target.kind.noun} ${key ?? `with ${object}`}`;
  }

  /** Nothing is held: the object stays. */
  protected onClose(): void {}

  protected override details(): Record<string, unknown> {
    return { key: keyName(this.key), id: this.id };
  }
}
