/**
 * read(2), write(2), mq_receive(3) and mq_send(3) of a whole array, as fast as a call into C can be.
 *
 * Handing a number and an array to C takes 45 to 60 ns, a third of what the kernel takes for a message in a pipe. Who
 * transfers without allocating uses one array again and again: when the same one comes for the second time in a row,
 * C keeps its address, and from then on the calls have no argument (native/transfer.c). Who always brings another array pays nothing for it.
 *
 * An array is called kept only while it has the length that it had then; one that was detached or transferred has length 0.
 */
import { native } from './addon.js';
import type { Result } from './native.js';

/** A kept array stays reachable, so it must not be large; and what a large one takes hides a call's price. */
const MOST_BYTES = 65536;
const INTO = 0;
const FROM = 1;
const NONE = new Uint8Array(1);

/** The array that one direction used last, and whether C knows it. */
interface Kept {
  array: Uint8Array;
  /** 0 while C does not know it: then no array has this length. */
  length: number;
  last: Uint8Array | undefined;
}

const into: Kept = { array: NONE, length: 0, last: undefined };
const from: Kept = { array: NONE, length: 0, last: undefined };
/** The descriptor, and then the result; the priority of a message. Outside of V8's heap, where nothing moves. */
const words = new Int32Array(new ArrayBuffer(256), 0, 2);
let shared = false;

/** What was not kept is transferred in the ordinary way, and is kept if it comes again. */
function notice(kept: Kept, direction: number, bytes: Uint8Array): void {
  if (kept.last !== bytes) {
    kept.last = bytes;
    return;
  }
  if (kept.array === bytes || !(bytes?.length > 0 && bytes.length <= MOST_BYTES)) return;
  kept.length = 0;
  if (!shared) shared = native().keptWords(words) === 0;
  if (!shared || native().keepBytes(direction, bytes) !== 0) return;
  kept.array = bytes;
  kept.length = bytes.length;
}

/** read(2) into all of `bytes`. */
export function read(fd: number, bytes: Uint8Array): Result {
  if (bytes !== into.array || bytes.length !== into.length) {
    notice(into, INTO, bytes);
    return native().read(fd, bytes);
  }
  words[0] = fd;
  native().readKept();
  return words[0] as number;
}

/** write(2) of all of `bytes`. */
export function write(fd: number, bytes: Uint8Array): Result {
  if (bytes !== from.array || bytes.length !== from.length) {
    notice(from, FROM, bytes);
    return native().write(fd, bytes);
  }
  words[0] = fd;
  native().writeKept();
  return words[0] as number;
}

/** mq_receive(3): the length, and 2^32 for each unit of the priority. */
export function mqReceive(queue: number, bytes: Uint8Array): Result {
  if (bytes !== into.array || bytes.length !== into.length) {
    notice(into, INTO, bytes);
    return native().mqReceive(queue, bytes);
  }
  words[0] = queue;
  native().mqReceiveKept();
  const received = words[0] as number;
  return received < 0 ? received : received + (words[1] as number) * 0x1_0000_0000;
}

/** mq_send(3) of all of `bytes`. */
export function mqSend(queue: number, bytes: Uint8Array, priority: number): Result {
  if (bytes !== from.array || bytes.length !== from.length) {
    notice(from, FROM, bytes);
    return native().mqSend(queue, bytes, priority);
  }
  words[0] = queue;
  words[1] = priority;
  native().mqSendKept();
  return words[0] as number;
}
