/** The small messages of the tour: which bytes they have, so that sender and tour agree without talking. */
import { createHash } from 'node:crypto';

/** Bytes of a small message. */
export const MESSAGE_BYTES = 64;
const WORDS = MESSAGE_BYTES / 4;

/** Writes message number `index` into `words`: its counter, then bits that depend on it. */
export function fillMessage(words: Int32Array, index: number): void {
  words[0] = index;
  let bits = Math.imul(index + 1, 0x9e3779b1);
  for (let at = 1; at < WORDS; at++) {
    bits = ((bits ^ (bits >>> 15)) + 0x7f4a7c15) | 0;
    words[at] = bits;
  }
}

/** The int32 that signal number `index` carries. */
export function signalValue(index: number): number {
  return Math.imul(index, 0x9e3779b1);
}

const digests = new Map<number, string>();

/** The digest of the first `count` small messages; computed once for each count. */
export function digestOfMessages(count: number): string {
  let digest = digests.get(count);
  if (digest === undefined) {
    const words = new Int32Array(WORDS);
    const hash = createHash('sha256');
    for (let index = 0; index < count; index++) {
      fillMessage(words, index);
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
