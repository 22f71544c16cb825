/**
 * futex(2): sleeping until a word of shared memory changes, for those who build locks of their own. The word is 32 bits anywhere in a mapping; what
 * it means is yours. The kernel compares it with what you expect and puts you to sleep in one step, so that no change in between is missed.
 *
 * @example
 * // Another process, or thread, stores 1 into the word and calls futex.wake(memory, 0).
 * while (Atomics.load(memory.int32, 0) === 0) await futex.wait(memory, 0, 0);
 */
import { inspect } from 'node:util';
import { native } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { callBlocking, callBlockingSync } from '../core/blocking.js';
import { EAGAIN } from '../core/errno.js';
import { argumentError, check, rangeError, timeoutError } from '../core/errors.js';
import {
  checkSignal,
  checkTimeout,
  type SyncWaitOptions,
  type WaitOptions,
  type WaitOwner,
  WAIT_OPTIONS,
} from '../core/wait.js';
import { Mapping } from '../mmap/index.js';

/** A word, and what it is expected to hold. */
export interface Expectation {
  mapping: Mapping;
  /** Bytes from the beginning of the mapping, a multiple of 4. */
  offset: number;
  /** -2^31 to 2^32 - 1; the sign does not matter. */
  expected: number;
}

/** What `waitMany` takes at most (FUTEX_WAITV_MAX). */
const MOST_WORDS = 128;
const ALL = 0x7fff_ffff;
const FUTEX = { syscall: 'futex' };
const WAITV = { syscall: 'futex_waitv' };

function checkWord(mapping: Mapping, offset: number): void {
  if (!(mapping instanceof Mapping)) {
    throw argumentError(`mapping must be a Mapping, got ${inspect(mapping, { depth: 0 })}`);
  }
  mapping.use();
  checkInteger('offset', offset, 0, mapping.byteLength - 4);
  if (offset % 4 !== 0) throw rangeError(`offset must be a multiple of 4, got ${offset}`);
}

function checkExpected(expected: number): void {
  checkInteger('expected', expected, -0x8000_0000, 0xffff_ffff);
}

/** The result of a wait, if the word was another one already or there is no time. */
function atOnce(mapping: Mapping, offset: number, expected: number, timeoutMs: number): boolean | undefined {
  if (timeoutMs > 0) return undefined;
  const waited = native().futexWait(mapping.native, offset, expected, 0);
  if (waited === -EAGAIN) return false;
  throw timeoutError(FUTEX.syscall, 0);
}

/**
 * Sleeps while the word holds `expected`, until somebody wakes it (FUTEX_WAIT), on a thread that does nothing else. It may return for no reason: look at
 * the word again. An abort takes no wake from others.
 *
 * @param offset of the word, bytes from the beginning of the mapping, a multiple of 4
 * @param expected -2^31 to 2^32 - 1; the sign does not matter
 * @returns true if it was woken, false if the word held something else already
 * @throws IpcError ETIMEDOUT; Error ERR_INTERPROC_TRUNCATED
 */
export async function wait(
  mapping: Mapping,
  offset: number,
  expected: number,
  options: WaitOptions = {},
): Promise<boolean> {
  checkWord(mapping, offset);
  checkExpected(expected);
  checkOptions(options, WAIT_OPTIONS);
  checkSignal(options.signal);
  const now = atOnce(mapping, offset, expected, checkTimeout(options.timeoutMs));
  if (now !== undefined) return now;
  const begin = (token: number): number => native().blockingFutexWait(token, mapping.native, offset, expected);
  const result = await callBlocking(begin, options, FUTEX, mapping);
  mapping.checkIntact();
  return check(result, FUTEX.syscall) === 0;
}

/** The same, blocking this thread. */
export function waitSync(mapping: Mapping, offset: number, expected: number, options: SyncWaitOptions = {}): boolean {
  checkWord(mapping, offset);
  checkExpected(expected);
  checkOptions(options, ['timeoutMs']);
  const now = atOnce(mapping, offset, expected, checkTimeout(options.timeoutMs));
  if (now !== undefined) return now;
  const begin = (token: number): number => native().blockingFutexWait(token, mapping.native, offset, expected);
  const result = callBlockingSync(begin, options, FUTEX);
  mapping.checkIntact();
  return check(result, FUTEX.syscall) === 0;
}

/**
 * Wakes those who sleep on the word (FUTEX_WAKE), in whatever process they are. Change the word before.
 *
 * @param count how many at most; 1 if omitted, Infinity for all
 * @returns how many there were
 */
export function wake(mapping: Mapping, offset: number, count = 1): number {
  checkWord(mapping, offset);
  if (count !== Infinity) checkInteger('count', count, 0, ALL);
  // The kernel wakes one where it is told none.
  if (count === 0) return 0;
  return check(native().futexWake(mapping.native, offset, Math.min(count, ALL)), FUTEX.syscall);
}

function checkWords(words: readonly Expectation[]): void {
  if (!Array.isArray(words) || words.length === 0) {
    throw argumentError(`words must be an array with at least one word, got ${inspect(words, { depth: 0 })}`);
  }
  if (words.length > MOST_WORDS) throw rangeError(`at most ${MOST_WORDS} words can be waited for, got ${words.length}`);
  for (const { mapping, offset, expected } of words) {
    checkWord(mapping, offset);
    checkExpected(expected);
  }
}

/** A wait on several words belongs to all their mappings: closing one ends it. */
function ownerOf(words: readonly Expectation[]): WaitOwner {
  const mappings = new Set(words.map(({ mapping }) => mapping));
  return {
    beginWait: (cancel) => {
      for (const mapping of mappings) mapping.beginWait(cancel);
    },
    endWait: (cancel) => {
      for (const mapping of mappings) mapping.endWait(cancel);
    },
  };
}

function beginMany(words: readonly Expectation[]): (token: number) => number {
  const mappings = words.map(({ mapping }) => mapping.native);
  const offsets = Float64Array.from(words, ({ offset }) => offset);
  const expected = Uint32Array.from(words, (word) => word.expected >>> 0);
  return (token) => native().blockingFutexWaitMany(token, mappings, offsets, expected);
}

/** Which word does not hold what is expected, -1 if all do. */
function different(words: readonly Expectation[]): number {
  return words.findIndex(
    ({ mapping, offset, expected }) => native().futexWait(mapping.native, offset, expected, 0) === -EAGAIN,
  );
}

/**
 * Sleeps while each of several words holds what is expected of it, until somebody wakes one of them (futex_waitv(2)). It may return for no
 * reason: look at the words again.
 *
 * @param words 1 to 128, in whatever mappings
 * @returns which one was woken, or held something else
 * @throws IpcError ETIMEDOUT; ENOSYS before Linux 5.16
 */
export async function waitMany(words: readonly Expectation[], options: WaitOptions = {}): Promise<number> {
  checkWords(words);
  checkOptions(options, WAIT_OPTIONS);
  checkSignal(options.signal);
  if (checkTimeout(options.timeoutMs) === 0) return manyAtOnce(words);
  return whichOf(words, await callBlocking(beginMany(words), options, WAITV, ownerOf(words)));
}

/** The same, blocking this thread. */
export function waitManySync(words: readonly Expectation[], options: SyncWaitOptions = {}): number {
  checkWords(words);
  checkOptions(options, ['timeoutMs']);
  if (checkTimeout(options.timeoutMs) === 0) return manyAtOnce(words);
  return whichOf(words, callBlockingSync(beginMany(words), options, WAITV));
}

function manyAtOnce(words: readonly Expectation[]): number {
  const index = different(words);
  if (index < 0) throw timeoutError(WAITV.syscall, 0);
  return index;
}

/** The kernel does not say which word it found different; by now it may be as expected again. */
function whichOf(words: readonly Expectation[], result: number): number {
  for (const { mapping } of words) mapping.checkIntact();
  return result === -EAGAIN ? Math.max(0, different(words)) : check(result, WAITV.syscall);
}
