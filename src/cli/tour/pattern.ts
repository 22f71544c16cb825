/** The small messages of the tour: which bytes they have, so that sender and tour agree without talking. */
import { createHash } from 'node:crypto';

/** Bytes of a small message. */
export const MESSAGE_BYTES = 64;
const WORDS = MESSAGE_BYTES / 4;

const GOLDEN = 0x9e3779b1;

/** A small message, to be numbered: its words, of which most stay as they are. */
export function newMessage(): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: WORDS }, (_, at) => Math.imul(at + 1, GOLDEN));
}

/** Makes it message number `index`, in few words: what is measured is the way, not the making. */
export function numberMessage(words: Int32Array, index: number): void {
  words[0] = index;
  words[5] = Math.imul(index + 5, GOLDEN);
  words[10] = Math.imul(index + 10, GOLDEN);
  words[15] = Math.imul(index + 15, GOLDEN);
}

/** The int32 that signal number `index` carries. */
export function signalValue(index: number): number {
  return Math.imul(index, GOLDEN);
}

const digests = new Map<number, string>();

/** The digest of the first `count` small messages; computed once for each count. */
export function digestOfMessages(count: number): string {
  let digest = digests.get(count);
  if (digest === undefined) {
    const words = newMessage();
    const hash = createHash('sha256');
    for (let index = 0; index < count; index++) {
      numberMessage(words, index);
      hash.update(words);
    }
    digest = hash.digest('hex');
    digests.set(count, digest);
  }
  return digest;
}

/** The digest of the first `count` values of signals, as little-endian int32. */
export function digestOfSignals(count: number): string {
  return createHash('sha256')
    .update(Int32Array.from({ length: count }, (_, index) => signalValue(index)))
    .digest('hex');
}
