/** Cuts a stream of bytes into messages. */
import { LONGEST_MESSAGE } from '../channel/index.js';

const NEWLINE = 10;

/**
 * The lines of a stream, each with its newline; the last one may be without. What comes out are
 * the lines that each chunk completes: to be used before the next are asked for.
 *
 * @throws RangeError for a line that is longer than a message can be
 */
export async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Iterable<Uint8Array>, void, void> {
  let begun: Uint8Array[] = [];
  let begunLength = 0;
  for await (const chunk of chunks) {
    const last = chunk.lastIndexOf(NEWLINE);
    if (last < 0) {
      begun.push(chunk);
      begunLength += chunk.length;
      if (begunLength > LONGEST_MESSAGE) throw tooLong();
      continue;
    }
    let from = 0;
    if (begunLength > 0) {
      from = chunk.indexOf(NEWLINE) + 1;
      begun.push(chunk.subarray(0, from));
      if (begunLength + from > LONGEST_MESSAGE) throw tooLong();
      yield [Buffer.concat(begun)];
    }
    yield wholeLines(chunk, from);
    begun = last + 1 < chunk.length ? [chunk.subarray(last + 1)] : [];
    begunLength = chunk.length - last - 1;
  }
  if (begunLength > 0) yield [Buffer.concat(begun)];
}

function* wholeLines(chunk: Uint8Array, start: number): Generator<Uint8Array, void, void> {
  let from = start;
  for (let newline = chunk.indexOf(NEWLINE, from); newline >= 0; newline = chunk.indexOf(NEWLINE, from)) {
    yield chunk.subarray(from, newline + 1);
    from = newline + 1;
  }
}

function tooLong(): RangeError {
  return new RangeError(
    `a line is longer than ${LONGEST_MESSAGE} bytes, the longest message; without --lines the input is cut into blocks`,
  );
}

/** The chunks of a stream as they are read: up to 64 KiB each. */
export async function* blocks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Iterable<Uint8Array>, void, void> {
  for await (const chunk of chunks) yield [chunk];
}
