/**
 * Reading and writing streams of bytes on a descriptor: what pipes, FIFOs and stream sockets share.
 *
 * The descriptor becomes non-blocking with the first use here and not before. O_NONBLOCK belongs to
 * the open file description, which a child shares: an end that is only handed down stays blocking,
 * as `cat` and its kind expect. A synchronous call without a time-out leaves the mode alone, and blocks in the
 * kernel if the descriptor does: one system call where an attempt, poll(2) and another attempt would be three
 * (docs/design/streams.md). Not so in a worker, which could not be terminated then.
 *
 * Bytes are written in the order of the calls. What cannot be written at once stands in a queue, and
 * whoever is woken serves the queue from its head; so two writes never mix, whatever their size.
 */
import { constants } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { F_GETFL, F_SETFL, native } from '../sys/index.js';
import { check, type ErrorSubject } from './errors.js';
import type { DescriptorHandle } from './handle.js';
import type { Awaited } from './wait.js';

/** Sets or clears O_NONBLOCK (fcntl(2), F_SETFL) for everybody who shares the open file description. */
export function setNonBlocking(fd: number, wanted: boolean): void {
  const flags = check(native().fcntl(fd, F_GETFL, 0), 'fcntl(F_GETFL)');
  const next = wanted ? flags | constants.O_NONBLOCK : flags & ~constants.O_NONBLOCK;
  if (next !== flags) check(native().fcntl(fd, F_SETFL, next), 'fcntl(F_SETFL)');
}

/** Whether this thread may be left in a blocking system call until it returns. */
export const MAY_BLOCK = isMainThread;

/** One direction of a handle: reading or writing. */
export abstract class Direction {
  protected readonly handle: DescriptorHandle;
  /** What its waits are for. */
  protected readonly awaited: Awaited;
  /** Whether the descriptor does not block. */
  protected ready = false;

  constructor(handle: DescriptorHandle, syscall: string, subject: ErrorSubject | undefined) {
    this.handle = handle;
    this.awaited = subject === undefined ? { syscall } : { syscall, subject };
  }

  /** The descriptor does not block from now on. */
  protected prepare(): void {
    this.handle.use();
    setNonBlocking(this.handle.fd, true);
    this.ready = true;
  }

  /** Gives the descriptor back its blocking mode; the next use here takes it again. */
  makeBlocking(): void {
    this.ready = false;
    setNonBlocking(this.handle.fd, false);
  }
}
