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
export type { Credentials } from './answers.js';
export type { SocketPair } from './connect.js';
export type { ConnectOptions, Pair, SyncConnectOptions, TryConnectOptions } from './connecting.js';
export type { BindOptions, DatagramConnectOptions, DatagramPair } from './datagram.js';
export {
  type Datagram,
  DatagramSocket,
  type SendOptions,
  type SyncSendOptions,
  type ToOptions,
  type TrySendOptions,
} from './datagramSocket.js';
export type { Received, Sendable, SendExtras } from './descriptors.js';
export { Listener, type ListenOptions, StreamListener } from './listener.js';
export { MessageSocket } from './messageSocket.js';
export type {
  ManyOptions,
  Message,
  MessageOptions,
  SyncManyOptions,
  SyncMessageOptions,
  TryManyOptions,
  TryMessageOptions,
} from './receiving.js';
export { SeqpacketListener, type SeqpacketPair } from './seqpacket.js';
export { SeqpacketSocket } from './seqpacketSocket.js';
export { StreamSocket } from './socket.js';
export type { Policy, PolicyOptions } from './peer.js';
export * as datagram from './datagram.js';
export * as seqpacket from './seqpacket.js';
export * as stream from './stream.js';
