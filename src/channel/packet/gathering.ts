/**
 * Packets of several senders, each over a connection of its own. They are let in as they come, until there are as many as were asked
 * for; each is read in its own order, and all in turn. The end is reached when each has sent its end mark.
 */
import { native, POLLIN } from '../../sys/index.js';
import { onceReady } from '../../core/readiness.js';
import type { SeqpacketListener, SeqpacketSocket } from '../../unix/index.js';
import type { Source, Visit } from '../contract.js';
import type { PacketSource } from './source.js';

/** Letting somebody in is a system call, so not before each message. */
const LOOK_EVERY = 64;

/** Receives from all of them, and closes them in the end. */
export class GatheringSource implements Source {
  readonly #listener: SeqpacketListener;
  readonly #wrap: (socket: SeqpacketSocket) => PacketSource;
  readonly #parts: PacketSource[] = [];
  /** How many have not come yet. */
  #missing: number;
  /** Whose turn it is. */
  #next = 0;
  #takes = 0;

  /** The listener is closed when the last has come. */
  constructor(listener: SeqpacketListener, senders: number, wrap: (socket: SeqpacketSocket) => PacketSource) {
    this.#listener = listener;
    this.#missing = senders;
    this.#wrap = wrap;
  }

  /** One has come. */
  add(socket: SeqpacketSocket): void {
    this.#missing--;
    this.#parts.push(this.#wrap(socket));
  }

  #letIn(): void {
    while (this.#missing > 0) {
      // Whoever comes after the last must not be connected to nobody.
      const socket = this.#missing === 1 ? this.#listener.tryAcceptLast() : this.#listener.tryAccept();
      if (socket === undefined) return;
      this.add(socket);
    }
  }

  /** Lets each take its turn until one gives something: what that is, or what is to be said when none does. */
  #inTurn<T>(from: (part: PacketSource) => T | undefined | null, none: T, end: T): T {
    for (let left = this.#parts.length; left > 0; left--) {
      const index = this.#next % this.#parts.length;
      const part = this.#parts[index] as PacketSource;
      const given = from(part);
      if (given === null) {
        part.release();
        this.#parts.splice(index, 1);
        this.#next = index;
      } else {
        this.#next = index + 1;
        if (given !== undefined) return given;
      }
    }
    return this.#parts.length === 0 && this.#missing === 0 ? end : none;
  }

  /** As `#inTurn`; if nobody had anything, with those who have come meanwhile. */
  #give<T>(from: (part: PacketSource) => T | undefined | null, none: T, end: T): T {
    if (this.#takes++ % LOOK_EVERY === 0) this.#letIn();
    const given = this.#inTurn(from, none, end);
    if (given !== none || this.#missing === 0) return given;
    const before = this.#parts.length;
    this.#letIn();
    return this.#parts.length === before ? none : this.#inTurn(from, none, end);
  }

  take(): Uint8Array | undefined | null {
    return this.#give<Uint8Array | undefined | null>((part) => part.take(), undefined, null);
  }

  takeMany(list: Uint8Array[], most: number): number {
    return this.#give((part) => counted(part.takeMany(list, most)), 0, -1);
  }

  drain(visit: Visit, most: number): number {
    return this.#give((part) => counted(part.drain(visit, most)), 0, -1);
  }

  whenReadable = (ready: () => void): (() => void) | undefined => {
    const waits: (() => void)[] = [];
    const cancel = (): void => {
      for (const one of waits) one();
    };
    const wake = (): void => {
      cancel();
      ready();
    };
    for (const part of this.#parts) {
      const wait = part.whenReadable(wake);
      if (wait === undefined) {
        cancel();
        return undefined;
      }
      waits.push(wait);
    }
    if (this.#missing > 0) waits.push(onceReady(this.#listener.fd, POLLIN, wake));
    return waits.length === 0 ? undefined : cancel;
  };

  waitReadable(timeoutMs: number): void {
    if (this.#parts.some((part) => part.hasMore)) return;
    const fds = this.#parts.map((part) => part.fd);
    if (this.#missing > 0) fds.push(this.#listener.fd);
    if (fds.length > 0) native().pollAny(Int32Array.from(fds), POLLIN, Math.ceil(timeoutMs));
  }

  release(): void {
    this.#listener.close();
    for (const part of this.#parts) part.release();
  }
}

/** As the others tell it: `undefined` = none now, `null` = the end. */
function counted(count: number): number | undefined | null {
  return count === 0 ? undefined : count < 0 ? null : count;
}
