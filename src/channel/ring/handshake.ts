/**
 * How two processes agree on rings over a Unix stream socket (docs/protocol.md). Each message is 32
 * bytes, little-endian: magic "ISHM", version, type, role or capacity, pid.
 *
 * The side that connects says HELLO with its role; the other answers ACCEPT, or BUSY with the pid of
 * who has that role. Then each side that sends makes a ring and hands it over with RING: its memfd,
 * the eventfd that wakes the receiver, the eventfd that wakes the sender.
 */

import { IpcError } from '../../core/errors.js';
import type { WaitOptions } from '../../core/wait.js';
import { native } from '../../sys/index.js';
import type { StreamSocket } from '../../unix/index.js';

const MAGIC = 0x4d485349;
const VERSION = 1;
const LENGTH = 32;

export const HELLO = 1;
export const ACCEPT = 2;
export const BUSY = 3;
export const RING = 4;

/** What a side wants to do: the number on the wire. */
export const ROLES = { sender: 1, receiver: 2, both: 3 } as const;
/** What a side wants to do. */
export type HandshakeRole = keyof typeof ROLES;

/** A message of the handshake. */
export interface Note {
  type: number;
  /** The role of HELLO, the capacity of RING, else 0. */
  value: number;
  pid: number;
  fds: number[];
}

/** Sends one message. */
export async function tell(
  socket: StreamSocket,
  type: number,
  value: number,
  fds: number[],
  options: WaitOptions,
  pid = process.pid,
): Promise<void> {
  const bytes = Buffer.alloc(LENGTH);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(VERSION, 4);
  bytes.writeUInt32LE(type, 8);
  bytes.writeUInt32LE(value, 12);
  bytes.writeUInt32LE(pid, 16);
  await socket.send(bytes, { fds, ...options });
}

/** Closes descriptors that nobody will use. */
export function closeAll(fds: readonly number[]): void {
  for (const fd of fds) native().close(fd);
}

/** Receives one message of this type; `undefined` if the peer hung up before. */
export async function hear(
  socket: StreamSocket,
  types: readonly number[],
  name: string,
  options: WaitOptions,
): Promise<Note | undefined> {
  const bytes = Buffer.alloc(LENGTH);
  const fds: number[] = [];
  let filled = 0;
  try {
    while (filled < LENGTH) {
      const received = await socket.receive({ maxBytes: LENGTH - filled, ...options });
      if (received === null) {
        closeAll(fds);
        return undefined;
      }
      fds.push(...received.fds);
      bytes.set(received.data, filled);
      filled += received.data.length;
    }
    const type = bytes.readUInt32LE(8);
    const version = bytes.readUInt32LE(4);
    if (bytes.readUInt32LE(0) !== MAGIC || version !== VERSION || !types.includes(type)) {
      throw new IpcError({
        code: 'EPROTO',
        syscall: 'recvmsg',
        object: name,
        message: `the peer does not speak version ${VERSION} of the handshake`,
      });
    }
    return { type, value: bytes.readUInt32LE(12), pid: bytes.readUInt32LE(16), fds };
  } catch (error) {
    closeAll(fds);
    throw error;
  }
}
