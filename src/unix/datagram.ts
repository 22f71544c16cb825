/** Datagram sockets: messages that stand for themselves, each with the address of who sent it. Nothing connects or ends. */
import { F_SETFD, FD_CLOEXEC, native, SO_PASSCRED, SOCK_DGRAM } from '../sys/index.js';
import { checkMode, checkOptions } from '../core/arguments.js';
import { argumentError, check } from '../core/errors.js';
import { traceOf } from '../core/trace.js';
import { WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { type Address, parseAddress, type Place } from './address.js';
import { whenThere } from './appear.js';
import { PathClaim } from './claim.js';
import { type Pair, pairOf } from './connecting.js';
import { DatagramSocket } from './datagramSocket.js';
import { checkInherited } from './inherited.js';
import { checkPolicy, type PolicyOptions } from './peer.js';

const trace = traceOf('unix');
/** The name that has the kernel choose one. */
const ANY = new Uint8Array(new ArrayBuffer(4), 0, 0);

/** How a datagram socket is bound. */
export interface BindOptions extends PolicyOptions {
  /**
   * Permission bits of the socket file, exactly these whatever the umask; 0600 if omitted. Sending to it needs the write
   * permission. An abstract name has no mode: anybody in the network namespace sends to it.
   */
  mode?: number;
}

/** How a datagram socket is connected. */
export interface DatagramConnectOptions {
  /** Where it is bound itself, so that the receiver can answer: an address, or `true` for an abstract name that the kernel chooses. */
  from?: Address | true;
}

/** Binds `fd` there; what it returns gives the path back. */
function occupy(fd: number, place: Place | undefined, mode: number): (() => void) | undefined {
  if (place?.path === undefined) {
    check(native().bind(fd, place?.name ?? ANY), 'bind', place?.subject);
    return undefined;
  }
  const claim = new PathClaim(place.path, place.name);
  try {
    claim.occupyAsIs(fd, mode);
  } catch (why) {
    claim.release();
    throw why;
  }
  return () => claim.release();
}

/** A socket that is bound there, or nowhere yet (`false`). */
function make(what: string, place: Place | undefined | false, options: BindOptions): DatagramSocket {
  const fd = check(native().socket(SOCK_DGRAM), 'socket');
  try {
    const { allow } = options;
    // Before it can be sent to, so that every message says who sent it.
    if (allow !== undefined) check(native().setsockopt(fd, SO_PASSCRED, 1), 'setsockopt(SO_PASSCRED)');
    const release = place === false ? undefined : occupy(fd, place, options.mode ?? 0o600);
    const subject = place === false ? undefined : place?.subject;
    trace('bind', { ...subject, fd });
    return new DatagramSocket(fd, what, { subject, allow, ...(release === undefined ? {} : { release }) });
  } catch (why) {
    native().close(fd);
    throw why;
  }
}

function nameOf(place: Place | undefined): string {
  return place === undefined
    ? 'a datagram socket'
    : `the datagram socket at ${place.subject.path ?? place.subject.object}`;
}

/**
 * A datagram socket at this address (bind(2)), or, if it is omitted, at an abstract name that the kernel chooses (`address`
 * tells). At a path it holds a lock on `<path>.lock` for its life: that of a live socket is never taken, of two that start at
 * once one wins, and a socket file that a dead one left behind is replaced. `close()` removes both.
 *
 * @throws IpcError EADDRINUSE (a live socket, or a file that is no socket), EACCES, ENOENT (the folder); TypeError for an
 *   address longer than 107 bytes
 */
export function bind(address?: Address, options: BindOptions = {}): DatagramSocket {
  const place = address === undefined ? undefined : parseAddress(address);
  checkOptions(options, ['allow', 'mode']);
  checkPolicy(options.allow);
  checkMode(options.mode ?? 0);
  if (options.mode !== undefined && place?.path === undefined) {
    throw argumentError('an abstract address has no mode: anybody in its network namespace can send to it');
  }
  return make(nameOf(place), place, options);
}

/**
 * A datagram socket whose messages are for this receiver (connect(2)), and which receives from no other. It does not wait,
 * and does not tell the receiver. Without `from` it has no address, and the receiver cannot answer.
 *
 * @throws IpcError ENOENT (no socket there), ECONNREFUSED (left behind by one that is gone), EACCES (no write permission on
 *   the socket file), EPROTOTYPE (a socket of another type), EPERM (it is connected to another)
 */
export function connect(address: Address, options: DatagramConnectOptions = {}): DatagramSocket {
  const receiver = parseAddress(address);
  checkOptions(options, ['from']);
  const { from } = options;
  const own = from === undefined ? false : from === true ? undefined : parseAddress(from);
  const what = `the datagram socket to ${receiver.subject.path ?? receiver.subject.object}`;
  const socket = make(what, own, {});
  try {
    socket.connect(address);
    return socket;
  } catch (why) {
    socket.close();
    throw why;
  }
}

/**
 * As `connect`, and if no socket is bound at the address yet, waits until one is. The folder of a path must exist.
 *
 * @throws IpcError ETIMEDOUT, EACCES, ENOTDIR, and what `connect` throws except ENOENT and ECONNREFUSED
 */
export async function connectWhenBound(
  address: Address,
  options: DatagramConnectOptions & WaitOptions = {},
): Promise<DatagramSocket> {
  checkOptions(options, ['from', ...WAIT_OPTIONS]);
  const own = options.from === undefined ? {} : { from: options.from };
  return whenThere(address, () => connect(address, own), options);
}

/** Two datagram sockets that are connected to each other. */
export type DatagramPair = Pair<DatagramSocket>;

/** The other socket of a pair: it has no name. */
const PAIRED: Place = { name: ANY, path: undefined, subject: {}, address: ANY };

/** Two datagram sockets that are connected to each other (socketpair(2)) and have no address; one is usually for a child (`handOver`). */
export function pair(): DatagramPair {
  return pairOf(SOCK_DGRAM, (fd, what) => new DatagramSocket(fd, what, { peer: PAIRED }));
}

/**
 * Takes over a descriptor that this process inherited, or got over another socket, as a datagram socket. It becomes
 * close-on-exec, with the first call non-blocking for everybody who shares it, and is closed with the handle; its file is left
 * to whoever made it.
 *
 * @throws TypeError if it is no Unix datagram socket; IpcError EBADF
 */
export function fromFd(fd: number): DatagramSocket {
  const subject = checkInherited(fd, 'Unix datagram socket');
  check(native().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl(F_SETFD)', subject);
  return new DatagramSocket(fd, `the socket of descriptor ${fd}`, { subject, peer: null });
}
