/** The sending half of a channel over a ring. */
import { IpcError } from '../../core/errors.js';
import type { Mapping } from '../../mmap/index.js';
import type { PeerGone, Sink } from '../contract.js';
import type { OpenHalf } from '../endpoint.js';
import { FIRST, LAST, MORE } from './layout.js';
import { type Link, spin } from './link.js';
import type { RingProducer } from './producer.js';

/**
 * So much may be written before it is shown to the receiver, though the turn of the event loop goes
 * on: it shall work meanwhile. At the end of the turn comes `publish`, which wakes it surely.
 */
const PUBLISH_BYTES = 4096;
/** The first record of a long message begins with the length of the whole. */
export const LONG_HEADER = 8;

/** Writes messages into a ring. */
export class RingSink implements Sink {
  readonly wholeLimit: number;
  readonly #ring: RingProducer;
  readonly #link: Link;
  readonly #url: string;
  readonly #spinMs: number;
  readonly #view: DataView;
  readonly #cuttable: Mapping | undefined;
  /** What did not fit. */
  #wanted = 0;
  #gone = false;

  constructor(ring: RingProducer, link: Link, url: string, spinMs: number) {
    this.#ring = ring;
    this.#link = link;
    this.#url = url;
    this.#spinMs = spinMs;
    this.#cuttable = link.cuttable;
    this.wholeLimit = ring.longest;
    this.#view = new DataView(ring.bytes.buffer, ring.bytes.byteOffset, ring.bytes.byteLength);
  }

  /** The receiver is gone: nothing can be sent any more. */
  lose(): IpcError {
    this.#gone = true;
    return this.#receiverGone();
  }

  #receiverGone(): IpcError {
    return new IpcError({ code: 'EPIPE', syscall: 'send', object: this.#url, message: 'the receiver is gone' });
  }

  offer(message: Uint8Array): boolean {
    const ring = this.#ring;
    const isFirst = ring.unpublished() === 0;
    if (ring.push(message)) {
      // A receiver that sleeps wakes up while the rest is written.
      if (isFirst ? ring.consumerSeemsAsleep() : ring.unpublished() >= PUBLISH_BYTES && ring.show()) this.publish();
      return true;
    }
    this.publish();
    if (this.#ring.push(message)) return true;
    this.#full(message.length);
    return false;
  }

  #full(length: number): void {
    this.#wanted = length;
    this.#cuttable?.checkIntact();
    if (this.#gone) throw this.#receiverGone();
  }

  offerPart(message: Uint8Array, from: number): number {
    const ring = this.#ring;
    let next = from;
    while (next < message.length) {
      const header = next === 0 ? LONG_HEADER : 0;
      const size = Math.min(ring.longest - header, message.length - next);
      const at = ring.claim(header + size);
      if (at < 0) {
        this.#full(header + size);
        break;
      }
      if (header > 0) this.#view.setBigUint64(at, BigInt(message.length), true);
      ring.bytes.set(message.subarray(next, next + size), at + header);
      next += size;
      ring.commit(header + size, header > 0 ? FIRST : next === message.length ? LAST : MORE);
      this.publish();
    }
    return next;
  }

  get idle(): boolean {
    return this.#ring.idle();
  }

  publish(): boolean {
    if (this.#ring.publish()) this.#link.wakeup.ringPeer();
    this.#cuttable?.checkIntact();
    return true;
  }

  offerEnd(): boolean {
    if (this.#ring.end()) this.#link.wakeup.ringPeer();
    return true;
  }

  claim(length: number): Uint8Array | undefined {
    const at = this.#ring.claim(length);
    if (at >= 0) return this.#ring.bytes.subarray(at, at + length);
    this.publish();
    this.#full(length);
    return undefined;
  }

  commit(length: number): void {
    this.#ring.commit(length);
    if (this.#ring.unpublished() >= PUBLISH_BYTES && this.#ring.show()) this.publish();
  }

  /** Also true if the memory is corrupt: the next offer says so to whoever waits, and this is called by the loop. */
  readonly #hasRoom = (): boolean => {
    try {
      return this.#ring.hasRoom(this.#wanted);
    } catch {
      return true;
    }
  };

  #sleep(): boolean {
    try {
      return this.#ring.sleep(this.#wanted);
    } catch {
      return false;
    }
  }

  whenWritable = (ready: () => void): (() => void) | undefined => {
    if (this.#gone || this.#hasRoom()) return undefined;
    let stop: () => void;
    const rang = (): void => {
      if (!this.#hasRoom() && this.#sleep()) return;
      stop();
      ready();
    };
    const sleep = (): void => {
      if (this.#sleep()) stop = this.#link.wakeup.listen(rang);
      else ready();
    };
    stop = spin(this.#spinMs, this.#hasRoom, ready, sleep);
    return () => {
      stop();
      this.#ring.awake();
    };
  };

  waitWritable(timeoutMs: number): void {
    if (this.#ring.sleep(this.#wanted)) {
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

/** The sending half, and how it learns of the receiver's end. */
export function ringSink(ring: RingProducer, link: Link, url: string, spinMs: number): OpenHalf<Sink> {
  const half = new RingSink(ring, link, url, spinMs);
  return { half, onPeerGone: (gone: PeerGone) => link.whenPeerGone(() => gone(half.lose())) };
}
