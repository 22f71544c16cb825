/** Storms over locks of files: flock(2), record and open file description locks, alone and shared, and lock files. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as filelock from '../../../src/filelock/index.js';
import { temporaryFolder } from '../folder.js';
import type { Asked, Opened, Primitive, Turn } from './primitive.js';

function newFile(t: Pick<TestContext, 'after'>): string {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, '');
  return path;
}

type Kind = typeof filelock.flock | typeof filelock.ofd | typeof filelock.record;

function turn(lock: filelock.FileLock): Turn {
  return { deaths: 0, release: () => lock.release() };
}

function ofKind(kind: Kind, shares: boolean): Primitive {
  const open = (path: string): Opened => {
    const asked = ({ shared, ...wait }: Asked) => (shares ? { shared, ...wait } : wait);
    return {
      take: async (how) => turn(await kind.acquire(path, asked(how))),
      takeSync: (how) => turn(kind.acquireSync(path, asked(how))),
    };
  };
  return {
    shares,
    make(t) {
      const place = newFile(t);
      return { place, ours: open(place) };
    },
    open,
  };
}

export const flock = ofKind(filelock.flock, false);
export const flockShared = ofKind(filelock.flock, true);
export const ofd = ofKind(filelock.ofd, false);
export const ofdShared = ofKind(filelock.ofd, true);
export const record = ofKind(filelock.record, false);
export const recordShared = ofKind(filelock.record, true);

function opened(path: string): Opened {
  const taken = (lock: filelock.LockFile): Turn => ({
    deaths: lock.takenOver === undefined ? 0 : 1,
    release: () => lock.release(),
  });
  return {
    take: async ({ signal, timeoutMs }) => taken(await filelock.lockFile(path, { signal, timeoutMs })),
    takeSync: ({ timeoutMs }) => taken(filelock.lockFileSync(path, { timeoutMs })),
  };
}

/** Made by who takes it, removed by who releases it. */
export const lockFile: Primitive = {
  tells: true,
  make(t: Pick<TestContext, 'after'>) {
    const place = join(temporaryFolder(t), 'lock');
    return { place, ours: opened(place) };
  },
  open: opened,
};

/** There before, so that it stays. */
export const lockFileThatStays: Primitive = {
  tells: true,
  make(t) {
    const place = newFile(t);
    return { place, ours: opened(place) };
  },
  open: opened,
};
