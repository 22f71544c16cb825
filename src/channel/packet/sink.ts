/**
 * Messages over a socket that keeps boundaries. A packet holds one message or several, or a piece of one that is longer
 * (pieces.ts has the forms); `raw` sends each message as it is.
 *
 * Messages are gathered in a packet of 16 KiB, which leaves with one call.
 */
import { native, POLLOUT } from '../../sys/index.js';
import { EAGAIN, ECONNREFUSED, ECONNRESET, EINTR, ENOENT, ENOTCONN, EPIPE } from '../../core/errno.js';
import { check, type ErrorSubject, IpcError } from '../../core/errors.js';
import { onceReady } from '../../core/readiness.js';
import type { DatagramSocket, SeqpacketSocket } from '../../unix/index.js';
import type { Sink } from '../contract.js';
import {
  END,
  END_LENGTH,
  FIRST,
  FRAME_HEADER,
  MORE,
  newSenderId,
  PACKET,
  PIECE_HEADER,
  SEVERAL,
  SEVERAL_HEADER,
  WHOLE_HEADER,
} from '../pieces.js';
import { receiverGone } from '../stream/hangup.js';

/** What the kernel says where nobody receives any more: of a connection, and of a datagram socket's receiver. */
const GONE = new Set([EPIPE, ECONNRESET, ECONNREFUSED, ENOTCONN, ENOENT].map((errno) => -errno));

/** Sends packets by a non-blocking socket that is connected, and closes it in the end. */
export class PacketSink implements Sink {
  readonly wholeLimit: number;
  readonly #socket: DatagramSocket | SeqpacketSocket;
  readonly #fd: number;
  readonly #raw: boolean;
  readonly #subject: ErrorSubject;
  readonly #sender = newSenderId();
  /** Messages that have not left: the kind of the packet, and each behind its length. */
  readonly #gathered = Buffer.alloc(PACKET);
  #end = SEVERAL_HEADER;
  #count = 0;
  /** Where a piece is put together. */
  #buffer: Buffer | undefined;
  #pieces = 0;

  constructor(socket: DatagramSocket | SeqpacketSocket, raw: boolean, subject: ErrorSubject) {
    this.#socket = socket;
    this.#fd = socket.fd;
    this.#raw = raw;
    this.#subject = subject;
    this.#gathered[0] = SEVERAL;
    this.wholeLimit = raw ? socket.longestMessage : PACKET - SEVERAL_HEADER - FRAME_HEADER;
  }

  /** Sends one packet; false if there is no room. */
  #send(bytes: Uint8Array, start: number, end: number): boolean {
    const sent = native().write(this.#fd, bytes, start, end - start);
    if (sent === -EAGAIN || sent === -EINTR) return false;
    if (GONE.has(sent)) throw receiverGone(this.#subject);
    check(sent, 'write', this.#subject);
    return true;
  }

  offer(message: Uint8Array): boolean {
    if (this.#raw) return this.#send(message, 0, message.length);
    const size = FRAME_HEADER + message.length;
    if (this.#end + size > PACKET && !this.publish()) return false;
    this.#gathered.writeUInt32LE(message.length, this.#end);
    this.#gathered.set(message, this.#end + FRAME_HEADER);
    this.#end += size;
    this.#count++;
    return true;
  }

  publish(): boolean {
    if (this.#count === 0) return true;
    // One alone begins with the last byte of its length: that is 0 since it is short, and 0 is the kind of a whole message.
    const start = this.#count === 1 ? SEVERAL_HEADER + FRAME_HEADER - WHOLE_HEADER : 0;
    if (!this.#send(this.#gathered, start, this.#end)) return false;
    this.#end = SEVERAL_HEADER;
    this.#count = 0;
    return true;
  }

  offerPart(message: Uint8Array, from: number): number {
    if (this.#raw) {
      throw new IpcError({
        code: 'EMSGSIZE',
        syscall: 'write',
        ...this.#subject,
        message: `${message.length} bytes are more than the ${this.wholeLimit} of a packet, and ?raw does not split`,
      });
    }
    if (!this.publish()) return from;
    this.#buffer ??= Buffer.alloc(PACKET);
    const buffer = this.#buffer;
    let next = from;
    if (next === 0) this.#pieces = 0;
    while (next < message.length) {
      const size = Math.min(PACKET - PIECE_HEADER, message.length - next);
      buffer.writeUInt32LE(next === 0 ? FIRST : MORE, 0);
      buffer.writeUInt32LE(this.#pieces, 4);
      buffer.writeBigUInt64LE(this.#sender, 8);
      buffer.writeBigUInt64LE(BigInt(next === 0 ? message.length : next), 16);
      buffer.set(message.subarray(next, next + size), PIECE_HEADER);
      if (!this.#send(buffer, 0, PIECE_HEADER + size)) break;
      next += size;
      this.#pieces++;
    }
    return next;
  }

  offerEnd(): boolean {
    if (this.#raw) return true;
    if (!this.publish()) return false;
    const mark = Buffer.alloc(END_LENGTH);
    mark[0] = END;
    mark.writeBigUInt64LE(this.#sender, 8);
    return this.#send(mark, 0, END_LENGTH);
  }

  whenWritable = (ready: () => void): (() => void) => onceReady(this.#fd, POLLOUT, ready);

  waitWritable(timeoutMs: number): void {
    native().poll(this.#fd, POLLOUT, Math.ceil(timeoutMs));
  }

  release(): void {
    this.#socket.close();
  }
}
