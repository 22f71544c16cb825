/**
 * Waiting for room in the queue of a receiver to which the socket is not connected.
 *
 * Two things are full at times: the queue of the receiver, and the buffer of the sender (SO_SNDBUF). Of the second one
 * poll(2) tells. Of the first it does not, since it cannot know whom the next message is for: it says that the socket is
 * writable, and sendto(2) says EAGAIN, again and again. It does tell of a socket that is connected to that receiver. So while
 * somebody waits a second socket, the guest, is connected there. Nothing is sent by it, and nobody else sees it.
 *
 * A guest that is not writable is waited for first, since nothing can be sent before it is; then the socket itself. If both
 * are writable, room has come in between, or another socket has taken the address meanwhile, and the next turn tries again.
 * Each wait has a guest of its own, since that is connected to a socket and not to an address.
 */
import { performance } from 'node:perf_hooks';
import { native, POLLOUT, SOCK_DGRAM } from '../sys/index.js';
import { check, timeoutError } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { blockOnce, onceReady } from '../core/readiness.js';
import { checkTimeout, pend, type SyncWaitOptions, type WaitOptions } from '../core/wait.js';
import { Lane } from './lane.js';
import type { Receiver } from './sending.js';

class Guest extends DescriptorHandle {
  constructor(fd: number) {
    super(fd, 'a guest of a receiver');
  }

  describe(): string {
    return 'a guest of a receiver';
  }
}

/** A socket that is connected to the receiver; `undefined` if it takes no guest, and then sending to it will say why. */
function guestOf(to: Receiver): Guest | undefined {
  const fd = check(native().socket(SOCK_DGRAM), 'socket', to.subject);
  if (native().connect(fd, to.name) === 0) return new Guest(fd);
  native().close(fd);
  return undefined;
}

function isWritable(socket: DescriptorHandle): boolean {
  return native().poll(socket.fd, POLLOUT, 0) !== 0;
}

interface Waiter {
  /** Tries again; false if it has to go on waiting. */
  wake(): boolean;
  fail(why: unknown): void;
}

/** The way to one receiver, while somebody waits for room there. */
export class Room extends Lane {
  readonly #to: Receiver;
  /** Called when nobody waits any more. */
  readonly #left: () => void;
  readonly #waiters = new Set<Waiter>();
  #guest: Guest | undefined;
  #disarm: (() => void) | undefined;

  constructor(socket: DescriptorHandle, to: Receiver, left: () => void) {
    super(socket, { syscall: 'sendmsg', subject: to.subject ?? {} });
    this.#to = to;
    this.#left = left;
  }

  protected async whenRoom(attempt: () => true | undefined, options: WaitOptions | undefined): Promise<true> {
    const timeoutMs = checkTimeout(options?.timeoutMs);
    try {
      if (timeoutMs === 0) throw timeoutError('sendmsg', 0, this.#to.subject);
      return await pend<true>(this.socket, options, this.awaited, (settle) => {
        const waiter: Waiter = {
          wake: () => {
            try {
              if (attempt() === undefined) return false;
              this.#waiters.delete(waiter);
              settle.resolve(true);
            } catch (why) {
              waiter.fail(why);
            }
            return true;
          },
          fail: (why) => {
            this.#waiters.delete(waiter);
            settle.reject(why);
          },
        };
        this.#waiters.add(waiter);
        try {
          if (this.#waiters.size === 1) this.#arm();
        } catch (why) {
          waiter.fail(why);
        }
        return waiter.fail;
      });
    } finally {
      if (this.#waiters.size === 0) this.#leave();
    }
  }

  #leave(): void {
    this.#disarm?.();
    this.#disarm = undefined;
    this.#guest?.close();
    this.#guest = undefined;
    this.#left();
  }

  /** Which of the two is full, `undefined` if neither is. */
  #full(): DescriptorHandle | undefined {
    this.#guest?.close();
    this.#guest = guestOf(this.#to);
    if (this.#guest !== undefined && !isWritable(this.#guest)) return this.#guest;
    return isWritable(this.socket) ? undefined : this.socket;
  }

  /** Has the waits tried again when that may be of use. */
  #arm(): void {
    this.#disarm?.();
    const full = this.#full();
    const again = (): void => {
      this.#disarm = undefined;
      this.#serve();
    };
    if (full !== undefined) {
      this.#disarm = onceReady(full.fd, POLLOUT, again);
    } else {
      const immediate = setImmediate(again);
      this.#disarm = () => clearImmediate(immediate);
    }
  }

  #serve(): void {
    try {
      for (const waiter of this.#waiters) {
        if (waiter.wake()) continue;
        this.#arm();
        return;
      }
    } catch (why) {
      for (const waiter of [...this.#waiters]) waiter.fail(why);
    }
  }

  protected blockForRoom(attempt: () => true | undefined, options: SyncWaitOptions | undefined): void {
    const timeoutMs = checkTimeout(options?.timeoutMs);
    const deadline = performance.now() + timeoutMs;
    try {
      while (attempt() === undefined) {
        const left = deadline - performance.now();
        if (left <= 0) throw timeoutError('sendmsg', timeoutMs, this.#to.subject);
        const full = this.#full();
        if (full !== undefined) blockOnce(full.fd, POLLOUT, Math.ceil(left));
      }
    } finally {
      if (this.#waiters.size === 0) this.#leave();
    }
  }
}
