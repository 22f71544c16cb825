/**
 * Storms over the locks in shared memory. Where a death is told in a turn that comes to nothing, because its wait is given up, it is noted in
 * the memory for the next turn: each death is told once, not once to each who asks.
 */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as lock from '../../../src/lock/index.js';
import * as mmap from '../../../src/mmap/index.js';
import { temporaryFolder } from '../folder.js';
import { SEATS } from './arena.js';
import type { Asked, Made, Opened, Primitive, Turn } from './primitive.js';

const PAGE = 4096;
/** For the test, which has a seat, too; and for the dead, whose seats are free only when somebody has noticed. */
const MANY_SEATS = { seats: 2 * SEATS };

type Open = (memory: mmap.Mapping, seat: number) => Opened;

/** A primitive in the memory of a file. */
function inMemory(
  more: Omit<Primitive, 'make' | 'open'>,
  bytes: number,
  made: (memory: mmap.Mapping) => void,
  open: Open,
): Primitive {
  return {
    ...more,
    tells: true,
    make(t: Pick<TestContext, 'after'>): Made {
      const place = join(temporaryFolder(t), 'memory');
      const memory = mmap.createFile(place, { size: bytes });
      made(memory);
      // Neither waits for the other kind, nor is waited for.
      return { place, ours: open(memory, SEATS) };
    },
    open: (place, seat) => open(mmap.file(place, { access: 'read-write' }), seat),
  };
}

function turnOf(guard: lock.Guard): Turn {
  return {
    deaths: guard.previousOwners.length,
    alone: guard.ownerDied,
    repaired: () => {
      if (guard.ownerDied) guard.markConsistent();
    },
    release: () => guard.release(),
  };
}

export const mutex = inMemory(
  {},
  PAGE,
  (memory) => lock.Mutex.create(memory, 0).close(),
  (memory) => {
    const one = lock.Mutex.open(memory, 0);
    return {
      take: async ({ signal, timeoutMs }) => turnOf(await one.lock({ signal, timeoutMs })),
      takeSync: ({ timeoutMs }) => turnOf(one.lockSync({ timeoutMs })),
    };
  },
);

function rwlocks(shares: boolean): Primitive {
  const mode = ({ shared }: { shared: boolean }): lock.RwLockMode => (shares && shared ? 'read' : 'write');
  return inMemory(
    { shares },
    PAGE,
    (memory) => lock.RwLock.create(memory, 0, MANY_SEATS).close(),
    (memory) => {
      const one = lock.RwLock.open(memory, 0);
      return {
        take: async ({ signal, timeoutMs, ...how }) => turnOf(await one.lock(mode(how), { signal, timeoutMs })),
        takeSync: ({ timeoutMs, ...how }) => turnOf(one.lockSync(mode(how), { timeoutMs })),
      };
    },
  );
}

export const rwlock = rwlocks(false);
export const rwlockShared = rwlocks(true);

function semaphores(permits: number): Primitive {
  const create = (memory: mmap.Mapping): void => lock.Semaphore.create(memory, 0, { permits, ...MANY_SEATS }).close();
  return inMemory({ capacity: permits }, PAGE, create, (memory) => {
    const one = lock.Semaphore.open(memory, 0);
    return {
      take: async ({ signal, timeoutMs }) => turnOf(await one.acquire({ signal, timeoutMs })),
      takeSync: ({ timeoutMs }) => turnOf(one.acquireSync({ timeoutMs })),
    };
  });
}

export const semaphoreOne = semaphores(1);
export const semaphoreThree = semaphores(3);

// ---- with something that others have to do first

/** Words before the locks. */
const ITEMS = 0;
const UNTOLD = 1;
const CURRENT = 2;
const FIRST = 64;

/** Makes whole what the mutex protects, whatever its owner has died at. */
function noteDeath(guard: lock.Guard, words: Int32Array): boolean {
  if (!guard.ownerDied) return false;
  Atomics.add(words, UNTOLD, guard.previousOwners.length);
  guard.markConsistent();
  return true;
}

function turnInside(guard: lock.Guard, words: Int32Array, release: () => void): Turn {
  return {
    deaths: Atomics.exchange(words, UNTOLD, 0),
    release: () => {
      release();
      guard.release();
    },
  };
}

const ROOM = 2;
const NOT_EMPTY = FIRST + 64;
const NOT_FULL = NOT_EMPTY + lock.Condition.byteLength(MANY_SEATS.seats);

/** Half of them produce, while there is room, and half of them consume what there is: who dies having the mutex may not have signalled. */
export const condition = inMemory(
  { needs: 'others' },
  PAGE,
  (memory) => {
    lock.Mutex.create(memory, FIRST).close();
    lock.Condition.create(memory, NOT_EMPTY, MANY_SEATS).close();
    lock.Condition.create(memory, NOT_FULL, MANY_SEATS).close();
  },
  (memory, seat) => {
    const words = memory.int32;
    const guards = lock.Mutex.open(memory, FIRST);
    const notEmpty = lock.Condition.open(memory, NOT_EMPTY);
    const notFull = lock.Condition.open(memory, NOT_FULL);
    const items = (): number => Atomics.load(words, ITEMS);
    const produces = (): boolean => (seat === SEATS ? items() === 0 : seat % 2 === 0);
    const mustWait = (): boolean => (produces() ? items() === ROOM : items() === 0);
    const recover = (guard: lock.Guard): void => {
      if (!noteDeath(guard, words)) return;
      notEmpty.broadcast();
      notFull.broadcast();
    };
    const turn = (guard: lock.Guard): Turn => {
      const more = produces() ? 1 : -1;
      return turnInside(guard, words, () => {
        Atomics.add(words, ITEMS, more);
        (more === 1 ? notEmpty : notFull).signal();
      });
    };
    return {
      async take({ signal, timeoutMs }) {
        const guard = await guards.lock({ signal, timeoutMs });
        try {
          recover(guard);
          while (mustWait()) {
            await (produces() ? notFull : notEmpty).wait(guard, { signal, timeoutMs }).finally(() => recover(guard));
          }
          return turn(guard);
        } catch (why) {
          guard.release();
          throw why;
        }
      },
      takeSync({ timeoutMs }) {
        const guard = guards.lockSync({ timeoutMs });
        try {
          recover(guard);
          while (mustWait()) {
            try {
              (produces() ? notFull : notEmpty).waitSync(guard, { timeoutMs });
            } finally {
              recover(guard);
            }
          }
          return turn(guard);
        } catch (why) {
          guard.release();
          throw why;
        }
      },
    };
  },
);

/** A memory for so many that are used once. The file is sparse. */
const MANY = 400_000;

const LATCH_BYTES = lock.Latch.byteLength(MANY_SEATS.seats);
const COUNT = 3;

/** Half of them count down, one latch after the other, and half of them take a turn only when the latch is down that they found. */
export const latch = inMemory(
  { needs: 'others' },
  FIRST + 64 + (MANY / 10) * LATCH_BYTES,
  (memory) => lock.Mutex.create(memory, FIRST).close(),
  (memory, seat) => {
    const words = memory.int32;
    const guards = lock.Mutex.open(memory, FIRST);
    const waits = seat % 2 === 1;
    const latchOf = (index: number): lock.Latch =>
      lock.Latch.openOrCreate(memory, FIRST + 64 + index * LATCH_BYTES, { count: COUNT, ...MANY_SEATS });
    const countDown = (): void => {
      using one = latchOf(Atomics.load(words, CURRENT));
      // Zero: who has counted to it has died before he could go on to the next.
      if (one.count === 0 || one.countDown() === 0) Atomics.add(words, CURRENT, 1);
    };
    const turn = (guard: lock.Guard): Turn => {
      noteDeath(guard, words);
      return turnInside(guard, words, () => {
        if (!waits) countDown();
      });
    };
    return {
      async take({ signal, timeoutMs }) {
        if (waits) {
          using one = latchOf(Atomics.load(words, CURRENT));
          await one.wait({ signal, timeoutMs });
        }
        return turn(await guards.lock({ signal, timeoutMs }));
      },
      takeSync({ timeoutMs }) {
        if (waits) {
          using one = latchOf(Atomics.load(words, CURRENT));
          one.waitSync({ timeoutMs });
        }
        return turn(guards.lockSync({ timeoutMs }));
      },
    };
  },
);

/** One after the other is done, by one of them each; the test must ask in the form of promises, since a turn lasts as long as the action. */
export const once = inMemory(
  {},
  FIRST + MANY * 64,
  () => {},
  (memory) => {
    const words = memory.int32;
    const nextOf = (done: number): void => {
      Atomics.compareExchange(words, CURRENT, done, done + 1);
    };
    const onceOf = (index: number): lock.Once => lock.Once.openOrCreate(memory, FIRST + index * 64);
    const take = (wait: Omit<Asked, 'shared'>): Promise<Turn> =>
      new Promise((resolve, reject) => {
        const run = async (): Promise<void> => {
          for (;;) {
            const index = Atomics.load(words, CURRENT);
            using one = onceOf(index);
            const didIt = await one.run(
              (dead) =>
                new Promise<void>((release) => {
                  const deaths = dead === undefined ? 0 : 1;
                  resolve({
                    deaths,
                    release: () => {
                      release();
                      return ran;
                    },
                  });
                }),
              wait,
            );
            nextOf(index);
            if (didIt) return;
          }
        };
        const ran = run();
        ran.catch(reject);
      });
    return {
      take: ({ signal, timeoutMs }) => take({ signal, timeoutMs }),
      takeSync: () => {
        for (let deaths = 0; ; ) {
          const index = Atomics.load(words, CURRENT);
          using one = onceOf(index);
          const didIt = one.runSync((dead) => {
            deaths = dead === undefined ? 0 : 1;
          });
          nextOf(index);
          if (didIt) return { deaths, release: () => {} };
        }
      },
    };
  },
);

const BROKEN_AT = 3;

/**
 * All have to come. A round is a turn: who came last is inside, and comes to the next round when he has left. A round that a death has broken is
 * a turn with nothing in it; of those who had come, the first to note it counts the death.
 */
export const barrier = inMemory(
  { needs: 'all' },
  PAGE,
  (memory) => lock.Barrier.create(memory, FIRST, { parties: SEATS, ...MANY_SEATS }).close(),
  (memory) => {
    const words = memory.int32;
    const one = lock.Barrier.open(memory, FIRST);
    /** Rounds that are over: no more can be while one who was in the last one has not come again, unless another dies. */
    const rounds = (): number => Atomics.load(words, (FIRST + 68) / 4);
    const broken = (why: unknown): Turn => {
      if ((why as { code?: string }).code !== 'EOWNERDEAD') throw why;
      const round = rounds();
      const before = Atomics.load(words, BROKEN_AT);
      const first = before !== round && Atomics.compareExchange(words, BROKEN_AT, before, round) === before;
      return { deaths: first ? 1 : 0, idle: true, release: () => {} };
    };
    const passed = (last: boolean): Turn => ({ deaths: 0, idle: !last, release: () => {} });
    return {
      take: async ({ signal, timeoutMs }) => one.wait({ signal, timeoutMs }).then(passed, broken),
      takeSync: ({ timeoutMs }) => {
        try {
          return passed(one.waitSync({ timeoutMs }));
        } catch (why) {
          return broken(why);
        }
      },
    };
  },
);
