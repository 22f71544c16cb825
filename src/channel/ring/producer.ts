/** The sending side of a ring: layout.ts has the rules. No system call is made here. */
import { IpcError } from '../../core/errors.js';
import { LastArray } from './copy.js';
import {
  CONSUMER_ASLEEP,
  ENDED,
  HEAD,
  HEADER_BYTES,
  longestRecord,
  PAD,
  PRODUCER_ASLEEP,
  RECORD_HEADER,
  TAIL,
  WHOLE,
} from './layout.js';

/** The error for words in shared memory that cannot be: the other side broke the rules. */
export function corrupt(what: string): IpcError {
  return new IpcError({ code: 'EBADMSG', syscall: 'ring', message: `the shared memory is corrupt: ${what}` });
}

/** Writes records and publishes them. */
export class RingProducer {
  /** The ring's memory. */
  readonly bytes: Uint8Array;
  /** Bytes of the data area. */
  readonly capacity: number;
  /** Bytes of the longest payload of one record. */
  readonly longest: number;
  readonly #int32: Int32Array;
  readonly #words: BigInt64Array;
  readonly #source = new LastArray();
  /** Bytes ever written, as int32; `#published` of them the consumer can see. */
  #tail: number;
  #published: number;
  /** The head as it was when last looked at. */
  #head: number;
  /** Where the claimed payload begins, -1 without a claim; and the length that was claimed. */
  #claimed = -1;
  #claimedLength = 0;

  /** @param capacity as checked when the ring was made or joined; the word in memory is not trusted */
  constructor(buffer: ArrayBuffer, capacity: number) {
    this.bytes = new Uint8Array(buffer, 0, HEADER_BYTES + capacity);
    this.#int32 = new Int32Array(buffer, 0, (HEADER_BYTES + capacity) >> 2);
    this.#words = new BigInt64Array(buffer, 0, (HEADER_BYTES + capacity) >> 3);
    this.capacity = capacity;
    this.longest = longestRecord(capacity);
    this.#tail = Atomics.load(this.#int32, TAIL);
    this.#published = this.#tail;
    this.#head = Atomics.load(this.#int32, HEAD);
  }

  /**
   * Room for a payload of `length` bytes: where it begins in `bytes` (a multiple of 8), or -1 if
   * there is none now. It becomes a message with `commit`; another claim takes its place.
   */
  claim(length: number): number {
    const need = RECORD_HEADER + ((length + 7) & ~7);
    const mask = this.capacity - 1;
    let at = this.#tail & mask;
    const left = this.capacity - at;
    const total = need > left ? left + need : need;
    if (this.capacity - ((this.#tail - this.#head) | 0) < total && !this.#lookForRoom(total)) return -1;
    if (need > left) {
      this.#int32[(HEADER_BYTES + at) >> 2] = PAD | (left - RECORD_HEADER);
      this.#tail = (this.#tail + left) | 0;
      at = 0;
    }
    this.#claimed = HEADER_BYTES + at + RECORD_HEADER;
    this.#claimedLength = length;
    return this.#claimed;
  }

  /** Pairs with the consumer's store of head (B2 of layout.ts). */
  #lookForRoom(total: number): boolean {
    const head = Atomics.load(this.#int32, HEAD);
    const used = (this.#tail - head) | 0;
    if (used < 0 || used > this.capacity) throw corrupt(`${used} bytes in use of ${this.capacity}`);
    this.#head = head;
    return this.capacity - used >= total;
  }

  /** The claimed payload is complete: a record of this kind, not visible before `publish`. */
  commit(length: number = this.#claimedLength, kind: number = WHOLE): void {
    if (this.#claimed < 0 || length > this.#claimedLength) throw new RangeError('commit() of what was not claimed');
    const header = (this.#claimed - RECORD_HEADER) >> 2;
    this.#int32[header] = length | kind;
    this.#int32[header + 1] = 0;
    this.#tail = (this.#tail + RECORD_HEADER + ((length + 7) & ~7)) | 0;
    this.#claimed = -1;
  }

  /** Writes a whole message; false if there is no room now. Visible after `publish`. */
  push(message: Uint8Array): boolean {
    const length = message.length;
    const at = this.claim(length);
    if (at < 0) return false;
    const words = this.#source.wordsOf(message, length);
    if (words === undefined) {
      this.bytes.set(message, at);
    } else {
      const first = at >> 3;
      const count = words.length;
      for (let index = 0; index < count; index++) this.#words[first + index] = words[index] as bigint;
      for (let index = count << 3; index < length; index++) this.bytes[at + index] = message[index] as number;
    }
    this.commit(length, WHOLE);
    return true;
  }

  /** Whether a record of `length` fits now; near the end of the data area it may need twice its size. */
  hasRoom(length: number): boolean {
    return this.#lookForRoom(Math.min(2 * (RECORD_HEADER + ((length + 7) & ~7)), this.capacity));
  }

  /** Bytes that are written and not published. */
  get unpublished(): number {
    return (this.#tail - this.#published) | 0;
  }

  /** Makes what was written visible (A1 of layout.ts). True if the consumer sleeps: wake it. */
  publish(): boolean {
    if (this.#published !== this.#tail) {
      Atomics.store(this.#int32, TAIL, this.#tail);
      this.#published = this.#tail;
    }
    return Atomics.load(this.#int32, CONSUMER_ASLEEP) !== 0 && Atomics.exchange(this.#int32, CONSUMER_ASLEEP, 0) !== 0;
  }

  /** Says that nothing follows. True if the consumer sleeps: wake it. */
  end(): boolean {
    this.publish();
    Atomics.store(this.#int32, ENDED, 1);
    return Atomics.exchange(this.#int32, CONSUMER_ASLEEP, 0) !== 0;
  }

  /**
   * Says that this side is about to sleep until a record of `length` fits. False if it fits
   * already: then do not sleep.
   */
  sleep(length: number): boolean {
    const wanted = Math.min(2 * (RECORD_HEADER + ((length + 7) & ~7)), this.capacity);
    Atomics.store(this.#int32, PRODUCER_ASLEEP, wanted);
    if (!this.#lookForRoom(wanted)) return true;
    this.awake();
    return false;
  }

  /** This side does not sleep any more. */
  awake(): void {
    Atomics.store(this.#int32, PRODUCER_ASLEEP, 0);
  }
}
