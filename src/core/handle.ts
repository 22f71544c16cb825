/**
 * What all handles are: something of the kernel's that we hold until `close()`.
 *
 * `close()` is idempotent and ends the waits that are pending on the handle; use after it is
 * `ERR_INTERPROC_CLOSED`, never an action on a descriptor number that means another file by now.
 * A handle that is collected without having been closed is closed then, with a warning, since the
 * descriptor was held until some garbage collection for nothing. The descriptors of a worker's
 * handles are closed with the worker.
 */
import { inspect } from 'node:util';
import { native } from '../sys/index.js';
import { closedError } from './errors.js';
import { forgetDescriptor } from './readiness.js';
import { Referenced } from './referenced.js';

/** A thing that is open until it is closed. */
export abstract class Handle extends Referenced {
  #closed = false;

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Lets go of our handle; the object itself stays for others. Waits that are pending reject with
   * `ERR_INTERPROC_CLOSED`. Calling it again does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.cancelWaits(closedError(this.describe()));
    this.onClose();
  }

  /** `using handle = …` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Throws `ERR_INTERPROC_CLOSED` after `close()`. @internal */
  use(): void {
    if (this.#closed) throw closedError(this.describe());
  }

  /** What this is, for messages: `the message queue /jobs`. @internal */
  abstract describe(): string;

  /** Gives back what is held; called once. @internal */
  protected abstract onClose(): void;

  /** What `util.inspect` shows. @internal */
  protected details(): Record<string, unknown> {
    return {};
  }

  /** @internal */
  [inspect.custom](_depth: number, options: object): string {
    return `${this.constructor.name} ${inspect({ ...this.details(), closed: this.#closed }, options)}`;
  }
}

interface Abandoned {
  fd: number;
  what: string;
  alsoRelease: (() => void) | undefined;
}

const abandoned = new FinalizationRegistry<Abandoned>(({ fd, what, alsoRelease }) => {
  forgetDescriptor(fd);
  native().close(fd);
  alsoRelease?.();
  process.emitWarning(`${what} was garbage collected without close(); its descriptor ${fd} is closed now`, {
    type: 'InterprocWarning',
    code: 'INTERPROC_NOT_CLOSED',
  });
});

/** A handle that is a descriptor. */
export abstract class DescriptorHandle extends Handle {
  readonly #fd: number;
  readonly #alsoRelease: (() => void) | undefined;
  readonly #beforeClose = new Set<() => void>();

  /** Takes over `fd`, which is closed with the handle; then `alsoRelease`, which must not hold the handle, is called. */
  constructor(fd: number, what: string, alsoRelease?: () => void) {
    super();
    this.#fd = fd;
    this.#alsoRelease = alsoRelease;
    native().holdDescriptor(fd);
    abandoned.register(this, { fd, what, alsoRelease }, this);
  }

  /** The descriptor's number, -1 after `close()`. To hand it to a child, name it in `stdio`. */
  get fd(): number {
    return this.closed ? -1 : this.#fd;
  }

  /** Calls `action` in `close()` while the descriptor is still open; the returned function takes that back. @internal */
  beforeClose(action: () => void): () => void {
    this.#beforeClose.add(action);
    return () => this.#beforeClose.delete(action);
  }

  protected onClose(): void {
    for (const action of this.#beforeClose) action();
    abandoned.unregister(this);
    forgetDescriptor(this.#fd);
    native().close(this.#fd);
    this.#alsoRelease?.();
  }

  protected override details(): Record<string, unknown> {
    return { fd: this.fd };
  }
}

/** A descriptor that is nothing more than held and closed. */
export class OwnedDescriptor extends DescriptorHandle {
  readonly #what: string;

  constructor(fd: number, what: string) {
    super(fd, what);
    this.#what = what;
  }

  describe(): string {
    return this.#what;
  }
}
