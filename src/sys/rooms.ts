/**
 * msgsnd(2) and msgrcv(2), as fast as a call into C can be, for the reasons that kept.ts gives: the arguments and the
 * result stand in words that both sides see, and the message in a room that C knows, as the kernel wants it: the type, a C
 * long, and then the bytes. There is one room for each direction in a thread, since a message is in it during a call
 * only.
 */
import { native } from './addon.js';
import type { Result } from './native.js';

const TYPE_SIZE = 8;
/** What /proc/sys/kernel/msgmax is unless it was changed. */
const FIRST_SIZE = 8192;
const LOW = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;
const WORD = 2 ** 32;
/** Above this the high word makes a number that is not exact. */
const MOST_HIGH = 0x1f_ffff;
/** What the words of a call mean. */
const ID = 0;
const LENGTH = 1;
const FLAGS = 2;
const RESULT = 3;
const words = new Int32Array(new ArrayBuffer(256), 0, 4);

/** Room for one message. */
class Room {
  message = new Uint8Array(TYPE_SIZE + FIRST_SIZE);
  #words = new Int32Array(this.message.buffer, 0, 2);
  #long = new BigInt64Array(this.message.buffer, 0, 1);

  /** Bytes that fit behind the type. */
  get size(): number {
    return this.message.length - TYPE_SIZE;
  }

  /** Makes room for at least so many bytes; what is in it is gone. */
  grow(size: number): void {
    if (size <= this.size) return;
    this.message = new Uint8Array(TYPE_SIZE + size);
    this.#words = new Int32Array(this.message.buffer, 0, 2);
    this.#long = new BigInt64Array(this.message.buffer, 0, 1);
    known = false;
  }

  /** The type: a number, or a bigint where a number would not be exact. */
  get type(): number | bigint {
    const high = this.#words[HIGH] as number;
    if (high < 0 || high > MOST_HIGH) return this.#long[0] as bigint;
    return high * WORD + ((this.#words[LOW] as number) >>> 0);
  }

  set type(type: number | bigint) {
    if (typeof type === 'bigint') {
      this.#long[0] = type;
    } else {
      this.#words[LOW] = type | 0;
      this.#words[HIGH] = Math.floor(type / WORD);
    }
  }

  /** Puts a message in. */
  fill(type: number | bigint, data: Uint8Array): void {
    if (data.length > this.size) this.grow(data.length);
    this.type = type;
    this.message.set(data, TYPE_SIZE);
  }

  /** A copy of the first bytes of the message. */
  copy(length: number): Uint8Array {
    return this.message.slice(TYPE_SIZE, TYPE_SIZE + length);
  }

  /** Copies the first bytes of the message to others. */
  copyTo(bytes: Uint8Array, length: number): void {
    bytes.set(this.message.subarray(TYPE_SIZE, TYPE_SIZE + length));
  }
}

/** Whether C knows where the rooms are. */
let known = false;

/** For what is sent. */
export const outgoing = new Room();
/** For what is received. */
export const incoming = new Room();

function prepare(id: number, length: number, flags: number): void {
  if (!known) known = native().msgRooms(words, outgoing.message, incoming.message) === 0;
  words[ID] = id;
  words[LENGTH] = length;
  words[FLAGS] = flags;
}

/** msgsnd(2) of the first bytes of `outgoing`. */
export function msgsnd(id: number, length: number, flags: number): Result {
  prepare(id, length, flags);
  native().msgsnd();
  return words[RESULT] as number;
}

/** msgrcv(2) into `incoming` of a message of at most `length` bytes: its length. */
export function msgrcv(id: number, length: number, type: number | bigint, flags: number): Result {
  prepare(id, length, flags);
  incoming.type = type;
  native().msgrcv();
  return words[RESULT] as number;
}

/** msgsnd(2) of a copy of the first bytes of `outgoing`, on a thread that waits for room. */
export function blockingMsgsnd(token: number, id: number, length: number): Result {
  prepare(id, length, 0);
  return native().blockingMsgsnd(token);
}
