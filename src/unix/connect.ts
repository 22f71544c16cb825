/** Stream sockets that are connected, in every way there is to get one. */
import { F_SETFD, FD_CLOEXEC, native, SOCK_STREAM } from '../sys/index.js';
import { check } from '../core/errors.js';
import type { Address } from './address.js';
import {
  type ConnectOptions,
  connectKind,
  connectKindSync,
  type Kind,
  type Pair,
  pairOf,
  type SyncConnectOptions,
  tryConnectKind,
  type TryConnectOptions,
} from './connecting.js';
import { checkInherited } from './inherited.js';
import { StreamSocket } from './socket.js';

/** Stream sockets. */
export const STREAM: Kind<StreamSocket> = {
  type: SOCK_STREAM,
  wrap: (fd, what, subject) => new StreamSocket(fd, what, subject),
};

/**
 * Connects to a server (connect(2)). While its backlog is full this waits, on a thread of its own,
 * and takes its turn.
 *
 * @throws IpcError ENOENT (no socket there), ECONNREFUSED (nobody listens), EACCES (no write permission on
 *   the socket file, or `allow` refuses the server), EPROTOTYPE (a socket of another type), ETIMEDOUT
 */
export function connect(address: Address, options?: ConnectOptions): Promise<StreamSocket> {
  return connectKind(STREAM, address, options);
}

/** As `connect`, blocking this thread. */
export function connectSync(address: Address, options?: SyncConnectOptions): StreamSocket {
  return connectKindSync(STREAM, address, options);
}

/** As `connect`, without waiting: `undefined` while the server's backlog is full. */
export function tryConnect(address: Address, options?: TryConnectOptions): StreamSocket | undefined {
  return tryConnectKind(STREAM, address, options);
}

/** Two stream sockets that are connected to each other. */
export type SocketPair = Pair<StreamSocket>;

/** Two sockets connected to each other (socketpair(2)); one is usually for a child (`handOver`). */
export function pair(): SocketPair {
  return pairOf(STREAM.type, STREAM.wrap);
}

/**
 * Takes over a descriptor that this process inherited, or got over another socket, as a connected
 * stream socket. It becomes close-on-exec, with the first call that must not block non-blocking for everybody who shares
 * it, and is closed with the handle.
 *
 * @throws TypeError if it is no connected Unix stream socket; IpcError EBADF
 */
export function fromFd(fd: number): StreamSocket {
  const subject = checkInherited(fd, 'connected Unix stream socket');
  check(native().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl(F_SETFD)', subject);
  return new StreamSocket(fd, `the socket of descriptor ${fd}`, subject);
}
