/** What recvmsg(2) and recvmmsg(2) tell of messages beside their bytes, as the addon writes it down (native/unix.c). */
import { MOST_DESCRIPTORS, MSG_CTRUNC, MSG_TRUNC, native } from '../sys/index.js';
import { type Address, addressOf, SUN_PATH_BYTES } from './address.js';

/** Who is at the other end, or who sent. */
export interface Credentials {
  pid: number;
  uid: number;
  gid: number;
}

/** The words of one message. */
const FLAGS = 0;
const DESCRIPTORS = 1;
const CREDENTIALS = 2;
const PID = 3;
const UID = 4;
const GID = 5;
const STAMPED = 6;
const NAME = 7;
const LENGTH = 8;
const PIDFD = 9;
const WORDS = 10;

/** The answers to one call, for so many messages. */
export class Answers {
  readonly words: Int32Array;
  /** The bytes of the senders' sun_path. */
  readonly names: Uint8Array;
  readonly #behind: number;
  /** A sender mostly sends more than one. */
  #lastName = new Uint8Array(0);
  #lastFrom: Address | null = null;

  constructor(messages: number) {
    this.#behind = messages * WORDS;
    this.words = new Int32Array(messages * (WORDS + MOST_DESCRIPTORS));
    this.names = new Uint8Array(messages * SUN_PATH_BYTES);
  }

  #word(index: number, word: number): number {
    return this.words[index * WORDS + word] as number;
  }

  /** Bytes of the message; with MSG_TRUNC, or of recvmmsg(2), see `cut`. */
  length(index: number): number {
    return this.#word(index, LENGTH);
  }

  /** Whether more was sent than there was room for. */
  cut(index: number): boolean {
    return (this.#word(index, FLAGS) & MSG_TRUNC) !== 0;
  }

  /** Whether descriptors that came along are lost. */
  lost(index: number): boolean {
    return (this.#word(index, FLAGS) & MSG_CTRUNC) !== 0;
  }

  /** Whether it is a message, where the receiver has SO_TIMESTAMP: the end of a connection has no time. */
  stamped(index: number): boolean {
    return this.#word(index, STAMPED) !== 0;
  }

  /**
   * The descriptors that came along, which are the caller's from now on. Nobody here asks for a pidfd of the sender
   * (SO_PASSPIDFD), but a socket that was inherited may have been set to bring one: that is closed.
   */
  descriptors(index: number): number[] {
    const pidfd = this.#word(index, PIDFD);
    if (pidfd >= 0) {
      native().close(pidfd);
      // Whoever asks again must not close what has the number by then.
      this.words[index * WORDS + PIDFD] = -1;
    }
    const count = this.#word(index, DESCRIPTORS);
    if (count === 0) return [];
    let from = this.#behind;
    for (let before = 0; before < index; before++) from += this.#word(before, DESCRIPTORS);
    return Array.from(this.words.subarray(from, from + count));
  }

  /** Who sent; what was sent before SO_PASSCRED was on carries nobody's: pid 0. */
  credentials(index: number): Credentials | null {
    if (this.#word(index, CREDENTIALS) === 0 || this.#word(index, PID) === 0) return null;
    return { pid: this.#word(index, PID), uid: this.#word(index, UID) >>> 0, gid: this.#word(index, GID) >>> 0 };
  }

  /** The address of the sender, `null` if it has none. */
  from(index: number): Address | null {
    const length = this.#word(index, NAME);
    if (length === 0) return null;
    const at = index * SUN_PATH_BYTES;
    if (!this.#isLast(at, length)) {
      this.#lastName = this.names.slice(at, at + length);
      this.#lastFrom = addressOf(this.#lastName);
    }
    return this.#lastFrom instanceof Uint8Array ? this.#lastFrom.slice() : this.#lastFrom;
  }

  #isLast(at: number, length: number): boolean {
    const last = this.#lastName;
    if (last.length !== length) return false;
    for (let index = 0; index < length; index++) if (last[index] !== this.names[at + index]) return false;
    return true;
  }
}
