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
export type { SocketPair } from './connect.js';
export type { Credentials, Received, Sendable } from './descriptors.js';
export { type ListenOptions, StreamListener } from './listener.js';
export { type SendExtras, StreamSocket } from './socket.js';
export * as stream from './stream.js';
