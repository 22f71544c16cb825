/** What the dead leave behind: who is told, who is woken, and that by whom it should be, not by looking again later. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as futex from '../../src/futex/index.js';
import * as lock from '../../src/lock/index.js';
import {
  MAGIC,
  OWNER_DIED,
  SEAT_BYTES,
  SEAT_CLAIM,
  SEAT_WAKE,
  SEATS,
  TABLE_BYTES,
  TID_MASK,
  WAITERS,
} from '../../src/lock/layout.js';
import * as mmap from '../../src/mmap/index.js';
import { temporaryFolder } from '../support/folder.js';
import { FUTEX, stateOf, threadsOf, until } from '../support/proc.js';
import { type Program, startFixture } from '../support/program.js';

const SOON = { timeoutMs: 20_000 };
const BYTES = 16384;

interface Place {
  place: string;
  memory: mmap.Mapping;
}

function newPlace(t: TestContext): Place {
  const place = join(temporaryFolder(t), 'memory');
  return { place, memory: mmap.createFile(place, { size: BYTES }) };
}

async function begun(t: TestContext, place: string, act: string, step = 1000, how = 'kill'): Promise<Program> {
  const program = startFixture(t, 'lock-step', [place, act, String(step), how]);
  assert.equal(await program.line(), 'ready');
  program.say('');
  return program;
}

/** One that has done it, and lives. */
async function one(t: TestContext, place: string, act: string): Promise<Program> {
  const program = await begun(t, place, act);
  assert.equal(await program.line(), 'done');
  return program;
}

async function killed(program: Program): Promise<number> {
  program.process.kill('SIGKILL');
  await program.ended;
  return program.pid;
}

const dies = async (t: TestContext, place: string, act: string): Promise<number> => killed(await one(t, place, act));

/** A word of a seat of the table that begins at `offset`. */
function word(memory: mmap.Mapping, offset: number, seat: number, what: number): number {
  return Atomics.load(memory.int32, (offset + TABLE_BYTES + seat * SEAT_BYTES + what) / 4);
}

/** How often somebody was woken at this table. */
function wakes(memory: mmap.Mapping, offset = 0): number {
  let sum = 0;
  for (let seat = 0; seat < Atomics.load(memory.int32, (offset + SEATS) / 4); seat++) {
    sum += word(memory, offset, seat, SEAT_WAKE);
  }
  return sum;
}

/** Whether this comes to be while this thread does nothing else. */
function meanwhile(holds: () => boolean): boolean {
  const asleep = new Int32Array(new SharedArrayBuffer(4));
  for (let time = 0; time < 500 && !holds(); time++) Atomics.wait(asleep, 0, 0, 10);
  return holds();
}

/** Whether this thread of ours is in futex(2), at a word that processes share. */
function sleepsInFutex(tid: number): boolean {
  const [number, , operation] = readFileSync(`/proc/self/task/${tid}/syscall`, 'utf8').split(' ');
  return Number(number) === FUTEX && Number(operation) === 0;
}

const isCode = (code: string) => (why: unknown) => (why as { code?: string }).code === code;

// First: while this thread has nothing else, it is JavaScript that releases it.
test('at once: who releases a mutex wakes who sleeps', async (t) => {
  const { memory } = newPlace(t);
  const mutex = lock.Mutex.create(memory, 0);
  let woken = false;
  // It may be that the other thread only looks, still.
  for (let time = 0; time < 20 && !woken; time++) {
    const guard = mutex.lockSync();
    Atomics.or(memory.int32, 0, WAITERS | 0);
    const sleeper = futex.wait(memory, 0, Atomics.load(memory.int32, 0), { timeoutMs: 500 }).catch(() => false);
    await until('it sleeps', () => threadsOf('self').some(sleepsInFutex));
    guard.release();
    woken = await sleeper;
  }
  assert.equal(woken, true);
});

describe('who has died is told of once, by process and thread', () => {
  for (const [act, create] of [
    ['read', (memory: mmap.Mapping) => rwlockWriter(memory)],
    ['write', (memory: mmap.Mapping) => rwlockWriter(memory)],
    ['acquire', (memory: mmap.Mapping) => semaphoreOf(memory)],
    ['mutex lock', (memory: mmap.Mapping) => mutexOf(memory)],
  ] as const) {
    test(`who has died: ${act}`, async (t) => {
      const { place, memory } = newPlace(t);
      const take = create(memory);
      for (let time = 0; time < 2; time++) {
        const pid = await dies(t, place, act);
        const guard = await take();
        assert.deepEqual(guard.previousOwners, [{ pid, tid: pid }]);
        if (guard.ownerDied) guard.markConsistent();
        guard.release();
        const next = await take();
        assert.deepEqual(next.previousOwners, []);
        next.release();
      }
    });
  }

  function rwlockWriter(memory: mmap.Mapping): () => Promise<lock.Guard> {
    const rwlock = lock.RwLock.create(memory, 0);
    return () => rwlock.lock('write', SOON);
  }
  function semaphoreOf(memory: mmap.Mapping): () => Promise<lock.Guard> {
    const semaphore = lock.Semaphore.create(memory, 0, { permits: 1 });
    return () => semaphore.acquire(SOON);
  }
  function mutexOf(memory: mmap.Mapping): () => Promise<lock.Guard> {
    const mutex = lock.Mutex.create(memory, 0);
    return () => mutex.lock(SOON);
  }

  test('who has died: having two mutexes, with both', async (t) => {
    const { place, memory } = newPlace(t);
    const mutexes = [0, 128].map((offset) => lock.Mutex.create(memory, offset));
    const pid = await dies(t, place, 'two mutexes');
    for (const mutex of mutexes) {
      using guard = await mutex.lock(SOON);
      assert.deepEqual(guard.previousOwners, [{ pid, tid: pid }]);
      guard.markConsistent();
    }
  });

  for (const act of ['mutex lock', 'two mutexes']) {
    test(`a thread that is terminated: ${act}`, async (t) => {
      const { place, memory } = newPlace(t);
      const mutexes = [0, 128]
        .map((offset) => lock.Mutex.create(memory, offset))
        .slice(0, act === 'mutex lock' ? 1 : 2);
      const worker = new Worker(new URL('../fixtures/lock-thread.js', import.meta.url), { workerData: { place, act } });
      await once(worker, 'message');
      await worker.terminate();
      for (const mutex of mutexes) {
        using guard = await mutex.lock(SOON);
        assert.equal(guard.previousOwner?.pid, process.pid);
        guard.markConsistent();
      }
    });
  }
});

test('who is killed between taking a mutex and entering it into the list leaves it to the next one', async (t) => {
  const { place, memory } = newPlace(t);
  const mutex = lock.Mutex.create(memory, 0);
  const program = await begun(t, place, 'mutex lock', 1, 'after');
  await program.ended;
  using guard = await mutex.lock(SOON);
  assert.equal(guard.ownerDied, true);
  guard.markConsistent();
});

test('the dead need no seat: more die one after the other than there are seats', async (t) => {
  const { place, memory } = newPlace(t);
  const rwlock = lock.RwLock.create(memory, 0, { seats: 2 });
  for (let time = 0; time < 4; time++) {
    await dies(t, place, 'read');
    (await rwlock.lock('write', SOON)).release();
  }
});

describe('who sleeps is woken by who should wake it, not by looking again', () => {
  test('at once: who sleeps says so in the life of who is in his way', async (t) => {
    const { place, memory } = newPlace(t);
    const rwlock = lock.RwLock.create(memory, 0);
    const holder = await one(t, place, 'read');
    const waits = rwlock.lock('write', SOON);
    await until('the sleeper is announced', () => (word(memory, 0, 0, 0) & WAITERS) !== 0);
    await killed(holder);
    (await waits).release();
  });

  test('at once: who has slept for a mutex leaves the mark that others may sleep', async (t) => {
    const { place, memory } = newPlace(t);
    const mutex = lock.Mutex.create(memory, 0);
    const holder = startFixture(t, 'lock-step', [place, 'mutex release', '1000']);
    assert.equal(await holder.line(), 'ready');
    const waits = mutex.lock(SOON);
    await until('the sleeper is announced', () => (Atomics.load(memory.int32, 0) & WAITERS) !== 0);
    holder.say('');
    using _ = await waits;
    assert.notEqual(Atomics.load(memory.int32, 0) & WAITERS, 0);
  });

  test('at once: who releases a lock of readers and writers tells who gets it', async (t) => {
    const { memory } = newPlace(t);
    const guard = await lock.RwLock.create(memory, 0).lock('write');
    const waits = lock.RwLock.open(memory, 0).lock('write', SOON);
    const before = wakes(memory);
    guard.release();
    assert.equal(wakes(memory), before + 1);
    (await waits).release();
  });

  test('at once: who counts a latch down tells those who wait', async (t) => {
    const { memory } = newPlace(t);
    const latch = lock.Latch.create(memory, 0, { count: 1 });
    const waits = lock.Latch.open(memory, 0).wait(SOON);
    const before = wakes(memory);
    latch.countDown();
    assert.equal(wakes(memory), before + 1);
    await waits;
  });

  /** One who stands still behind the door, having tried to get it, while this process releases what another part of it waits for. */
  async function busyDoor(
    t: TestContext,
  ): Promise<{ memory: mmap.Mapping; waits: Promise<lock.Guard>; program: Program }> {
    const { place, memory } = newPlace(t);
    const guard = await lock.RwLock.create(memory, 0).lock('read');
    const waits = lock.RwLock.open(memory, 0).lock('write', SOON);
    // Before it leaves the door, and does nothing more.
    const program = await begun(t, place, 'try to read', 7, 'stop');
    await until('it is stopped', () => stateOf(program.pid) === 'T');
    assert.equal(Atomics.load(memory.int32, 0) & TID_MASK, program.pid, 'it is behind the door');
    const before = wakes(memory);
    guard.release();
    assert.equal(wakes(memory), before, 'this one cannot settle it');
    return { memory, waits, program };
  }

  test('while another is behind the door: what is released then is settled by him', async (t) => {
    const { memory, waits, program } = await busyDoor(t);
    const before = wakes(memory);
    program.process.kill('SIGCONT');
    assert.ok(
      meanwhile(() => wakes(memory) > before),
      'the other one settles it',
    );
    (await waits).release();
  });

  test('not told: who sleeps looks again, if the other one is killed behind the door', async (t) => {
    const { waits, program } = await busyDoor(t);
    await killed(program);
    (await waits).release();
  });
});

describe('whom a dead one has granted it, but has not told', () => {
  test('was not told: whoever comes next tells him', async (t) => {
    const { place, memory } = newPlace(t);
    const other = lock.RwLock.create(memory, 0);
    const program = startFixture(t, 'lock-step', [place, 'release of a writer', '6']);
    assert.equal(await program.line(), 'ready');
    const waits = lock.RwLock.open(memory, 0).lock('write', SOON);
    const before = wakes(memory);
    program.say('');
    assert.ok(
      meanwhile(() => (Atomics.load(memory.int32, 0) & OWNER_DIED) !== 0),
      'it has died behind the door',
    );
    assert.equal(word(memory, 0, 1, SEAT_CLAIM), 1 << 26, 'it has granted the lock');
    assert.equal(wakes(memory), before, 'it has told nobody');
    assert.equal(other.tryLock('read'), undefined);
    assert.ok(wakes(memory) > before);
    (await waits).release();
  });
});

describe('who gives up is in nobody’s way', () => {
  for (const timeoutMs of [0, 20]) {
    test(`gives up after ${timeoutMs} ms`, async (t) => {
      const { memory } = newPlace(t);
      const locks = [lock.RwLock.create(memory, 0), lock.RwLock.open(memory, 0), lock.RwLock.open(memory, 0)] as const;
      const guard = await locks[0].lock('read');
      await assert.rejects(locks[1].lock('write', { timeoutMs }), isCode('ETIMEDOUT'));
      // Neither before the release, nor after it.
      (await locks[2].lock('read', SOON)).release();
      guard.release();
      (await locks[2].lock('write', SOON)).release();
    });
  }
});

describe('what a dead writer has left', () => {
  test('did not repair it, and breaks it: those who wait are told at once, and all who come', async (t) => {
    const { place, memory } = newPlace(t);
    const locks = [lock.RwLock.create(memory, 0), lock.RwLock.open(memory, 0), lock.RwLock.open(memory, 0)] as const;
    await dies(t, place, 'write');
    const guard = await locks[0].lock('write', SOON);
    assert.equal(guard.ownerDied, true);
    const waits = [locks[1].lock('write', SOON), locks[2].lock('read', SOON)].map((wait) =>
      assert.rejects(wait, isCode('ENOTRECOVERABLE')),
    );
    const before = wakes(memory);
    guard.release();
    assert.ok(wakes(memory) >= before + 2);
    await Promise.all(waits);
    for (const mode of ['read', 'write'] as const)
      assert.throws(() => locks[0].tryLock(mode), isCode('ENOTRECOVERABLE'));
  });

  test('who breaks it and is killed before he has gone leaves it broken', async (t) => {
    const { place, memory } = newPlace(t);
    const rwlock = lock.RwLock.create(memory, 0);
    await dies(t, place, 'write');
    await (await begun(t, place, 'release without repair', 2)).ended;
    await assert.rejects(rwlock.lock('write', SOON), isCode('ENOTRECOVERABLE'));
  });

  test('who reads first is alone until he has repaired it', async (t) => {
    const { place, memory } = newPlace(t);
    const [one, other] = [lock.RwLock.create(memory, 0), lock.RwLock.open(memory, 0)];
    await dies(t, place, 'write');
    using guard = await one.lock('read', SOON);
    assert.equal(guard.ownerDied, true);
    assert.equal(other.tryLock('read'), undefined);
    guard.markConsistent();
    using shared = other.tryLock('read');
    assert.equal(shared?.ownerDied, false);
  });
});

describe('a mutex that nobody has repaired', () => {
  for (const other of [false, true]) {
    test(`a mutex that nobody has repaired is had by nobody${other ? ', also by who has another' : ''}`, async (t) => {
      const { place, memory } = newPlace(t);
      const mutex = lock.Mutex.create(memory, 0);
      const another = lock.Mutex.create(memory, 128);
      await dies(t, place, 'mutex lock');
      (await mutex.lock(SOON)).release();
      using _ = other ? another.lockSync() : undefined;
      for (let time = 0; time < 3; time++) {
        assert.throws(() => mutex.tryLock(), isCode('ENOTRECOVERABLE'));
        await assert.rejects(mutex.lock(SOON), isCode('ENOTRECOVERABLE'));
      }
    });
  }
});

describe('a condition', () => {
  /** One waits that is stopped, and one in this process. */
  async function twoWait(t: TestContext): Promise<{ memory: mmap.Mapping; program: Program; waits: Promise<void> }> {
    const { place, memory } = newPlace(t);
    const mutex = lock.Mutex.create(memory, 0);
    const condition = lock.Condition.create(memory, 64);
    const program = await begun(t, place, 'wait for a signal');
    await until('it waits', () => word(memory, 64, 0, SEAT_CLAIM) === 1 && mutex.owner === undefined);
    program.process.kill('SIGSTOP');
    await until('it is stopped', () => stateOf(program.pid) === 'T');
    const guard = await mutex.lock(SOON);
    const waits = condition.wait(guard, SOON).finally(() => guard.release());
    assert.equal(word(memory, 64, 1, SEAT_CLAIM), 1);
    return { memory, program, waits };
  }

  test('signal: one that a dead one has got goes to the next', async (t) => {
    const { memory, program, waits } = await twoWait(t);
    lock.Condition.open(memory, 64).signal();
    assert.equal(word(memory, 64, 0, SEAT_CLAIM), 1 | (1 << 15), 'the first has got it');
    await killed(program);
    await waits;
  });

  test('forgotten: one who has died waiting gets no signal', async (t) => {
    const { memory, program, waits } = await twoWait(t);
    await killed(program);
    lock.Condition.open(memory, 64).signal();
    await waits;
  });
});

test('a once whose doer has died is begun anew, and anew if that fails', async (t) => {
  const { place, memory } = newPlace(t);
  const one = lock.Once.create(memory, 0);
  // Before it says that it is done.
  const program = await begun(t, place, 'do once', 2);
  await program.ended;
  const failing = new Error('it fails');
  await assert.rejects(
    one.run((dead) => {
      assert.equal(dead?.pid, program.pid);
      throw failing;
    }, SOON),
    failing,
  );
  assert.equal(await one.run(() => {}, SOON), true);
});

test('one who was killed while he made a lock is succeeded by who makes it next', (t) => {
  const { memory } = newPlace(t);
  for (const waiters of [0, WAITERS]) {
    memory.int32.fill(0);
    memory.int32.fill(7, 0, 4);
    Atomics.store(memory.int32, MAGIC / 4, OWNER_DIED | waiters);
    const rwlock = lock.RwLock.create(memory, 0);
    rwlock.lockSync('write').release();
    rwlock.close();
  }
});
