/** Messages out of packets (sink.ts, pieces.ts), from one sender to whom the socket is connected, or from many. */
import { native, POLLIN } from '../../sys/index.js';
import { EAGAIN, ECONNRESET, EINTR } from '../../core/errno.js';
import { check, type ErrorSubject, IpcError } from '../../core/errors.js';
import { onceReady } from '../../core/readiness.js';
import type { DatagramSocket, SeqpacketSocket } from '../../unix/index.js';
import type { Source, Visit } from '../contract.js';
import {
  END,
  END_LENGTH,
  FIRST,
  FRAME_HEADER,
  Joiner,
  LONGEST_PACKET,
  MORE,
  SEVERAL,
  SEVERAL_HEADER,
  WHOLE,
  WHOLE_HEADER,
} from '../pieces.js';

/** How packets are received. */
export interface PacketSourceOptions {
  /** Each packet is a message as it is. */
  raw: boolean;
  /** Whether the socket is connected: then it tells that its one sender is gone. */
  connected: boolean;
  /** How many end marks are the end. */
  senders: number;
}

/** Receives packets from a non-blocking socket, and closes it in the end. */
export class PacketSource implements Source {
  /** The descriptor of the socket. */
  readonly fd: number;
  readonly #socket: DatagramSocket | SeqpacketSocket;
  readonly #raw: boolean;
  readonly #connected: boolean;
  readonly #subject: ErrorSubject;
  readonly #joiner = new Joiner();
  #senders: number;
  /** One byte more than a packet has, so that a longer one is noticed. */
  readonly #chunk = Buffer.allocUnsafeSlow(LONGEST_PACKET + 1);
  /** What is left of a packet with several messages. */
  #packet: Buffer = this.#chunk;
  #at = 0;
  #end = 0;
  /** Packets that were received when the sender had gone. */
  readonly #left: Buffer[] = [];
  #failure: IpcError | undefined;
  /** The message that `#advance` found. */
  #bytes: Buffer = this.#chunk;
  #from = 0;
  #to = 0;

  constructor(socket: DatagramSocket | SeqpacketSocket, subject: ErrorSubject, options: PacketSourceOptions) {
    this.#socket = socket;
    this.fd = socket.fd;
    this.#subject = subject;
    this.#raw = options.raw;
    this.#connected = options.connected;
    this.#senders = options.senders;
  }

  #found(bytes: Buffer, from: number, to: number): true {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
    return true;
  }

  /** Whether there is a message, which is the one that was found then; `null` at the end. */
  #advance(): boolean | null {
    for (;;) {
      if (this.#at < this.#end) return this.#nextOfSeveral();
      if (this.#senders === 0) return null;
      if (this.#raw) return this.#nextRaw();
      const length = this.#receive();
      if (length === undefined) return false;
      const packet = this.#packet;
      const kind = length === 0 ? undefined : packet[0];
      if (kind === WHOLE && length <= LONGEST_PACKET) return this.#found(packet, WHOLE_HEADER, length);
      if (kind === SEVERAL && length <= LONGEST_PACKET) {
        this.#at = SEVERAL_HEADER;
        this.#end = length;
      } else if (kind === END && length === END_LENGTH) {
        this.#senders--;
      } else if ((kind === FIRST || kind === MORE) && length <= LONGEST_PACKET) {
        const message = this.#joiner.add(packet, length);
        if (message !== undefined) return this.#found(message, 0, message.length);
      } else {
        throw this.#malformed(length > LONGEST_PACKET ? `more than ${LONGEST_PACKET}` : String(length));
      }
    }
  }

  #nextOfSeveral(): true {
    const start = this.#at + FRAME_HEADER;
    const to = start > this.#end ? Infinity : start + this.#packet.readUInt32LE(this.#at);
    if (to > this.#end) {
      const length = this.#end;
      this.#at = this.#end;
      throw this.#malformed(String(length));
    }
    this.#at = to;
    return this.#found(this.#packet, start, to);
  }

  #nextRaw(): boolean | null {
    const message = this.#socket.tryReceive();
    if (message === undefined) return false;
    if (message === null) {
      this.#senders = 0;
      return null;
    }
    const { data } = message;
    return this.#found(Buffer.from(data.buffer, data.byteOffset, data.length), 0, data.length);
  }

  #malformed(length: string): IpcError {
    return new IpcError({
      code: 'EBADMSG',
      syscall: 'read',
      ...this.#subject,
      message: `a packet of ${length} bytes is not in the form of a channel`,
      hint: 'its sender does not send in the form of docs/protocol.md; ?raw receives messages as they are',
    });
  }

  /** The length of the next packet, `undefined` if there is none now. */
  #receive(): number | undefined {
    const left = this.#left.shift();
    if (left !== undefined) {
      this.#packet = left;
      return left.length;
    }
    if (this.#failure === undefined) {
      const length = this.#read(this.#chunk);
      if (length !== undefined) {
        this.#packet = this.#chunk;
        return length;
      }
    }
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }

  /** One read(2). Where a connection is over without an end mark, that is the failure, and there is nothing. */
  #read(into: Buffer): number | undefined {
    const length = native().read(this.fd, into, 0, LONGEST_PACKET + 1);
    if (length === -EAGAIN || length === -EINTR) return undefined;
    // No packet of a channel is empty.
    if (this.#connected && (length === 0 || length === -ECONNRESET)) {
      this.#failure = new IpcError({
        code: 'ECONNRESET',
        syscall: 'read',
        ...this.#subject,
        message: 'the sender ended without closing the channel; every whole message before was delivered',
      });
      return undefined;
    }
    return check(length, 'read', this.#subject);
  }

  /**
   * The kernel says that the sender is gone. What it left is received, which its buffer bounds, to see whether the end mark
   * is the last of it; the error if it is not.
   */
  lose(): Error | undefined {
    if (this.#raw || this.#senders === 0) return undefined;
    // Not into the chunk: messages of the packet in there may not have been given out.
    const into = Buffer.allocUnsafeSlow(LONGEST_PACKET + 1);
    while (this.#failure === undefined) {
      const length = this.#read(into);
      if (length === undefined) break;
      this.#left.push(Buffer.from(into.subarray(0, length)));
    }
    const last = this.#left.at(-1);
    return last?.[0] === END && last.length === END_LENGTH ? undefined : this.#failure;
  }

  take(): Uint8Array | undefined | null {
    const found = this.#advance();
    if (found !== true) return found === null ? null : undefined;
    if (this.#from === 0 && this.#to === this.#bytes.length && this.#bytes !== this.#chunk) return this.#bytes;
    return Uint8Array.prototype.slice.call(this.#bytes, this.#from, this.#to);
  }

  takeMany(list: Uint8Array[], most: number): number {
    for (let count = 0; count < most; count++) {
      const message = this.take();
      if (message === undefined) return count;
      if (message === null) return count === 0 ? -1 : count;
      list.push(message);
    }
    return most;
  }

  drain(visit: Visit, most: number): number {
    for (let count = 0; count < most; count++) {
      const found = this.#advance();
      if (found === false) return count;
      if (found === null) return count === 0 ? -1 : count;
      visit(this.#bytes, this.#from, this.#to);
    }
    return most;
  }

  /** Whether there is more to give, or to say, for which the socket need not be ready. */
  get hasMore(): boolean {
    return this.#at < this.#end || this.#left.length > 0 || this.#failure !== undefined;
  }

  whenReadable = (ready: () => void): (() => void) | undefined => {
    return this.hasMore || this.#senders === 0 ? undefined : onceReady(this.fd, POLLIN, ready);
  };

  waitReadable(timeoutMs: number): void {
    if (!this.hasMore) native().poll(this.fd, POLLIN, Math.ceil(timeoutMs));
  }

  release(): void {
    this.#socket.close();
  }
}
