/** The tour's own folder and names, which no other tour has, and which are gone when it is over. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Place } from './row.js';

/** File systems that are memory (statfs(2)): a file there tells nothing about a disk. */
const TMPFS = 0x01021994;
const RAMFS = 0x858458f6;

/** A place that has to be removed. */
export interface OwnPlace extends Place, Disposable {
  /** Whether the folder is on a file system that is memory, because no other was found. */
  readonly inMemory: boolean;
}

function isMemory(folder: string): boolean {
  const { type } = statfsSync(folder);
  return type === TMPFS || type === RAMFS;
}

/** A new folder, private to the user, on a disk if there is one that we may write to. */
function makeFolder(): { folder: string; inMemory: boolean } {
  const make = (parent: string): string => mkdtempSync(join(parent, 'interproc-tour-'));
  for (const parent of [tmpdir(), '/var/tmp']) {
    try {
      if (!isMemory(parent)) return { folder: make(parent), inMemory: false };
    } catch {
      // It is not there, or not ours to write to: the next one.
    }
  }
  return { folder: make(tmpdir()), inMemory: true };
}

/** Makes the place. */
export function makePlace(): OwnPlace {
  const { folder, inMemory } = makeFolder();
  const unique = `interproc-tour-${process.pid}-${randomBytes(6).toString('hex')}`;
  return {
    inMemory,
    path: (name) => join(folder, name),
    name: (name) => `${unique}-${name}`,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
