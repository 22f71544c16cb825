/**
 * Reading and writing streams of bytes on a descriptor: what pipes, FIFOs and stream sockets share.
 *
 * The descriptor becomes non-blocking with the first use here and not before. O_NONBLOCK belongs to
 * the open file description, which a child shares: an end that is only handed down stays blocking,
 * as `cat` and its kind expect.
 *
 * Bytes are written in the order of the calls. What cannot be written at once stands in a queue, and
 * whoever is woken serves the queue from its head; so two writes never mix, whatever their size.
 */
import { constants } from 'node:fs';
import { F_GETFL, F_SETFL, native } from '../sys/index.js';
import { checkOptions } from './arguments.js';
import { check } from './errors.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from './wait.js';

/** Sets or clears O_NONBLOCK (fcntl(2), F_SETFL) for everybody who shares the open file description. */
export function setNonBlocking(fd: number, wanted: boolean): void {
  const flags = check(native().fcntl(fd, F_GETFL, 0), 'fcntl(F_GETFL)');
  const next = wanted ? flags | constants.O_NONBLOCK : flags & ~constants.O_NONBLOCK;
  if (next !== flags) check(native().fcntl(fd, F_SETFL, next), 'fcntl(F_SETFL)');
}

/** Throws for options that cannot be meant. */
export function checkWait(options: WaitOptions): void {
  checkOptions(options, WAIT_OPTIONS);
  checkSignal(options.signal);
  checkTimeout(options.timeoutMs);
}

const SYNC_WAIT_OPTIONS = ['timeoutMs'];

/** Throws for options that cannot be meant. */
export function checkSyncWait(options: SyncWaitOptions): void {
  checkOptions(options, SYNC_WAIT_OPTIONS);
  checkTimeout(options.timeoutMs);
}
