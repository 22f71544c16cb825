/** Seqpacket sockets: a connection carries messages in both directions, whole and in order. */
import { F_SETFD, FD_CLOEXEC, native, SOCK_SEQPACKET } from '../sys/index.js';
import { check } from '../core/errors.js';
import type { Address } from './address.js';
import { connectKindWhenListening } from './appear.js';
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
import { adoptListener, listenAs, Listener, type ListenOptions } from './listener.js';
import type { PolicyOptions } from './peer.js';
import { SeqpacketSocket } from './seqpacketSocket.js';

const SEQPACKET: Kind<SeqpacketSocket> = {
  type: SOCK_SEQPACKET,
  wrap: (fd, what, subject) => new SeqpacketSocket(fd, what, subject),
};

/** A listening seqpacket socket. `close()` removes its socket file and the lock file beside it. */
export class SeqpacketListener extends Listener<SeqpacketSocket> {}

/** Two seqpacket sockets that are connected to each other. */
export type SeqpacketPair = Pair<SeqpacketSocket>;

/**
 * Listens at an address (bind(2), listen(2)), with everything that holds for `unix.stream.listen`.
 *
 * @throws IpcError EADDRINUSE (a live server, or a file that is no socket), EACCES, ENOENT (the
 *   folder); TypeError for an address longer than 107 bytes
 */
export function listen(address: Address, options: ListenOptions = {}): SeqpacketListener {
  const { fd, place, claim } = listenAs(SEQPACKET.type, address, options);
  return new SeqpacketListener(SEQPACKET, fd, place, claim, options.allow);
}

/**
 * Connects to a server (connect(2)). While its backlog is full this waits, on a thread of its own,
 * and takes its turn.
 *
 * @throws IpcError ENOENT (no socket there), ECONNREFUSED (nobody listens), EACCES (no write permission on
 *   the socket file, or `allow` refuses the server), EPROTOTYPE (a socket of another type), ETIMEDOUT
 */
export function connect(address: Address, options?: ConnectOptions): Promise<SeqpacketSocket> {
  return connectKind(SEQPACKET, address, options);
}

/** As `connect`, blocking this thread. */
export function connectSync(address: Address, options?: SyncConnectOptions): SeqpacketSocket {
  return connectKindSync(SEQPACKET, address, options);
}

/** As `connect`, without waiting: `undefined` while the server's backlog is full. */
export function tryConnect(address: Address, options?: TryConnectOptions): SeqpacketSocket | undefined {
  return tryConnectKind(SEQPACKET, address, options);
}

/**
 * Connects, and if no server listens at the address yet, waits until one does. The folder of a path
 * must exist.
 *
 * @throws IpcError ETIMEDOUT, EACCES, ENOTDIR, and what `connect` throws except ENOENT and ECONNREFUSED
 */
export function connectWhenListening(address: Address, options?: ConnectOptions): Promise<SeqpacketSocket> {
  return connectKindWhenListening(SEQPACKET, address, options);
}

/** Two sockets connected to each other (socketpair(2)); one is usually for a child (`handOver`). */
export function pair(): SeqpacketPair {
  return pairOf(SEQPACKET.type, SEQPACKET.wrap);
}

/**
 * Takes over a descriptor that this process inherited, or got over another socket, as a connected seqpacket socket. It becomes
 * close-on-exec, with the first call non-blocking for everybody who shares it, and is closed with the handle.
 *
 * @throws TypeError if it is no connected Unix seqpacket socket; IpcError EBADF
 */
export function fromFd(fd: number): SeqpacketSocket {
  const subject = checkInherited(fd, 'connected Unix seqpacket socket');
  check(native().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl(F_SETFD)', subject);
  return new SeqpacketSocket(fd, `the socket of descriptor ${fd}`, subject);
}

/**
 * Takes over a descriptor that this process inherited, or got over another socket, as a listener. It becomes close-on-exec, and
 * non-blocking for everybody who shares it. `close()` closes this descriptor and leaves the socket file to whoever made it.
 *
 * @throws TypeError if it is no listening Unix seqpacket socket; IpcError EBADF
 */
export function listenerFromFd(fd: number, options: PolicyOptions = {}): SeqpacketListener {
  const { place, claim } = adoptListener('listening Unix seqpacket socket', fd, options);
  return new SeqpacketListener(SEQPACKET, fd, place, claim, options.allow);
}
