/** The file that is moved, the user's or one of our own, and its digest. */
import { createHash } from 'node:crypto';
import { closeSync, constants, createReadStream, fstatSync, openSync, writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Place } from './row.js';

/** Bytes of the file that is made where none is named. */
export const GENERATED_BYTES = 64 * 1024 * 1024;
const CHUNK_WORDS = 256 * 1024;

/** What is moved. */
export interface Input {
  path: string;
  bytes: number;
  digest: string;
}

/** Reads the file once to know its digest, which also brings it into the page cache as far as it fits. */
export async function readInput(path: string, stop: AbortSignal): Promise<Input> {
  // Without O_NONBLOCK the open of a FIFO would wait for a writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = fstatSync(fd);
    if (status.isDirectory()) throw new Error(`EISDIR: ${path} is a directory; --input takes a file`);
    if (!status.isFile())
      throw new Error(`${path} is not a regular file; --input takes one, since each row reads it again`);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of createReadStream('', { fd, autoClose: false, highWaterMark: 1 << 20, signal: stop })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
    return { path, bytes, digest: hash.digest('hex') };
  } finally {
    closeSync(fd);
  }
}

/** Makes a file whose bytes look random (xorshift32) and are the same each time. */
export async function generateInput(place: Place, stop: AbortSignal): Promise<string> {
  const path = place.path('input');
  const fd = openSync(path, 'wx', 0o600);
  try {
    const words = new Int32Array(CHUNK_WORDS);
    let state = 0x2545f491;
    for (let made = 0; made < GENERATED_BYTES; made += words.byteLength) {
      for (let at = 0; at < CHUNK_WORDS; at++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        words[at] = state;
      }
      writeSync(fd, words);
      await nextTurn();
      stop.throwIfAborted();
    }
  } finally {
    closeSync(fd);
  }
  return path;
}
