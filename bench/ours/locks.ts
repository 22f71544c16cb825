/** The locks that take.ts and hand-over.ts measure, three of each kind, between processes; in C they are in bench/c/locks.h. */
import { join } from 'node:path';
import * as filelock from '../../src/filelock/index.js';
import { Mutex } from '../../src/lock/index.js';
import { anonymous, descriptor, type Mapping } from '../../src/mmap/index.js';
import * as sem from '../../src/sem/index.js';
import { semaphoreSet } from '../../src/sysv/index.js';

/** How many there are of each kind. */
export const LOCKS = 3;
/** Each in a line of the cache of its own. */
const APART = 64;

/** What gives a lock back. */
export interface Guard {
  release(): void;
}

/** A kind of lock in one process. */
export interface Locks {
  take(which: number): Guard;
  awaited(which: number): Promise<Guard>;
  /** Semaphores can be given by whoever has not taken them. */
  post?(which: number): void;
}

/** A kind of lock: made in one process, and opened in others, which inherit the memory and are told the rest. */
export interface LockKind {
  /** @param value permits that each semaphore has at the beginning, which is nothing to locks */
  make(memory: Mapping, folder: string, value: number): { told: string; remove(): void };
  open(memory: Mapping, told: string): Locks;
}

const inMemory: LockKind = {
  make(memory, _folder, value) {
    for (let which = 0; which < LOCKS; which++) sem.create(memory, which * APART, { value });
    return { told: '', remove: () => {} };
  },
  open(memory) {
    const all = Array.from({ length: LOCKS }, (_, which) => sem.open(memory, which * APART));
    return {
      take: (which) => all[which]!.acquireSync(),
      awaited: (which) => all[which]!.acquire(),
      post: (which) => all[which]!.release(),
    };
  },
};

const mutexes: LockKind = {
  make(memory) {
    for (let which = 0; which < LOCKS; which++) Mutex.create(memory, which * APART).close();
    return { told: '', remove: () => {} };
  },
  open(memory) {
    const all = Array.from({ length: LOCKS }, (_, which) => Mutex.open(memory, which * APART));
    return { take: (which) => all[which]!.lockSync(), awaited: (which) => all[which]!.lock() };
  },
};

const set: LockKind = {
  make(_memory, _folder, value) {
    const made = semaphoreSet.create('private', { count: LOCKS, initial: value });
    return { told: String(made.id), remove: () => made.remove() };
  },
  open(_memory, told) {
    const opened = semaphoreSet.fromId(Number(told));
    return {
      take: (index) => opened.acquireSync({ index }),
      awaited: (index) => opened.acquire({ index }),
      post: (index) => opened.release({ index }),
    };
  },
};

const files = (locks: (folder: string) => Locks): LockKind => ({
  make: (_memory, folder) => ({ told: folder, remove: () => {} }),
  open: (_memory, told) => locks(told),
});

const lockFiles = (remove: boolean): LockKind =>
  files((folder) => {
    const paths = Array.from({ length: LOCKS }, (_, which) => join(folder, String(which)));
    return {
      take: (which) => filelock.lockFileSync(paths[which]!, { remove }),
      awaited: (which) => filelock.lockFile(paths[which]!, { remove }),
    };
  });

/** Each kind, as it is named on the command line. */
export const KINDS: Readonly<Record<string, LockKind>> = {
  mutex: mutexes,
  sem: inMemory,
  semset: set,
  flock: files((folder) => {
    const paths = Array.from({ length: LOCKS }, (_, which) => join(folder, String(which)));
    return {
      take: (which) => filelock.flock.acquireSync(paths[which]!, { create: true }),
      awaited: (which) => filelock.flock.acquire(paths[which]!, { create: true }),
    };
  }),
  ofd: files((folder) => {
    const path = join(folder, 'ranges');
    return {
      take: (offset) => filelock.ofd.acquireSync(path, { offset, length: 1, create: true }),
      awaited: (offset) => filelock.ofd.acquire(path, { offset, length: 1, create: true }),
    };
  }),
  'lock-file': lockFiles(true),
  // Both are lock files; this one is left where it is.
  'lock-file-stays': lockFiles(false),
};

/** The kind of this name. */
export function kindOf(name: string): LockKind {
  const kind = KINDS[name];
  if (kind === undefined) throw new RangeError(`--mechanism must be one of ${Object.keys(KINDS).join(', ')}`);
  return kind;
}

/** Bytes of the memory, of which the second half is for whoever measures. */
const MEMORY_BYTES = 8192;
/** Index of the first word that is free for that. */
export const FREE_WORD = MEMORY_BYTES / 8;

/** New memory, to be inherited as descriptor 3. */
export function newMemory(): Mapping & { fd: number } {
  return anonymous(MEMORY_BYTES);
}

/** That memory in the other process. */
export function inheritedMemory(): Mapping {
  return descriptor(3);
}
