/**
 * Copying a short message between a user's array and the ring, as fast as JavaScript can.
 *
 * `set` costs a call into C++ each time, some 12 ns; for up to 128 bytes a loop over 64-bit words
 * is inlined and takes half of that (docs/design/ring.md). Such a loop needs a BigInt64Array over
 * the same bytes, which costs more to make than it saves; but who sends or receives without
 * allocating uses one array again and again, so the views of the last array are kept. Under Bun
 * each BigInt is allocated: no loop there.
 */
const WORD_LOOP = process.versions['bun'] === undefined;
const LOOP_BYTES = 128;

/** The 64-bit words of the array that was used last. */
export class LastArray {
  #array: Uint8Array | undefined;
  #words: BigInt64Array | undefined;

  /** The words of `array`, if it is the same as last time, still attached, and aligned. */
  wordsOf(array: Uint8Array, length: number): BigInt64Array | undefined {
    if (array === this.#array) {
      const words = this.#words;
      // A detached array has length 0, and its words are gone with it.
      return words !== undefined && words.length << 3 === (length & ~7) ? words : undefined;
    }
    this.#array = array;
    this.#words =
      WORD_LOOP && array.byteOffset % 8 === 0 && array.length >= 8 && array.length <= LOOP_BYTES
        ? new BigInt64Array(array.buffer, array.byteOffset, array.length >> 3)
        : undefined;
    return array.length === length ? this.#words : undefined;
  }
}
