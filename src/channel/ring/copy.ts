/**
 * Copying a short message between a user's array and the ring, as fast as JavaScript can.
 *
 * `set` costs a call into C++ each time, 12 to 15 ns, and copying only a part of an array costs
 * another view of it, 40 ns more. The same in 64-bit words is inlined and takes 4 for 64 bytes
 * (docs/design/ring.md). It needs a BigInt64Array over the same bytes, which costs 60 ns to make;
 * but who sends or receives without allocating uses one array again and again, so the words of the
 * last array are kept. They are made when it comes for the second time in a row: who always sends
 * another one pays nothing. Under Bun each BigInt is allocated: no words there.
 */
const IN_WORDS = process.versions.bun === undefined;
/** Bytes of the longest message that is copied into the ring in words; 0: none is. */
export const MOST_INTO_RING = IN_WORDS ? 128 : 0;
/** Bytes of the longest message that is copied out of the ring in words, where it is a part of a larger array. */
export const MOST_OUT_OF_RING = IN_WORDS ? 256 : 0;
const NO_WORDS = new BigInt64Array(0);

/** The array that was used last, and the whole 64-bit words in it: none as long as it came only once. */
export interface LastArray {
  array: Uint8Array | undefined;
  cameTwice: boolean;
  words: BigInt64Array;
}

/** No array yet. */
export function noArray(): LastArray {
  return { array: undefined, cameTwice: false, words: NO_WORDS };
}

/** `array` is used, and has no words yet. Those of a detached array are gone with it. */
export function remember(last: LastArray, array: Uint8Array): void {
  if (last.array !== array) {
    last.array = array;
    last.cameTwice = false;
    last.words = NO_WORDS;
  } else if (!last.cameTwice) {
    last.cameTwice = true;
    last.words = wordsOf(array);
  }
}

function wordsOf(array: Uint8Array): BigInt64Array {
  const { length, byteOffset } = array;
  // A detached array has length 0, and no views can be made of it.
  const possible = byteOffset % 8 === 0 && length >= 8 && length <= MOST_OUT_OF_RING;
  return possible ? new BigInt64Array(array.buffer, byteOffset, length >> 3) : NO_WORDS;
}

/**
 * Copies `count` words. A message of 64 bytes is the one to be quick with, and goes without a loop:
 * `| 0` tells V8 that no sum overflows, and what remains of a word is two comparisons, a load and a store.
 */
export function copyWords(
  to: BigInt64Array,
  toIndex: number,
  from: BigInt64Array,
  fromIndex: number,
  count: number,
): void {
  if (count === 8) {
    to[toIndex] = from[fromIndex] as bigint;
    to[(toIndex + 1) | 0] = from[(fromIndex + 1) | 0] as bigint;
    to[(toIndex + 2) | 0] = from[(fromIndex + 2) | 0] as bigint;
    to[(toIndex + 3) | 0] = from[(fromIndex + 3) | 0] as bigint;
    to[(toIndex + 4) | 0] = from[(fromIndex + 4) | 0] as bigint;
    to[(toIndex + 5) | 0] = from[(fromIndex + 5) | 0] as bigint;
    to[(toIndex + 6) | 0] = from[(fromIndex + 6) | 0] as bigint;
    to[(toIndex + 7) | 0] = from[(fromIndex + 7) | 0] as bigint;
    return;
  }
  for (let next = 0; next < count; next = (next + 1) | 0) {
    to[(toIndex + next) | 0] = from[(fromIndex + next) | 0] as bigint;
  }
}
