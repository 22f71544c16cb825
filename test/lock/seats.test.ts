/** What all locks that are tables have in common: how they are made and found, and their seats. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Barrier, Condition, Latch, RwLock, Semaphore } from '../../src/lock/index.js';
import * as mmap from '../../src/mmap/index.js';
import { AT, claimed, claims, peerProcess, peerThread, sharedMemory, until } from '../support/lockPeer.js';
import { steadyClock } from '../support/standstill.js';
import { assertWaitsSleep } from '../support/waiting.js';

type Made = { seats: number; close(): void; tryLock?: unknown };
interface Kind {
  name: string;
  create(memory: mmap.Mapping, offset: number, options?: object): Made;
  open(memory: mmap.Mapping, offset: number): Made;
  openOrCreate(memory: mmap.Mapping, offset: number, options?: object): Made;
  byteLength(seats?: number): number;
  /** What it needs to be made. */
  own: object;
}

const kinds: Kind[] = [
  { name: 'rwlock', own: {}, ...statics(RwLock) },
  { name: 'semaphore', own: { permits: 2 }, ...statics(Semaphore) },
  { name: 'condition', own: {}, ...statics(Condition) },
  { name: 'barrier', own: { parties: 2 }, ...statics(Barrier) },
  { name: 'latch', own: { count: 1 }, ...statics(Latch) },
];

function statics(type: unknown): Pick<Kind, 'create' | 'open' | 'openOrCreate' | 'byteLength'> {
  const { create, open, openOrCreate, byteLength } = type as Kind;
  return { create, open, openOrCreate, byteLength };
}

test('each is made once, found by others, and not taken for another one', () => {
  for (const { name, create, open, openOrCreate, own } of kinds) {
    using memory = mmap.anonymous(16384);
    assert.throws(() => open(memory, 0), { code: 'ENOENT', message: new RegExp(`no ${name} is there`) });
    const made = create(memory, 0, { ...own, seats: 3 });
    assert.equal(made.seats, 3, name);
    assert.throws(() => create(memory, 0, own), { code: 'EEXIST' });
    assert.equal(open(memory, 0).seats, 3);
    assert.equal(openOrCreate(memory, 0, own).seats, 3);
    assert.equal(openOrCreate(memory, 8192, own).seats, 32);
    for (const other of kinds) {
      if (other.name === name) continue;
      assert.throws(() => other.open(memory, 0), {
        code: 'ERR_INTERPROC_LAYOUT',
        message: `the object at 0 is a ${name}, not a ${other.name}`,
      });
      assert.throws(() => other.openOrCreate(memory, 0, other.own), { code: 'ERR_INTERPROC_LAYOUT' });
    }
  }
});

test('each fits where byteLength says, at a multiple of 64, and nowhere else', () => {
  for (const { create, open, byteLength, own } of kinds) {
    assert.deepEqual([byteLength(), byteLength(1), byteLength(4096)], [2176, 192, 262272]);
    using memory = mmap.anonymous(4096);
    const last = 4096 - byteLength(5);
    create(memory, last, { ...own, seats: 5 }).close();
    assert.throws(() => create(memory, last, { ...own, seats: 6 }), { code: 'ERR_INTERPROC_RANGE' });
    assert.throws(() => create(memory, 32, own), { code: 'ERR_INTERPROC_RANGE' });
    assert.throws(() => create(memory, -64, own), { code: 'ERR_INTERPROC_RANGE' });
    for (const seats of [0, -1, 4097, 1.5]) {
      assert.throws(() => create(memory, 0, { ...own, seats }), { code: 'ERR_INTERPROC_RANGE' }, `${seats} seats`);
      assert.throws(() => byteLength(seats), { code: 'ERR_INTERPROC_RANGE' });
    }
    assert.throws(() => create(memory, 0, { ...own, size: 1 }), { code: 'ERR_INTERPROC_ARGUMENT' });
    // Others may have mapped less of it.
    create(memory, 0, { ...own, seats: 3 }).close();
    memory.int32[12] = 5000;
    assert.throws(() => open(memory, 0), { code: 'ERR_INTERPROC_LAYOUT', message: /it has 5000 seats/ });
    memory.int32[12] = 1000;
    assert.throws(() => open(memory, 0), { code: 'ERR_INTERPROC_RANGE' });
  }
});

test('when all seats are taken the next thread is told so, until one leaves, exits or is killed', async (t) => {
  const shared = sharedMemory(t);
  using lock = RwLock.create(shared.memory, AT, { seats: 3 });
  lock.tryLock('read')?.release();
  const full = { code: 'EAGAIN', message: /all 3 seats are taken/ };
  const leaving = ['call', 'exit', 'kill', 'terminate'] as const;
  const first = await peerProcess(t, shared, 'rwlock');
  assert.equal((await first.call('tryLock', 'read')).code, undefined);
  for (const how of leaving) {
    const thread = how === 'terminate' ? await peerThread(t, shared, 'rwlock') : undefined;
    const other = how === 'terminate' ? undefined : await peerProcess(t, shared, 'rwlock');
    assert.deepEqual((await (thread ?? other)?.call('tryLock', 'read'))?.code, undefined, how);
    using another = RwLock.open(shared.memory, AT);
    assert.throws(() => another.tryLock('read'), full);
    assert.throws(() => another.lockSync('read'), full);
    await assert.rejects(another.lock('read'), full);
    if (how === 'call') {
      await other?.ask('release');
      await other?.call('close');
    } else if (how === 'exit') {
      void other?.ask('exit', 0);
      await other?.program.ended;
    } else if (how === 'kill') {
      await other?.end();
    } else {
      await thread?.worker.terminate();
    }
    const guard = another.tryLock('read');
    assert.equal(guard?.previousOwners.length, how === 'call' ? 0 : 1, how);
    guard?.release();
  }
});

test('seats that are full of the dead are free, and each of their deaths is told once', async (t) => {
  const shared = sharedMemory(t);
  Semaphore.create(shared.memory, AT, { seats: 2, permits: 3 }).close();
  const holders = [await peerProcess(t, shared, 'semaphore'), await peerProcess(t, shared, 'semaphore')];
  for (const holder of holders) assert.equal((await holder.call('tryAcquire')).code, undefined);
  for (const holder of holders) await holder.end();
  using semaphore = Semaphore.open(shared.memory, AT);
  using guard = semaphore.acquireSync({ permits: 3 });
  const pids = guard.previousOwners.map(({ pid }) => pid).sort();
  assert.deepEqual(pids, holders.map(({ program }) => program.pid).sort());
  assert.equal(semaphore.free, 0);
  guard.release();
  using again = await semaphore.acquire();
  assert.deepEqual(again.previousOwners, []);
});

test('one who was killed while he sat down leaves a seat that others get', (t) => {
  const shared = sharedMemory(t);
  using lock = RwLock.create(shared.memory, AT, { seats: 1 });
  // As the kernel leaves it: the life is a dead thread's, and nothing else was written but TOP.
  shared.memory.int32[(AT + 52) / 4] = 1;
  shared.memory.int32[(AT + 128) / 4] = 0x4000_0000 | 12345;
  using guard = lock.lockSync('write', { timeoutMs: 1000 });
  assert.equal(guard.ownerDied, false);
});

test('a handle is not closed while it has something, and what waits for it is told', async (t) => {
  const shared = sharedMemory(t);
  const lock = RwLock.create(shared.memory, AT, { seats: 4 });
  const other = RwLock.open(shared.memory, AT);
  const guard = lock.tryLock('write');
  assert.throws(() => lock.close(), { code: 'ERR_INTERPROC_LOCKED' });
  assert.throws(() => shared.memory.close(), { code: 'ERR_INTERPROC_LOCKED' });
  const waits = [other.lock('read'), other.lock('write')];
  const ended = Promise.all(waits.map((wait) => assert.rejects(wait, { code: 'ERR_INTERPROC_CLOSED' })));
  other.close();
  await ended;
  assert.deepEqual(claims(shared), [1 << 26, 0, 0, 0], 'nothing is left of them');
  guard?.release();
  lock.close();
  assert.throws(() => lock.tryLock('read'), { code: 'ERR_INTERPROC_CLOSED' });
});

/** The longest time between two turns of the event loop, of those in the next so many milliseconds. */
async function longestTurn(milliseconds: number): Promise<number> {
  const end = performance.now() + milliseconds;
  let longest = 0;
  for (let before = performance.now(); before < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const now = performance.now();
    longest = Math.max(longest, now - before);
    before = now;
  }
  return longest;
}

test('while somebody stands still behind the door, nobody’s event loop does, and all goes on after his death', async (t) => {
  const shared = sharedMemory(t);
  using lock = RwLock.create(shared.memory, AT, { seats: 8 });
  using holder = RwLock.open(shared.memory, AT);
  const held = holder.lockSync('write');
  const controller = new AbortController();
  const aborted = assert.rejects(lock.lock('read', { signal: controller.signal }), { name: 'AbortError' });
  await claimed(shared, (claim) => claim === 1 << 24);
  const still = await peerProcess(t, shared, 'rwlock');
  await still.ask('door');
  still.program.process.kill('SIGSTOP');
  controller.abort();
  const next = lock.lock('write');
  held.release();
  assert.equal(lock.tryLock('read'), undefined, 'it is not known now whether that is possible');
  // The machine may stand still now and then; who waits behind the door would do so each time.
  const stoodStill: number[] = [];
  while (stoodStill.length < 5 && !(Math.min(...stoodStill) < 100)) stoodStill.push(await longestTurn(500));
  assert.ok(Math.min(...stoodStill) < 100, `the loop stood still for ${stoodStill.join(', ')} ms`);
  const clock = await steadyClock(t);
  const killed = clock();
  await still.end();
  await aborted;
  (await next).release();
  assert.ok(clock() - killed < 1000);
});

test('a peer that writes over the table makes errors or nonsense, but no endless loop', async (t) => {
  for (const { name, create, open, own } of kinds) {
    const shared = sharedMemory(t);
    create(shared.memory, AT, { ...own, seats: 4 }).close();
    const victim = open(shared.memory, AT) as unknown as Record<string, (...args: unknown[]) => unknown>;
    const attempts: Record<string, () => unknown> = {
      rwlock: () => victim.tryLock?.('write'),
      semaphore: () => victim.tryAcquire?.(),
      condition: () => victim.signal?.(),
      barrier: () => victim.waitSync?.({ timeoutMs: 1 }),
      latch: () => victim.waitSync?.({ timeoutMs: 1 }),
    };
    const words = shared.memory.int32;
    const whole = words.slice(AT / 4, (AT + 128 + 4 * 64) / 4);
    for (const value of [-1, 1, 0x7fff_ffff, 0x4000_0000, 0x5555_5555]) {
      for (let index = 0; index < whole.length; index++) {
        // Its mutexes may be held for ever then, by a thread that is none: as glibc's.
        const within = index < 32 ? index : (index - 32) % 16;
        if (within < 10) continue;
        words[AT / 4 + index] = value;
        const before = performance.now();
        try {
          (attempts[name]?.() as { release?(): void } | undefined)?.release?.();
        } catch (why) {
          assert.match(String((why as { code?: string }).code), /^E/, `${name}: word ${index}`);
        }
        assert.ok(performance.now() - before < 5000);
        words[AT / 4 + index] = whole[index] as number;
      }
    }
  }
});

test('a peer that writes over a seat’s life takes the seat away, and its lock', async (t) => {
  const shared = sharedMemory(t);
  using lock = RwLock.create(shared.memory, AT, { seats: 2 });
  const guard = lock.lockSync('write');
  shared.memory.int32[(AT + 128) / 4] = 0x4000_0000 | 4711;
  using other = RwLock.open(shared.memory, AT);
  using taken = other.lockSync('write', { timeoutMs: 1000 });
  assert.equal(taken.ownerDied, true);
  taken.markConsistent();
  guard.release();
});

test('threads share a lock in memory that was attached', async (t) => {
  const shared = sharedMemory(t);
  using lock = RwLock.create(shared.memory, AT, { seats: 6 });
  const threads = [await peerThread(t, shared, 'rwlock'), await peerThread(t, shared, 'rwlock')];
  const guard = lock.lockSync('write');
  const answers = threads.map((thread) => thread.ask('increments', 'lock', 500, 'write'));
  await claimed(shared, (claim) => claim === 1 << 25, 2);
  guard.release();
  for (const answer of answers) assert.deepEqual((await answer).code, undefined);
  assert.equal(shared.memory.int32[256], 1000);
  await until(() => claims(shared).every((claim) => claim === 0));
});

test('a hundred and a thousand who wait take less than a hundredth of a processor', async (t) => {
  await assertWaitsSleep(t, ['rwlock.hundred', 'rwlock.thousand', 'permits.thousand'], 10_000);
});
