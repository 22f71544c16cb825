/**
 * Unix domain sockets: unix(7). Connections between processes of one machine, over which open
 * descriptors travel too, and the kernel vouches for who is at the other end.
 *
 * @example
 * using server = unix.stream.listen('/tmp/echo');
 * for await (const socket of server) {
 *   for await (const chunk of socket) await socket.write(chunk);
 * }
 */
export type { ReadOptions, SyncReadOptions, TryReadOptions } from '../core/reading.js';
export { type Address, MOST_ADDRESS_BYTES } from './address.js';
export type { Activated, ActivatedOptions } from './activated.js';
export type { ConnectOptions, SocketPair, SyncConnectOptions, TryConnectOptions } from './connect.js';
export type { Credentials, Received, Sendable, SendExtras } from './descriptors.js';
export { type ListenOptions, StreamListener } from './listener.js';
export { StreamSocket } from './socket.js';
export type { Policy, PolicyOptions } from './peer.js';
export * as stream from './stream.js';
