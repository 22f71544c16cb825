/** What the tests of FIFOs share. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as fifo from '../../src/fifo/index.js';
import { temporaryFolder } from '../support/folder.js';

/** A FIFO of this test, in a folder of its own. */
export function newFifo(t: Pick<TestContext, 'after'>, options?: fifo.CreateOptions): string {
  const path = join(temporaryFolder(t), 'f');
  fifo.create(path, options);
  return path;
}

/** An empty folder that every user may enter and list, or with the mode 0777 also write to. */
export function openFolder(t: Pick<TestContext, 'after'>, mode = 0o755): string {
  const folder = temporaryFolder(t);
  chmodSync(folder, mode);
  return folder;
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What was read as text; nothing is `''`. */
export function text(read: Uint8Array | null | undefined): string {
  return new TextDecoder().decode(read ?? undefined);
}
