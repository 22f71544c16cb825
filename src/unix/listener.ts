/** A socket that takes connections, of streams or of packets. */
import { F_SETFD, FD_CLOEXEC, native, POLLIN, POLLRDHUP, SHUT_RD } from '../sys/index.js';
import { checkInteger, checkMode, checkOptions } from '../core/arguments.js';
import { EAGAIN, EINTR, errnoNumber } from '../core/errno.js';
import { argumentError, check, type ErrorSubject, IpcError } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { whenPossible, whenPossibleSync } from '../core/readiness.js';
import { traceOf } from '../core/trace.js';
import { setNonBlocking } from '../core/transfer.js';
import { untilClosed } from '../core/untilClosed.js';
import { checkWait, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { type Address, parseAddress, type Place, placeOf, SUN_PATH_BYTES } from './address.js';
import { PathClaim } from './claim.js';
import { STREAM } from './connect.js';
import type { Kind } from './connecting.js';
import { checkInherited, type InheritedKind } from './inherited.js';
import { checkPolicy, credentialsOf, isAllowed, type Policy, type PolicyOptions } from './peer.js';
import type { StreamSocket } from './socket.js';

/** How a server listens. */
export interface ListenOptions extends PolicyOptions {
  /**
   * Connections that may wait to be accepted behind the first, 0 to 2^31 - 1, cut to /proc/sys/net/core/somaxconn; 511 if
   * omitted.
   */
  backlog?: number;
  /**
   * Permission bits of the socket file, exactly these whatever the umask; 0600 if omitted. Connecting
   * needs the write permission. An abstract name has no mode: anybody in the network namespace connects.
   */
  mode?: number;
}

const trace = traceOf('unix');
const DEFAULT_BACKLOG = 511;
const ECONNABORTED = errnoNumber('ECONNABORTED') as number;
const TRY_AGAIN = new Set([-EAGAIN, -EINTR, -ECONNABORTED]);

/** A listening socket. `close()` removes its socket file and the lock file beside it. */
export abstract class Listener<S> extends DescriptorHandle {
  /** The address as it was given to `listen`. */
  readonly address: Address;
  readonly #place: Place;
  readonly #claim: PathClaim | undefined;
  readonly #allow: Policy | undefined;
  readonly #kind: Kind<S>;
  #refused = 0;

  /** @internal */
  constructor(kind: Kind<S>, fd: number, place: Place, claim: PathClaim | undefined, allow: Policy | undefined) {
    super(fd, `the listener at ${String(place.subject.path ?? place.subject.object)}`);
    this.address = place.address;
    this.#place = place;
    this.#claim = claim;
    this.#allow = allow;
    this.#kind = kind;
  }

  /** Connections that `allow` has refused. Each was closed unread, and is told of as `refuse` on `interproc:unix`. */
  get refused(): number {
    return this.#refused;
  }

  /** The next connection (accept4(2)), once there is one. An abort loses none. @throws IpcError EMFILE; EINVAL (shut down by another who shares it) */
  accept(options?: WaitOptions): Promise<S> {
    try {
      checkOptions(options, WAIT_OPTIONS);
    } catch (why) {
      return Promise.reject(why);
    }
    return whenPossible(this, POLLIN, this.#attempt(options), options, this.#accepting());
  }

  /** As `accept`, blocking this thread. */
  acceptSync(options?: SyncWaitOptions): S {
    checkOptions(options, ['timeoutMs']);
    return whenPossibleSync(this, POLLIN, this.#attempt(options), options, this.#accepting());
  }

  /** As `accept`, if one waits now, else `undefined`. */
  tryAccept(): S | undefined {
    for (;;) {
      const next = this.#next();
      if (next === undefined) this.#checkNotShut();
      if (next !== false) return next;
    }
  }

  /**
   * One try of a wait. It ends with each refusal, and the wait comes back for the next, so that a peer who connects again and
   * again keeps the event loop from nothing; only a wait of no time has to go through all who are there.
   */
  #attempt(options: SyncWaitOptions | undefined): () => S | undefined {
    if (options?.timeoutMs === 0) return () => this.tryAccept();
    return () => {
      const next = this.#next();
      if (next === undefined) this.#checkNotShut();
      return next || undefined;
    };
  }

  /**
   * A listening socket that somebody who shares it has shut down is ready for ever, and a non-blocking accept says EAGAIN
   * for ever, where one that blocks says EINVAL: without this look a wait would spin.
   */
  #checkNotShut(): void {
    if ((native().poll(this.fd, POLLRDHUP, 0) & POLLRDHUP) !== 0) throw this.#shut();
  }

  #shut(): IpcError {
    return new IpcError({
      code: 'EINVAL',
      syscall: 'accept',
      ...this.#place.subject,
      message: 'the listening socket has been shut down',
      hint: 'whoever shares it can end it for all, with shutdown(2) or acceptLast()',
    });
  }

  /** One connection; `undefined` if none waits, false if it was refused. */
  #next(): S | undefined | false {
    this.use();
    const accepted = native().accept(this.fd);
    if (TRY_AGAIN.has(accepted)) return undefined;
    const fd = check(accepted, 'accept', this.#place.subject);
    if (this.#allow !== undefined && !this.#admits(fd, this.#allow)) {
      this.use(); // The policy may have closed the listener.
      return false;
    }
    trace('accept', { ...this.#place.subject, fd });
    return this.#kind.wrap(fd, `a connection to ${this.#name()}`, this.#place.subject);
  }

  /** Whether the policy admits who has connected; if not, or if it throws or closes the listener, the connection is closed. */
  #admits(fd: number, allow: Policy): boolean {
    const { subject } = this.#place;
    let admitted = false;
    const peer = credentialsOf(fd, subject);
    try {
      admitted = isAllowed(allow, peer) && !this.closed;
    } finally {
      if (!admitted) {
        native().close(fd);
        this.#refused++;
        trace('refuse', { ...subject, fd, ...peer });
      }
    }
    return admitted;
  }

  /** As `acceptLast`, if somebody waits to be let in now, else `undefined`, and the listener stays. */
  tryAcceptLast(): S | undefined {
    if (this.#allow !== undefined) {
      const socket = this.tryAccept();
      if (socket !== undefined) this.close();
      return socket;
    }
    this.use();
    if ((native().poll(this.fd, POLLIN, 0) & POLLIN) === 0) return undefined;
    return this.#takeLast(undefined);
  }

  /**
   * As `accept`, for one connection only, and closes the listener then, also after an abort: whoever comes
   * later is refused as if nobody listened, and so is whoever waits to be let in. With `{ backlog: 0 }` no
   * peer is connected that is not accepted here. Those whom `allow` refuses do not count.
   */
  async acceptLast(options?: WaitOptions): Promise<S> {
    if (options !== undefined) checkWait(options);
    if (this.#allow !== undefined) {
      try {
        return await this.accept(options);
      } finally {
        this.close();
      }
    }
    const somebody = (): true | undefined => ((native().poll(this.fd, POLLIN, 0) & POLLIN) !== 0 ? true : undefined);
    let why: unknown;
    try {
      await whenPossible(this, POLLIN, somebody, options, this.#accepting());
    } catch (error) {
      why = error;
    }
    this.use();
    return this.#takeLast(why);
  }

  #takeLast(why: unknown): S {
    check(native().shutdown(this.fd, SHUT_RD), 'shutdown', this.#place.subject);
    // Also after an abort: somebody may have connected meanwhile, who must not be left alone.
    try {
      const socket = this.#next() || undefined;
      if (socket === undefined) throw why ?? this.#shut();
      return socket;
    } finally {
      // Of those who wait to be let in an accept wakes one, and the end of the listener all.
      this.close();
    }
  }

  #accepting(): { syscall: string; subject: Place['subject'] } {
    return { syscall: 'accept', subject: this.#place.subject };
  }

  #name(): string {
    return String(this.#place.subject.path ?? this.#place.subject.object);
  }

  /** The connections as they come, until the listener is closed. Leaving the loop leaves it open. */
  [Symbol.asyncIterator](): AsyncGenerator<S, void, undefined> {
    return untilClosed(this, () => this.accept());
  }

  /** @internal */
  describe(): string {
    return `the listener at ${this.#name()}`;
  }

  protected override onClose(): void {
    this.#claim?.release();
    super.onClose();
  }

  protected override details(): Record<string, unknown> {
    return { address: this.address, ...super.details() };
  }
}

/** A listening stream socket. `close()` removes its socket file and the lock file beside it. */
export class StreamListener extends Listener<StreamSocket> {}

/** What a listener is made of. */
export interface Listening {
  fd: number;
  place: Place;
  claim: PathClaim | undefined;
}

/** bind(2) and listen(2) of a socket of this type; the options are checked. */
export function listenAs(type: number, address: Address, options: ListenOptions): Listening {
  const place = parseAddress(address);
  checkOptions(options, ['allow', 'backlog', 'mode']);
  checkPolicy(options.allow);
  const { backlog = DEFAULT_BACKLOG, mode = 0o600 } = options;
  checkInteger('backlog', backlog, 0, 0x7fffffff);
  checkMode(mode);
  const { path, subject } = place;
  if (path === undefined && options.mode !== undefined) {
    throw argumentError('an abstract address has no mode: anybody in its network namespace can connect');
  }
  const claim = path === undefined ? undefined : new PathClaim(path, place.name);
  let fd = -1;
  try {
    fd = check(native().socket(type), 'socket', subject);
    if (claim !== undefined) {
      claim.occupy(fd, mode, backlog);
    } else {
      check(native().bind(fd, place.name), 'bind', subject);
      check(native().listen(fd, backlog), 'listen', subject);
    }
  } catch (why) {
    claim?.release();
    if (fd >= 0) native().close(fd);
    throw why;
  }
  trace('listen', { ...subject, fd });
  return { fd, place, claim };
}

/** Where a listening socket is found: getsockname(2). */
function boundPlace(fd: number, subject: ErrorSubject): Place {
  const name = new Uint8Array(SUN_PATH_BYTES);
  const length = check(native().getsockname(fd, name), 'getsockname', subject);
  return placeOf(name.subarray(0, length));
}

/** Takes over a listening descriptor of this kind, and says where it is found; the options are checked. */
export function adoptListener(kind: InheritedKind, fd: number, options: PolicyOptions): Listening {
  checkOptions(options, ['allow']);
  checkPolicy(options.allow);
  const subject = checkInherited(fd, kind);
  const place = boundPlace(fd, subject);
  check(native().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl(F_SETFD)', subject);
  setNonBlocking(fd, true);
  trace('adopt', { ...place.subject, fd });
  return { fd, place, claim: undefined };
}

/**
 * Listens at an address (bind(2), listen(2)). At a path, the server holds a lock on `<path>.lock` for
 * its life: a live server's path is never taken, of two that start at once one wins, and a socket
 * file that a dead server left behind is replaced. The socket appears with its mode, listening.
 *
 * @throws IpcError EADDRINUSE (a live server, or a file that is no socket), EACCES, ENOENT (the
 *   folder); TypeError for an address longer than 107 bytes
 */
export function listen(address: Address, options: ListenOptions = {}): StreamListener {
  const { fd, place, claim } = listenAs(STREAM.type, address, options);
  return new StreamListener(STREAM, fd, place, claim, options.allow);
}

/**
 * Takes over a descriptor that this process inherited, or got over another socket, as a listener. It becomes close-on-exec, and
 * non-blocking for everybody who shares it. Its
 * `address` is what it was bound to, `<path>.new` for one of `listen`. `close()` closes this descriptor and leaves the socket file
 * to whoever made it.
 *
 * @throws TypeError if it is no listening Unix stream socket; IpcError EBADF
 */
export function listenerFromFd(fd: number, options: PolicyOptions = {}): StreamListener {
  const { place, claim } = adoptListener('listening Unix stream socket', fd, options);
  return new StreamListener(STREAM, fd, place, claim, options.allow);
}
