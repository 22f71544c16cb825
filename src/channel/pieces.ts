/**
 * Messages over a mechanism that keeps boundaries but only of short messages: long ones are cut
 * into pieces and put together again, also with several senders at once (docs/protocol.md).
 *
 * | kind | header |
 * | --- | --- |
 * | 0 whole | 1 byte: the kind; the message follows |
 * | 1 first | 24 bytes: kind, 3 unused, piece number (0), sender (8), length of the message (8) |
 * | 2 more | 24 bytes: kind, 3 unused, piece number, sender, where the piece belongs (8) |
 * | 3 end | 16 bytes: kind, flags, 2 unused, 4 unused, sender |
 * | 4 several | 1 byte: the kind; then messages, each behind its length (4). In packets of a socket only |
 *
 * All little-endian. The sender is a random number that tells senders apart. A piece whose
 * predecessor is missing is dropped, and with it the message: its first pieces went to a receiver
 * that is gone, or its sender died before the last.
 */
import { randomBytes } from 'node:crypto';
import { LONGEST_MESSAGE } from './contract.js';

export const WHOLE = 0;
export const FIRST = 1;
export const MORE = 2;
export const END = 3;
export const SEVERAL = 4;
export const WHOLE_HEADER = 1;
export const PIECE_HEADER = 24;
export const END_LENGTH = 16;
export const SEVERAL_HEADER = 1;
/** The length in front of each of several. */
export const FRAME_HEADER = 4;
/**
 * Bytes of the packets that are sent by a socket: of 16 KiB a buffer holds a dozen. The kernel wakes a sender that waits only when three
 * quarters of its buffer are free, which packets of 64 KiB would make all of it.
 */
export const PACKET = 16384;
/** Bytes of the longest packet that is taken. */
export const LONGEST_PACKET = 65536;
/** Flag of the end mark: the sender made the object, and whoever receives the end removes it. */
export const END_TEMPORARY = 1;

/** Messages that are being put together may hold this much in all; the oldest goes first. */
const MOST_UNFINISHED = 4 * LONGEST_MESSAGE;

/** A number that no other sender has. */
export function newSenderId(): bigint {
  return randomBytes(8).readBigUInt64LE();
}

interface Unfinished {
  message: Buffer;
  filled: number;
  pieces: number;
}

/** Puts pieces together. */
export class Joiner {
  readonly #unfinished = new Map<bigint, Unfinished>();
  #held = 0;

  /** The message that this piece completes, if it does. */
  add(piece: Buffer, length: number): Buffer | undefined {
    if (length < PIECE_HEADER) return undefined;
    const kind = piece[0];
    const number = piece.readUInt32LE(4);
    const sender = piece.readBigUInt64LE(8);
    const value = Number(piece.readBigUInt64LE(16));
    if (kind === FIRST && number === 0) this.#begin(sender, value);
    const found = this.#unfinished.get(sender);
    if (found === undefined) return undefined;
    const at = kind === FIRST ? 0 : value;
    const size = length - PIECE_HEADER;
    if (number !== found.pieces || at !== found.filled || size > found.message.length - at) {
      this.#drop(sender, found);
      return undefined;
    }
    piece.copy(found.message, at, PIECE_HEADER, length);
    found.filled += size;
    found.pieces++;
    if (found.filled < found.message.length) return undefined;
    this.#drop(sender, found);
    return found.message;
  }

  #begin(sender: bigint, length: number): void {
    const before = this.#unfinished.get(sender);
    if (before !== undefined) this.#drop(sender, before);
    if (length > LONGEST_MESSAGE) return;
    while (this.#held + length > MOST_UNFINISHED) {
      const [oldest, entry] = this.#unfinished.entries().next().value as [bigint, Unfinished];
      this.#drop(oldest, entry);
    }
    this.#unfinished.set(sender, { message: Buffer.allocUnsafeSlow(length), filled: 0, pieces: 0 });
    this.#held += length;
  }

  #drop(sender: bigint, entry: Unfinished): void {
    this.#unfinished.delete(sender);
    this.#held -= entry.message.length;
  }
}
