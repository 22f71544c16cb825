/** Stream sockets that are connected, in every way there is to get one. */
import { F_SETFD, FD_CLOEXEC, native, SOCK_STREAM } from '../sys/index.js';
import { checkOptions } from '../core/arguments.js';
import { callBlocking, callBlockingSync } from '../core/blocking.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { check, IpcError, timeoutError } from '../core/errors.js';
import { traceOf } from '../core/trace.js';
import { setNonBlocking } from '../core/transfer.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { type Address, parseAddress, type Place } from './address.js';
import type { Credentials } from './descriptors.js';
import { checkInherited } from './inherited.js';
import { checkPolicy, credentialsOf, isAllowed, type Policy, type PolicyOptions } from './peer.js';
import { StreamSocket } from './socket.js';

const trace = traceOf('unix');

/** Options of `connect`. `allow` decides about the server, by its credentials when it began to listen. */
export interface ConnectOptions extends WaitOptions, PolicyOptions {}
/** Options of `connectSync`. */
export interface SyncConnectOptions extends SyncWaitOptions, PolicyOptions {}
/** Options of `tryConnect`. */
export type TryConnectOptions = PolicyOptions;

function refusal(place: Place, { pid, uid }: Credentials): IpcError {
  return new IpcError({
    code: 'EACCES',
    syscall: 'connect',
    ...place.subject,
    message: `the server is process ${pid} of user ${uid}, which \`allow\` refuses`,
    hint: 'another program may have taken this address',
  });
}

function socketOn(fd: number, place: Place, allow: Policy | undefined): StreamSocket {
  if (allow !== undefined) {
    try {
      const server = credentialsOf(fd, place.subject);
      if (!isAllowed(allow, server)) throw refusal(place, server);
    } catch (why) {
      native().close(fd);
      trace('refuse', { ...place.subject, fd });
      throw why;
    }
  }
  trace('connect', { ...place.subject, fd });
  return new StreamSocket(fd, `the connection to ${String(place.subject.path ?? place.subject.object)}`, place.subject);
}

/** connect(2) without waiting; `undefined` while the server's backlog is full. */
export function connectNow(place: Place, allow: Policy | undefined): StreamSocket | undefined {
  const fd = check(native().socket(SOCK_STREAM), 'socket', place.subject);
  const connected = native().connect(fd, place.name);
  if (connected === 0) return socketOn(fd, place, allow);
  native().close(fd);
  if (connected === -EAGAIN || connected === -EINTR) return undefined;
  check(connected, 'connect', place.subject);
  return undefined;
}

/** As `connect`, with an address that was checked before. */
export async function connectTo(place: Place, options: ConnectOptions | undefined): Promise<StreamSocket> {
  checkSignal(options?.signal);
  const timeoutMs = checkTimeout(options?.timeoutMs);
  const now = connectNow(place, options?.allow);
  if (now !== undefined) return now;
  if (timeoutMs === 0) throw timeoutError('connect', 0, place.subject);
  const start = (token: number): number => native().blockingConnect(token, SOCK_STREAM, place.name);
  const connected = await callBlocking(start, options, { syscall: 'connect', subject: place.subject });
  return socketOn(check(connected, 'connect', place.subject), place, options?.allow);
}

/**
 * Connects to a server (connect(2)). While its backlog is full this waits, on a thread of its own,
 * and takes its turn.
 *
 * @throws IpcError ENOENT (no socket there), ECONNREFUSED (nobody listens), EACCES (no write permission on
 *   the socket file, or `allow` refuses the server), EPROTOTYPE (a socket of another type), ETIMEDOUT
 */
export async function connect(address: Address, options?: ConnectOptions): Promise<StreamSocket> {
  checkOptions(options, ['allow', ...WAIT_OPTIONS]);
  checkPolicy(options?.allow);
  return connectTo(parseAddress(address), options);
}

/** As `connect`, blocking this thread. */
export function connectSync(address: Address, options?: SyncConnectOptions): StreamSocket {
  const place = parseAddress(address);
  checkOptions(options, ['allow', 'timeoutMs']);
  checkPolicy(options?.allow);
  checkTimeout(options?.timeoutMs);
  const now = connectNow(place, options?.allow);
  if (now !== undefined) return now;
  const start = (token: number): number => native().blockingConnect(token, SOCK_STREAM, place.name);
  const connected = callBlockingSync(start, options, { syscall: 'connect', subject: place.subject });
  return socketOn(check(connected, 'connect', place.subject), place, options?.allow);
}

/** As `connect`, without waiting: `undefined` while the server's backlog is full. */
export function tryConnect(address: Address, options?: TryConnectOptions): StreamSocket | undefined {
  checkOptions(options, ['allow']);
  checkPolicy(options?.allow);
  return connectNow(parseAddress(address), options?.allow);
}

/** Two sockets that are connected to each other. */
export interface SocketPair extends Disposable {
  first: StreamSocket;
  second: StreamSocket;
  /** Closes both. */
  close(): void;
}

const ends = new Int32Array(new ArrayBuffer(128));

/** Two sockets connected to each other (socketpair(2)); one is usually for a child (`handOver`). */
export function pair(): SocketPair {
  check(native().socketpair(SOCK_STREAM, ends), 'socketpair');
  const [one, other] = [ends[0] as number, ends[1] as number];
  const first = new StreamSocket(one, 'the first socket of a pair');
  const second = new StreamSocket(other, 'the second socket of a pair');
  setNonBlocking(one, false);
  setNonBlocking(other, false);
  const close = (): void => {
    first.close();
    second.close();
  };
  trace('pair', { first: one, second: other });
  return { first, second, close, [Symbol.dispose]: close };
}

/**
 * Takes over a descriptor that this process inherited, or got over another socket, as a connected
 * stream socket. It becomes close-on-exec, with the first call that must not block non-blocking for everybody who shares
 * it, and is closed with the handle.
 *
 * @throws TypeError if it is no connected Unix stream socket; IpcError EBADF
 */
export function fromFd(fd: number): StreamSocket {
  const subject = checkInherited(fd, false);
  check(native().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl(F_SETFD)', subject);
  return new StreamSocket(fd, `the socket of descriptor ${fd}`, subject);
}
