/**
 * The one connection between the addon's poller and JavaScript, opened when something is waited
 * for the first time. It keeps the process alive exactly while a wait that counts is pending.
 *
 * `INTERPROC_POLLER=thread` chooses the form with a thread, which serves runtimes without
 * libuv's uv_poll_t (docs/design/waiting.md).
 */
import { native } from '../sys/index.js';
import { check } from './errors.js';

const PAIRS = 256;

type Callback = (value: number) => void;

const descriptors = new Map<number, Callback>();
const calls = new Map<number, Callback>();
let ready: Int32Array;
let done: Float64Array;
let opened = false;
let nextToken = 1;
let keeping = 0;

/** Told by the addon: how many pairs stand in `ready` (token, events) and `done` (token, result). */
function dispatch(readyPairs: number, donePairs: number): void {
  // Both are copied out first: a callback may wait again, and JavaScript run by it may get here.
  if (readyPairs === 1 && donePairs === 0) {
    descriptors.get(ready[0] as number)?.(ready[1] as number);
    return;
  }
  const events = Array.from(ready.subarray(0, 2 * readyPairs));
  const results = Array.from(done.subarray(0, 2 * donePairs));
  for (let index = 0; index < events.length; index += 2) {
    descriptors.get(events[index] as number)?.(events[index + 1] as number);
  }
  for (let index = 0; index < results.length; index += 2) {
    calls.get(results[index] as number)?.(results[index + 1] as number);
  }
}

function open(): void {
  ready = new Int32Array(new ArrayBuffer(PAIRS * 2 * 4));
  done = new Float64Array(new ArrayBuffer(PAIRS * 2 * 8));
  const withThread = process.env['INTERPROC_POLLER'] === 'thread' || process.versions['bun'] !== undefined;
  check(native().pollerOpen(withThread, dispatch, ready, done), 'epoll_create1');
  opened = true;
}

function newToken(): number {
  if (!opened) open();
  nextToken = nextToken === 0x7fffffff ? 1 : nextToken + 1;
  return nextToken;
}

/** A token under which the events of a descriptor are reported to `callback`. */
export function registerDescriptor(callback: Callback): number {
  const token = newToken();
  descriptors.set(token, callback);
  return token;
}

/** The events of this token are no longer wanted. */
export function unregisterDescriptor(token: number): void {
  descriptors.delete(token);
}

/** A token under which the result of a blocked call is reported to `callback`. */
export function registerCall(callback: Callback): number {
  const token = newToken();
  calls.set(token, callback);
  return token;
}

/** The call of this token has been reported, or never began. */
export function unregisterCall(token: number): void {
  calls.delete(token);
}

/** One more wait keeps the process alive. */
export function keepAlive(): void {
  if (!opened) open();
  if (keeping++ === 0) native().pollerRef(true);
}

/** A wait that kept the process alive is over. */
export function letGo(): void {
  if (--keeping === 0) native().pollerRef(false);
}
