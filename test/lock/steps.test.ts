/** A process is killed right before each of the steps of what it does with a lock, one after the other, and what it leaves is what was promised. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import * as lock from '../../src/lock/index.js';
import * as mmap from '../../src/mmap/index.js';
import { temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';
import { type Program, startFixture } from '../support/program.js';

/** Nobody waits longer for what a dead one has left. */
const SOON = { timeoutMs: 20_000 };
const MOST_STEPS = 60;

type Verify = (pid: number, dead: number) => Promise<void>;

/** What is there before, and what has to be true when the process with this pid was killed. */
interface Scene {
  /** Makes the lock. The answer is called when the process is about to begin. */
  make(memory: mmap.Mapping): () => Verify | Promise<Verify>;
  /** What one who was killed before had done. */
  before?: string;
}

/** Runs the scene for each step; the last one is after all. Several at once. */
async function eachStep(t: TestContext, act: string, scene: Scene): Promise<void> {
  const folder = temporaryFolder(t);
  const came: boolean[] = [];
  while (came.every(Boolean)) {
    assert.ok(came.length < MOST_STEPS, 'it does not end');
    const group = [1, 2, 3, 4].map((one) => came.length + one);
    came.push(...(await Promise.all(group.map((step) => atStep(t, folder, act, step, scene)))));
  }
  const steps = came.filter(Boolean).length;
  assert.ok(steps > 0, 'it has no steps');
  t.diagnostic(`${act}: killed at each of its ${steps} steps`);
}

/** Whether it came to the step. */
async function atStep(t: TestContext, folder: string, act: string, step: number, scene: Scene): Promise<boolean> {
  const place = join(folder, `${act} ${step}`);
  const memory = mmap.createFile(place, { size: 16384 });
  const begin = scene.make(memory);
  const dead = scene.before === undefined ? 0 : await oneDead(t, place, scene.before);
  const program = startFixture(t, 'lock-step', [place, act, String(step)]);
  assert.equal(await program.line(), 'ready');
  const verify = await begin();
  program.say('');
  const diedAtStep = await died(program);
  try {
    await verify(program.pid, dead);
  } catch (why) {
    throw new Error(`killed at step ${step} of ${act}`, { cause: why });
  }
  return diedAtStep;
}

/** One that did it, all of it, and was killed. */
async function oneDead(t: TestContext, place: string, act: string): Promise<number> {
  const program = startFixture(t, 'lock-step', [place, act, '1000']);
  assert.equal(await program.line(), 'ready');
  program.say('');
  assert.equal(await died(program), false);
  return program.pid;
}

async function died(program: Program): Promise<boolean> {
  const done = await program.line().catch(() => undefined);
  if (done !== undefined) program.process.kill('SIGKILL');
  await program.ended;
  return done === undefined;
}

/** What came of a wait. */
type Came<T> = { value: T } | { code: string };

const outcome = <T>(wait: Promise<T>): Promise<Came<T>> =>
  wait.then(
    (value) => ({ value }),
    (why: { code?: string }) => ({ code: why.code ?? String(why) }),
  );

function seen(guard: lock.Guard, pid: number): number {
  for (const owner of guard.previousOwners) assert.ok(owner.pid === pid || owner.pid === undefined);
  return guard.previousOwners.length;
}

/** The lock is as good as new: it is had and released, and nobody is told of anything. */
async function isWhole(take: () => Promise<lock.Guard>): Promise<void> {
  const guard = await take();
  assert.deepEqual(guard.previousOwners, []);
  assert.equal(guard.ownerDied, false);
  guard.release();
}

async function repaired(guard: lock.Guard, pid: number): Promise<void> {
  if (guard.ownerDied) {
    assert.equal(seen(guard, pid), 1);
    guard.markConsistent();
  }
  guard.release();
}

describe('who is killed at whatever step of taking or releasing a mutex', () => {
  test('leaves it free, or to be repaired', (t) =>
    eachStep(t, 'mutex lock', {
      make(memory) {
        const mutex = lock.Mutex.create(memory, 0);
        return () => async (pid) => {
          await repaired(await mutex.lock(SOON), pid);
          await isWhole(() => mutex.lock(SOON));
        };
      },
    }));

  test('leaves it to two who wait', (t) =>
    eachStep(t, 'mutex release', {
      make(memory) {
        const mutex = lock.Mutex.create(memory, 0);
        const other = lock.Mutex.open(memory, 0);
        return () => {
          const waits = [mutex, other].map(async (one, _, { length }) => {
            const guard = await one.lock(SOON);
            const died = guard.ownerDied;
            if (died) guard.markConsistent();
            guard.release();
            assert.equal(length, 2);
            return died;
          });
          return async () => {
            const deaths = await Promise.all(waits);
            assert.ok(deaths.filter(Boolean).length <= 1);
            await isWhole(() => mutex.lock(SOON));
          };
        };
      },
    }));
});

describe('who is killed at whatever step of taking or releasing a lock of readers and writers', () => {
  for (const act of ['read', 'write']) {
    test(`leaves it to who comes next: ${act}`, (t) =>
      eachStep(t, act, {
        make(memory) {
          const rwlock = lock.RwLock.create(memory, 0);
          return () => async (pid) => {
            const guard = await rwlock.lock('write', SOON);
            const told = seen(guard, pid);
            assert.equal(guard.ownerDied, act === 'write' && told === 1);
            await repaired(guard, pid);
            await isWhole(() => rwlock.lock('write', SOON));
          };
        },
      }));
  }

  for (const before of ['read', 'write']) {
    test(`leaves it to who comes next, who buries both: read after ${before}`, (t) =>
      eachStep(t, 'read', {
        before,
        make(memory) {
          const rwlock = lock.RwLock.create(memory, 0);
          return () => async (pid, dead) => {
            const guard = await rwlock.lock('write', SOON);
            const pids = guard.previousOwners.map((owner) => owner.pid);
            assert.deepEqual([...new Set(pids)], pids, 'each once');
            // Who had it was told of the one before him, if he had come so far.
            assert.ok(pids.includes(pid) || pids.includes(dead), `${pids} without ${dead}`);
            assert.equal(guard.ownerDied, before === 'write', 'nobody has repaired it');
            if (guard.ownerDied) guard.markConsistent();
            guard.release();
            await isWhole(() => rwlock.lock('write', SOON));
          };
        },
      }));
  }

  for (const act of ['release of a reader', 'release of a writer']) {
    test(`leaves it to a writer and two readers who wait: ${act}`, (t) =>
      eachStep(t, act, {
        make(memory) {
          const locks = [lock.RwLock.create(memory, 0), lock.RwLock.open(memory, 0), lock.RwLock.open(memory, 0)];
          return () => {
            let told = 0;
            let died = 0;
            const waits = locks.map(async (rwlock, index) => {
              const guard = await rwlock.lock(index === 0 ? 'write' : 'read', SOON);
              told += guard.previousOwners.length;
              if (guard.ownerDied) {
                died++;
                guard.markConsistent();
              }
              guard.release();
            });
            return async () => {
              await Promise.all(waits);
              assert.ok(told <= 1, `told ${told} times`);
              assert.equal(died, act === 'release of a writer' ? told : 0);
              await isWhole(() => (locks[1] as lock.RwLock).lock('write', SOON));
            };
          };
        },
      }));
  }
});

describe('who is killed at whatever step of taking or releasing a permit', () => {
  test('has given it back', (t) =>
    eachStep(t, 'acquire', {
      make(memory) {
        const semaphore = lock.Semaphore.create(memory, 0, { permits: 2 });
        return () => async (pid) => {
          const guard = await semaphore.acquire({ permits: 2, ...SOON });
          assert.ok(seen(guard, pid) <= 1);
          guard.release();
          await isWhole(() => semaphore.acquire({ permits: 2, ...SOON }));
        };
      },
    }));

  test('leaves it to who waits for all', (t) =>
    eachStep(t, 'release of a permit', {
      make(memory) {
        const semaphore = lock.Semaphore.create(memory, 0, { permits: 2 });
        return () => {
          const waits = semaphore.acquire({ permits: 2, ...SOON });
          return async (pid) => {
            const guard = await waits;
            assert.ok(seen(guard, pid) <= 1);
            guard.release();
            await isWhole(() => semaphore.acquire({ permits: 2, ...SOON }));
          };
        };
      },
    }));
});

describe('who is killed at whatever step of a condition', () => {
  const scene = (all: boolean): Scene => ({
    make(memory) {
      const mutex = lock.Mutex.create(memory, 0);
      const conditions = [lock.Condition.create(memory, 64), lock.Condition.open(memory, 64)];
      return async () => {
        let waiting = 0;
        let woken = 0;
        const waits = conditions.map(async (condition) => {
          const guard = await mutex.lock(SOON);
          const wait = condition.wait(guard, SOON);
          await until('it waits, and the other may, too', () => guard.released);
          waiting++;
          await wait;
          woken++;
          guard.release();
        });
        await until('both wait', () => waiting === 2);
        return async () => {
          // Whatever he did is done or not: what is said after him is heard.
          if (all) (conditions[0] as lock.Condition).broadcast();
          else for (const condition of conditions) condition.signal();
          await Promise.all(waits);
          assert.equal(woken, 2);
        };
      };
    },
  });

  test('signal: those who wait hear the next one', (t) => eachStep(t, 'signal', scene(false)));
  test('broadcast: those who wait hear the next one', (t) => eachStep(t, 'broadcast', scene(true)));
});

describe('who is killed at whatever step of coming to a barrier as the last', () => {
  test('has let all pass, or none, and one round is broken', (t) =>
    eachStep(t, 'arrive', {
      make(memory) {
        const barriers = [
          lock.Barrier.create(memory, 0, { parties: 3 }),
          lock.Barrier.open(memory, 0),
          lock.Barrier.open(memory, 0),
        ];
        return () => {
          const waits = barriers.slice(0, 2).map((barrier) => outcome(barrier.wait(SOON)));
          return async () => {
            const came = await Promise.all(waits);
            assert.deepEqual(came[0], came[1], 'both learn the same');
            let broken = 'code' in (came[0] as Came<boolean>) ? 1 : 0;
            if (broken === 1) assert.deepEqual(came[0], { code: 'EOWNERDEAD' });
            else {
              // Nobody has come when the death is noticed: the first who comes learns of it.
              assert.deepEqual(await outcome((barriers[0] as lock.Barrier).wait(SOON)), { code: 'EOWNERDEAD' });
              broken++;
            }
            assert.equal(broken, 1);
            const next = await Promise.all(barriers.map((barrier) => outcome(barrier.wait(SOON))));
            assert.deepEqual(next.map((one) => ('value' in one ? one.value : one.code)).sort(), [false, false, true]);
          };
        };
      },
    }));
});

describe('who is killed at whatever step of a latch or a once', () => {
  test('has counted, or not', (t) =>
    eachStep(t, 'count down', {
      make(memory) {
        const latches = [lock.Latch.create(memory, 0, { count: 1 }), lock.Latch.open(memory, 0)];
        return () => {
          const waits = latches.map((latch) => latch.wait(SOON));
          return async () => {
            if ((latches[0] as lock.Latch).count === 1) (latches[0] as lock.Latch).countDown();
            await Promise.all(waits);
          };
        };
      },
    }));

  test('has done it, or the next one does it', (t) =>
    eachStep(t, 'do once', {
      make(memory) {
        const one = lock.Once.create(memory, 0);
        return () => async (pid) => {
          let told: lock.DeadOwner | undefined;
          const done = one.done;
          const didIt = await one.run((dead) => {
            told = dead;
          }, SOON);
          assert.equal(didIt, !done);
          if (told !== undefined) assert.equal(told.pid, pid);
          assert.equal(await one.run(() => assert.fail('twice')), false);
        };
      },
    }));
});
