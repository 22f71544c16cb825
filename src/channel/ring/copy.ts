/**
 * Copying a short message between a user's array and the ring, as fast as JavaScript can.
 *
 * `set` costs a call into C++ each time, 12 to 15 ns, and copying only a part of an array costs
 * another view of it, 40 ns more. The same in 64-bit words is inlined and takes 3 to 9 for 64 bytes
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

/** The 64-bit words of the array that was used last. */
export class LastArray {
  #array: Uint8Array | undefined;
  #words: BigInt64Array | undefined;

  /** As many whole words as `array` has, if it is the same as last time. Those of a detached array are gone with it. */
  wordsOf(array: Uint8Array): BigInt64Array {
    if (array !== this.#array) {
      this.#array = array;
      this.#words = undefined;
      return NO_WORDS;
    }
    return this.#words ?? this.#make(array);
  }

  #make(array: Uint8Array): BigInt64Array {
    const { length, byteOffset } = array;
    // A detached array has length 0, and no views can be made of it.
    const possible = byteOffset % 8 === 0 && length >= 8 && length <= MOST_OUT_OF_RING;
    this.#words = possible ? new BigInt64Array(array.buffer, byteOffset, length >> 3) : NO_WORDS;
    return this.#words;
  }
}

/** Copies `count` words; by eight where there are as many. */
export function copyWords(
  to: BigInt64Array,
  toIndex: number,
  from: BigInt64Array,
  fromIndex: number,
  count: number,
): void {
  let next = 0;
  for (; next + 8 <= count; next += 8) {
    const a = toIndex + next;
    const b = fromIndex + next;
    to[a] = from[b] as bigint;
    to[a + 1] = from[b + 1] as bigint;
    to[a + 2] = from[b + 2] as bigint;
    to[a + 3] = from[b + 3] as bigint;
    to[a + 4] = from[b + 4] as bigint;
    to[a + 5] = from[b + 5] as bigint;
    to[a + 6] = from[b + 6] as bigint;
    to[a + 7] = from[b + 7] as bigint;
  }
  for (; next < count; next++) to[toIndex + next] = from[fromIndex + next] as bigint;
}
