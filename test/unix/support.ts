/** Sockets that are connected to each other, for tests. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type StreamListener, type StreamSocket, stream } from '../../src/unix/index.js';
import { temporaryFolder } from '../support/folder.js';

/** The bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The text of bytes that were read. */
export const text = (read: Uint8Array | null | undefined): string => new TextDecoder().decode(read ?? undefined);

/** A path for a socket in a folder of its own. */
export function socketPath(t: TestContext): string {
  return join(temporaryFolder(t), 's');
}

/** A pair of sockets that is closed when the test is over. */
export function pairFor(t: TestContext): { first: StreamSocket; second: StreamSocket } {
  const pair = stream.pair();
  t.after(() => pair.close());
  return pair;
}

/** Connects until the backlog is full. */
export function fill(listener: StreamListener): StreamSocket[] {
  const waiting: StreamSocket[] = [];
  for (let one = stream.tryConnect(listener.address); one !== undefined; one = stream.tryConnect(listener.address)) {
    waiting.push(one);
  }
  return waiting;
}
