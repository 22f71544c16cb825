/**
 * Signals that the kernel sends when a descriptor becomes ready: F_SETOWN_EX, F_SETSIG and O_ASYNC of fcntl(2). For who
 * lives by signals, or wants another process to be told; a wait of ours needs none.
 *
 * Owner, signal and O_ASYNC belong to the open file description, which has each once, whoever shares it.
 */
import { inspect } from 'node:util';
import { F_GETFL, F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, F_SETFL, F_SETSIG, native, O_ASYNC } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError, check, type ErrorSubject, IpcError } from '../core/errors.js';
import type { DescriptorHandle } from '../core/handle.js';
import { type SignalName, toName, toNumber } from './names.js';

/** Whom the kernel tells: a process by its pid, all of a process group, or one thread by its id of /proc/PID/task. */
export type NotifyTarget = number | { group: number } | { thread: number };

/** Which signal tells that a descriptor is ready, and whom. */
export interface NotifyOptions {
  /** SIGIO if omitted. A real-time signal is queued: each of several arrives. */
  sig?: SignalName | number;
  /** This process if omitted. */
  to?: NotifyTarget;
}

const MOST_ID = 2 ** 22;
const NOBODY = 0;
/** F_SETSIG: a plain SIGIO, which tells no descriptor. */
const PLAIN = 0;

function owner(name: string, kind: number, id: unknown): { kind: number; id: number } {
  checkInteger(name, id, 1, MOST_ID);
  return { kind, id };
}

function ownerOf(to: NotifyTarget): { kind: number; id: number } {
  if (typeof to === 'number') return owner('to', F_OWNER_PID, to);
  if (typeof to === 'object' && to !== null) {
    if ('group' in to) return owner('to.group', F_OWNER_PGRP, to.group);
    if ('thread' in to) return owner('to.thread', F_OWNER_TID, to.thread);
  }
  throw argumentError(`to must be a pid, { group } or { thread }, got ${inspect(to, { depth: 0 })}`);
}

/** A descriptor that sends signals, until it is closed. Made by `notify`. */
export class ReadyNotice {
  readonly #fd: number;
  readonly #sig: SignalName;
  readonly #what: string;
  readonly #stayAtClose: () => void;
  #closed = false;

  /** @internal */
  constructor(handle: DescriptorHandle, number: number, to: NotifyTarget) {
    const { fd } = handle;
    const what: ErrorSubject = { object: handle.describe() };
    const { kind, id } = ownerOf(to);
    this.#fd = fd;
    this.#sig = toName(number);
    this.#what = handle.describe();
    const flags = check(native().fcntl(fd, F_GETFL, 0), 'fcntl(F_GETFL)', what);
    if ((flags & O_ASYNC) !== 0) {
      const message = 'it sends signals already; close that notice first, here or in the process that shares it';
      throw new IpcError({ code: 'EBUSY', syscall: 'fcntl(F_SETOWN_EX)', ...what, message });
    }
    // This holds the handle: no garbage collector closes the descriptor while this may still act on its number.
    this.#stayAtClose = handle.beforeClose(() => this.close());
    try {
      check(native().setOwner(fd, kind, id), 'fcntl(F_SETOWN_EX)', { object: String(id) });
      check(native().fcntl(fd, F_SETSIG, number), 'fcntl(F_SETSIG)', { object: this.#sig });
      check(native().fcntl(fd, F_SETFL, flags | O_ASYNC), 'fcntl(F_SETFL)', what);
      // The kernel passes over what cannot.
      if ((native().fcntl(fd, F_GETFL, 0) & O_ASYNC) === 0) {
        const message = 'a descriptor of this kind sends no signals';
        throw new IpcError({ code: 'EOPNOTSUPP', syscall: 'fcntl(F_SETFL)', ...what, message });
      }
    } catch (why) {
      this.close();
      throw why;
    }
  }

  /** The signal's name. */
  get sig(): SignalName {
    return this.#sig;
  }

  /** Whether it sends no more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** No further signal is sent; those that were sent arrive. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stayAtClose();
    const flags = native().fcntl(this.#fd, F_GETFL, 0);
    native().fcntl(this.#fd, F_SETFL, flags & ~O_ASYNC);
    native().fcntl(this.#fd, F_SETSIG, PLAIN);
    native().setOwner(this.#fd, F_OWNER_PID, NOBODY);
  }

  /** As `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect.custom](_depth: number, options: object): string {
    return `ReadyNotice ${inspect({ sig: this.#sig, of: this.#what, closed: this.#closed }, options)}`;
  }
}

/**
 * From now on the kernel sends a signal each time a descriptor may have become ready (F_SETOWN_EX, F_SETSIG and O_ASYNC of
 * fcntl(2)): a read end of a pipe or FIFO for reading, also the end; a write end for writing, also when the last reader
 * has gone; a socket for either. What was ready before is not told: try once after this.
 *
 * Who receives it sees the code `POLL_IN` or `POLL_OUT`, as `fd` the number that the descriptor has in this process, and as
 * `band` the events of poll(2). Somebody must receive or handle it: the default of SIGIO and of every real-time
 * signal ends the process. It is sent with the permissions of this process, and where these do not suffice nobody is told
 * (kill(2)). Where the receiver's queue is full (RLIMIT_SIGPENDING), the kernel sends a plain SIGIO instead of a real-time
 * signal, with the code `SI_KERNEL`.
 *
 * It lasts until its `close()`, or until the handle is closed. It keeps nothing alive.
 *
 * @param handle an end of a pipe or FIFO, a socket, or another handle that is a descriptor
 * @throws IpcError ESRCH (nobody is `to`), EBUSY (it sends signals already, here or in who shares it), EOPNOTSUPP (it cannot)
 * @example
 * using signals = signal.open('SIGRTMIN+3');
 * using notice = signal.notify(reader, { sig: 'SIGRTMIN+3' });
 * const { code, fd } = await signals.receive(); // POLL_IN, reader.fd
 */
export function notify(handle: DescriptorHandle, options: NotifyOptions = {}): ReadyNotice {
  if (typeof handle?.beforeClose !== 'function') {
    throw argumentError(`a handle that is a descriptor is needed, got ${inspect(handle, { depth: 0 })}`);
  }
  handle.use();
  checkOptions(options, ['sig', 'to']);
  const { sig = 'SIGIO', to = process.pid } = options;
  return new ReadyNotice(handle, toNumber(sig), to);
}
