/**
 * How the two sides of a ring are written, so that they cost what they would cost in C.
 *
 * Each is a function that makes a record of functions. What does not change (the arrays over the
 * ring, its capacity) they have in constants; what does change is in words of an array, too. V8
 * compiles a function that it knows by its constants into code that has their addresses in it: an
 * element then is a comparison with the array's length and a load. In a class it would be the
 * field, the kind of array that is in it, its address, its length, and for a number whether it is a
 * small one. A message of 64 bytes takes 7 ns where it took 15 to 20 (docs/design/ring.md). That holds for
 * the ring that a loop works with; a loop that works with several takes as long as with a class.
 *
 * What is imported is copied into constants of the file, because V8 knows the value of those, while
 * it reads an import from memory and checks it at each use.
 */

/**
 * `count` words of one side's own, which nobody else sees. They are so many that V8 lays them outside its heap,
 * where they do not move and can be addressed as above.
 */
export function ownWords(count: number): Int32Array {
  return new Int32Array(new ArrayBuffer(Math.max(count * 4, 256)), 0, count);
}
