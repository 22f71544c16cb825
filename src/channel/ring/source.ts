/** The receiving half of a channel over a ring. */
import { IpcError } from '../../core/errors.js';
import type { Mapping } from '../../mmap/index.js';
import { LONGEST_MESSAGE, type PeerGone, type Source, type Visit } from '../contract.js';
import type { OpenHalf } from '../endpoint.js';
import { bufferOver } from '../view.js';
import type { RingConsumer } from './consumer.js';
import * as layout from './layout.js';
import { type Link, spin } from './link.js';
import { corrupt } from './producer.js';
import { LONG_HEADER } from './sink.js';

// A constant of this file: see producer.ts.
const { FIRST, LAST, MORE, WHOLE } = layout;

/** Messages of a batch are copied into common blocks of this size: one allocation for many. */
const BLOCK = 16384;
/** A message longer than this has an array of its own, so that keeping it keeps no block alive. */
const SHORT = 1024;

/** Reads messages out of a ring. */
export class RingSource implements Source {
  readonly #ring: RingConsumer;
  readonly #link: Link;
  readonly #url: string;
  readonly #spinMs: number;
  readonly #eighth: number;
  readonly #cuttable: Mapping | undefined;
  #block = Buffer.allocUnsafeSlow(BLOCK);
  #memory = this.#block.buffer;
  #words = new BigInt64Array(this.#memory);
  #used = 0;
  /** A long message that is being put together. */
  #long: Buffer | undefined;
  #filled = 0;
  #gone = false;

  constructor(ring: RingConsumer, link: Link, url: string, spinMs: number) {
    this.#ring = ring;
    this.#link = link;
    this.#url = url;
    this.#spinMs = spinMs;
    this.#eighth = ring.capacity >> 3;
    this.#cuttable = link.cuttable;
  }

  /** The sender is gone: what it published is still there to be read. */
  lose(): Error | undefined {
    this.#gone = true;
    return this.#ring.markedEnd() ? undefined : this.#senderGone();
  }

  #senderGone(): IpcError {
    return new IpcError({
      code: 'ECONNRESET',
      syscall: 'receive',
      object: this.#url,
      message: 'the sender ended without closing the channel; every whole message before was delivered',
    });
  }

  take(): Uint8Array | undefined | null {
    for (;;) {
      const at = this.#peek();
      if (at < 0) return this.#nothing() ? null : undefined;
      const message = this.#message(at);
      this.#cuttable?.checkIntact();
      if (this.#ring.unreleased() >= this.#eighth) this.#release();
      if (message !== undefined) return message;
    }
  }

  takeMany(list: Uint8Array[], most: number): number {
    let count = 0;
    while (count < most) {
      const at = this.#peek();
      if (at < 0) break;
      const message = this.#message(at);
      this.#cuttable?.checkIntact();
      if (this.#ring.unreleased() >= this.#eighth) this.#release();
      if (message === undefined) continue;
      list.push(message);
      count++;
    }
    if (count > 0) {
      this.#release();
      return count;
    }
    return this.#nothing() ? -1 : 0;
  }

  drain(visit: Visit, most: number): number {
    const ring = this.#ring;
    let count = 0;
    try {
      while (count < most) {
        const at = this.#peek();
        if (at < 0) break;
        // Zeros look like empty messages that nobody has sent.
        this.#cuttable?.checkIntact();
        if (ring.kind() === WHOLE) {
          const end = at + ring.length();
          ring.skip();
          count++;
          visit(ring.bytes, at, end);
        } else {
          const message = this.#message(at);
          if (message !== undefined) {
            count++;
            visit(message as Buffer, 0, message.length);
          }
        }
        if (ring.unreleased() >= this.#eighth) this.#release();
      }
    } finally {
      this.#release();
    }
    this.#cuttable?.checkIntact();
    return count > 0 ? count : this.#nothing() ? -1 : 0;
  }

  /** Memory that was cut reads zeros, which may look corrupt: the cause is told instead. */
  #peek(): number {
    try {
      return this.#ring.peek();
    } catch (why) {
      this.#cuttable?.checkIntact();
      throw why;
    }
  }

  #release(): void {
    if (this.#ring.release()) this.#link.wakeup.ringPeer();
  }

  /** There is no record: true if that is the end. */
  #nothing(): boolean {
    this.#release();
    this.#cuttable?.checkIntact();
    if (this.#ring.ended()) {
      if (this.#long !== undefined) throw corrupt('the end in the middle of a message');
      return true;
    }
    if (this.#gone && !this.#ring.ready()) throw this.#senderGone();
    return false;
  }

  /** The message that the record at `at` is or completes, as the caller's own bytes. */
  #message(at: number): Uint8Array | undefined {
    const kind = this.#ring.kind();
    const length = this.#ring.length();
    if (kind === WHOLE) {
      const message = this.#copy(at, length);
      this.#ring.skip();
      return message;
    }
    this.#join(at, kind, length);
    this.#ring.skip();
    if (kind !== LAST) return undefined;
    const message = this.#long as Buffer;
    this.#long = undefined;
    if (this.#filled !== message.length) throw corrupt(`a message of ${message.length} bytes with ${this.#filled}`);
    return message;
  }

  #copy(at: number, length: number): Uint8Array {
    if (length > SHORT) {
      const own = Buffer.allocUnsafeSlow(length);
      this.#ring.bytes.copy(own, 0, at, at + length);
      return own;
    }
    if (this.#used + length > BLOCK) this.#newBlock();
    const start = this.#used;
    this.#ring.copyOut(at, this.#block, this.#words, start);
    this.#used = (start + length + 7) & ~7;
    return bufferOver(this.#memory, start, length);
  }

  #newBlock(): void {
    this.#block = Buffer.allocUnsafeSlow(BLOCK);
    this.#memory = this.#block.buffer;
    this.#words = new BigInt64Array(this.#memory);
    this.#used = 0;
  }

  #join(at: number, kind: number, length: number): void {
    const { bytes } = this.#ring;
    if (kind === FIRST) {
      const total = length < LONG_HEADER ? -1 : Number(bytes.readBigUInt64LE(at));
      if (this.#long !== undefined || total < 0 || total > LONGEST_MESSAGE)
        throw corrupt(`a message of ${total} bytes`);
      this.#long = Buffer.allocUnsafeSlow(total);
      this.#filled = 0;
      this.#add(at + LONG_HEADER, at + length);
    } else if ((kind === MORE || kind === LAST) && this.#long !== undefined) {
      this.#add(at, at + length);
    } else {
      throw corrupt(`a record of kind ${kind >>> 28}`);
    }
  }

  #add(start: number, end: number): void {
    const long = this.#long as Buffer;
    if (end - start > long.length - this.#filled) throw corrupt(`more than the ${long.length} bytes of a message`);
    this.#filled += this.#ring.bytes.copy(long, this.#filled, start, end);
  }

  /** Also true if the memory is corrupt: the next take says so to whoever waits, and this is called by the loop. */
  readonly #changed = (): boolean => {
    try {
      return this.#gone || this.#ring.ready() || this.#ring.markedEnd();
    } catch {
      return true;
    }
  };

  #sleep(): boolean {
    try {
      return this.#ring.sleep();
    } catch {
      return false;
    }
  }

  whenReadable = (ready: () => void): (() => void) | undefined => {
    if (this.#changed()) return undefined;
    let stop: () => void;
    const rang = (): void => {
      if (!this.#changed() && this.#sleep()) return;
      stop();
      ready();
    };
    const sleep = (): void => {
      if (this.#sleep()) stop = this.#link.wakeup.listen(rang);
      else ready();
    };
    if (this.#spinMs > 0) {
      stop = spin(this.#spinMs, this.#changed, ready, sleep);
    } else if (this.#sleep()) {
      stop = this.#link.wakeup.listen(rang);
    } else {
      return undefined;
    }
    return () => {
      stop();
      this.#ring.awake();
    };
  };

  waitReadable(timeoutMs: number): void {
    if (this.#ring.sleep()) {
      this.#link.wakeup.block(timeoutMs);
      this.#ring.awake();
    }
    if (!this.#link.peerAlive()) this.#gone = true;
  }

  broken(): void {
    this.#link.forsake?.();
  }

  release(ended: boolean): void | Promise<void> {
    return this.#link.release(ended);
  }
}

/** The receiving half, and how it learns of the sender's end. */
export function ringSource(ring: RingConsumer, link: Link, url: string, spinMs: number): OpenHalf<Source> {
  const half = new RingSource(ring, link, url, spinMs);
  return { half, onPeerGone: (gone: PeerGone) => link.whenPeerGone(() => gone(half.lose())) };
}
