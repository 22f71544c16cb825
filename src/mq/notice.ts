/**
 * Being told that a message has come into an empty queue: mq_notify(3).
 *
 * The kernel tells on a netlink socket, which glibc reads in a thread of its own to call a function; here the event loop waits
 * for it. A socket serves one registration: what an earlier one left unread is then nobody's.
 *
 * When a process closes any descriptor of a queue, the kernel ends its registration there, whichever descriptor it was made with. So
 * we remember what this process is registered for: `list()` must not open those.
 */
import { native, POLLIN } from '../sys/index.js';
import { EAGAIN } from '../core/errno.js';
import { check, type ErrorSubject, IpcError } from '../core/errors.js';
import { statusOf } from '../core/files.js';
import type { DescriptorHandle } from '../core/handle.js';
import { forgetDescriptor, onceReady } from '../core/readiness.js';
import { type Awaited, pend, type WaitOptions } from '../core/wait.js';

/** How a process is told: by a signal of this number, on a socket (`notify()`, and SIGEV_THREAD of glibc), or not at all (SIGEV_NONE). */
export type ToldBy = number | 'socket' | 'nothing';

const COOKIE = new Uint8Array(32);
/** What the kernel puts into the last byte of the cookie: include/linux/mqueue.h. */
const WOKEN_UP = 1;

/** By inode number, which a queue has alone in its IPC namespace. */
const registrations = new Map<bigint, ToldBy>();

/** How this process is told of a queue, as far as it is our doing. One by a signal may have been used up since. */
export function toldOf(inode: bigint): ToldBy | undefined {
  return registrations.get(inode);
}

function register(fd: number, subject: ErrorSubject, by: ToldBy, result: number): void {
  check(result, 'mq_notify', subject);
  registrations.set(statusOf(fd, subject).ino, by);
}

/** What the kernel does when a descriptor of the queue is closed, or when it is told to, or when a message has come. */
function forget(fd: number): void {
  if (registrations.size > 0) registrations.delete(statusOf(fd).ino);
}

/** A descriptor of a queue is about to be closed. */
export const closing = forget;

/** mq_notify(3) with SIGEV_SIGNAL. */
export function registerSignal(fd: number, subject: ErrorSubject, sig: number, value: number | bigint): void {
  register(fd, subject, sig, native().mqNotifySignal(fd, sig, value));
}

/** mq_notify(3) without an event. */
export function endRegistration(fd: number, subject: ErrorSubject): void {
  check(native().mqNotifyEnd(fd), 'mq_notify', subject);
  forget(fd);
}

/** A socket on which the end of one registration is told. */
class NoticeSocket {
  readonly fd: number;
  readonly #subject: ErrorSubject;

  constructor(subject: ErrorSubject) {
    this.#subject = subject;
    this.fd = check(native().mqNotice(), 'socket', subject);
    native().holdDescriptor(this.fd);
  }

  /** Whether a message came; false if the registration was removed, `undefined` if neither yet. */
  heard(): boolean | undefined {
    const told = new Uint8Array(COOKIE.length);
    const length = native().read(this.fd, told);
    if (length === -EAGAIN) return undefined;
    check(length, 'recv', this.#subject);
    return told[COOKIE.length - 1] === WOKEN_UP;
  }

  close(): void {
    forgetDescriptor(this.fd);
    native().close(this.fd);
  }
}

function removed(subject: ErrorSubject): IpcError {
  return new IpcError({
    code: 'ECANCELED',
    syscall: 'mq_notify',
    ...subject,
    message: 'the registration has been removed before a message came',
    hint: 'endNotify() does so, and the kernel when the process closes any of its descriptors of this queue',
  });
}

/** Registers, and resolves when a message has come. */
export function whenNotified(
  queue: DescriptorHandle,
  subject: ErrorSubject,
  options: WaitOptions | undefined,
): Promise<void> {
  const awaited: Awaited = { syscall: 'mq_notify', subject };
  const { fd } = queue;
  return pend<void>(queue, options, awaited, (settle) => {
    const socket = new NoticeSocket(subject);
    const look = (otherwise: () => void): void => {
      const heard = socket.heard();
      if (heard === undefined) {
        otherwise();
        return;
      }
      socket.close();
      forget(fd);
      if (heard) settle.resolve();
      else settle.reject(removed(subject));
    };
    const wait = (): void => {
      onceReady(socket.fd, POLLIN, () => look(wait));
    };
    try {
      register(fd, subject, 'socket', native().mqNotifySocket(fd, socket.fd, COOKIE));
      wait();
    } catch (why) {
      socket.close();
      throw why;
    }
    return (why) =>
      look(() => {
        socket.close();
        endRegistration(fd, subject);
        settle.reject(why);
      });
  });
}
