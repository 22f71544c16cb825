/** Primitives that break each promise once, to see that a storm finds it. */
import { join } from 'node:path';
import * as filelock from '../../../src/filelock/index.js';
import * as sem from '../../../src/sem/index.js';
import { temporaryFolder } from '../folder.js';
import * as filelocks from './filelock.js';
import type { Asked, Opened, Primitive, Turn } from './primitive.js';
import * as sems from './sem.js';

/** It lets two in who are to be alone. */
export const letsTwoIn: Primitive = {
  ...sems.plainOne,
  make(t) {
    const made = sems.plainOne.make(t);
    made.giveBack?.();
    return made;
  },
};

/** It lets somebody in while others share, and others share while he is inside. */
export const sharesWithAnyone: Primitive = { ...filelocks.flock, shares: true, ...neverExclusive() };

function neverExclusive(): Pick<Primitive, 'make' | 'open'> {
  const turn = (lock: filelock.FileLock): Turn => ({ deaths: 0, release: () => lock.release() });
  const open = (path: string): Opened => ({
    take: async ({ signal, timeoutMs }) =>
      turn(await filelock.flock.acquire(path, { shared: true, signal, timeoutMs })),
    takeSync: ({ timeoutMs }) => turn(filelock.flock.acquireSync(path, { shared: true, timeoutMs })),
  });
  return { make: (t) => ({ ...filelocks.flock.make(t) }), open };
}

/** A holder's death leaves it taken for ever. */
export const hangs: Primitive = { ...sems.plainOne, loses: false };

/** Who waits takes a slow holder for dead. */
export const robsTheSlow: Primitive = {
  ...sems.plainOne,
  loses: false,
  open(name) {
    const semaphore = sem.open(name);
    const turn: Turn = { deaths: 0, release: () => semaphore.release() };
    const takeSync = (): Turn => {
      try {
        semaphore.acquireSync({ timeoutMs: 50 });
      } catch {
        // His time is over.
      }
      return turn;
    };
    return { takeSync, take: async () => takeSync() };
  },
};

function lockFileThat(counts: (deaths: number) => number): Primitive {
  const open = (path: string): Opened => {
    const { take, takeSync } = filelocks.lockFile.open(path, 0);
    const told = (turn: Turn): Turn => ({ deaths: counts(turn.deaths), release: () => turn.release() });
    return { take: async (how: Asked) => told(await take(how)), takeSync: (how) => told(takeSync(how)) };
  };
  return {
    tells: true,
    make(t) {
      const place = join(temporaryFolder(t), 'lock');
      return { place, ours: open(place) };
    },
    open,
  };
}

/** It tells nobody of a death. */
export const keepsSilent = lockFileThat(() => 0);
/** It tells twice of each. */
export const tellsTwice = lockFileThat((deaths) => 2 * deaths);
/** It tells of one where none was. */
export const tellsAnyway = lockFileThat(() => 1);

/** It gives back what it is said to lose, so that there is one too many. */
export const losesNothing: Primitive = {
  ...sems.recoveringOne,
  loses: true,
  make(t) {
    const made = sems.recoveringOne.make(t);
    return { ...made, free: () => 1, giveBack: () => {} };
  },
};
