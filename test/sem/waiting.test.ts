/** Waits for POSIX semaphores: their order, their ends, what they cost, and aborts that are aimed at the moment of completion. */
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as mmap from '../../src/mmap/index.js';
import * as sem from '../../src/sem/index.js';
import { SEED, seeded, spinMicroseconds } from '../core/support.js';
import { countDescriptors, openWaiting } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';
import { syscallOf, threadsOf, until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { assertWaitsBearSignals, assertWaitsSleep } from '../support/waiting.js';
import { compiled } from './peer.js';
import { newNamed, newPlaced } from './support.js';

const ROUNDS = 10_000;
const STANDARD = { threads: 256, intervalMs: 100 };
const WAITS = new URL('../fixtures/sem-waits.js', import.meta.url);
const FUTEX = { x64: 202, arm64: 98 }[process.arch as 'x64'] ?? 202;

/** How many threads of a process sleep in futex(2), as those do that wait for a semaphore; idle threads do so, too. */
const sleepers = (pid: number): number => threadsOf(pid).filter((thread) => syscallOf(pid, thread) === FUTEX).length;

test('waits of a handle are served in their order, by one thread', async (t) => {
  const semaphore = newNamed(t);
  const before = threadsOf('self').length;
  const order: number[] = [];
  const waits = Array.from({ length: 100 }, async (_, index) => {
    const permit = await semaphore.acquire();
    order.push(index);
    return permit;
  });
  assert.ok(threadsOf('self').length <= before + 1);
  semaphore.release(100);
  await Promise.all(waits);
  assert.deepEqual(
    order,
    Array.from({ length: 100 }, (_, index) => index),
  );
  assert.equal(semaphore.value, 0);
});

test('an aborted wait rejects with an AbortError, leaves no listener, and others go on', async (t) => {
  const semaphore = newPlaced(t);
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = Array.from({ length: 20 }, () =>
    assert.rejects(semaphore.acquire({ signal }), { name: 'AbortError', code: 'ABORT_ERR' }),
  );
  const other = semaphore.acquire();
  controller.abort();
  await Promise.all(aborted);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  await assert.rejects(semaphore.acquire({ signal }), { code: 'ABORT_ERR' });
  semaphore.release();
  (await other).release();
  assert.equal(semaphore.value, 1);
});

test('closing ends its waits, and those of other handles go on', async (t) => {
  const semaphore = newNamed(t);
  const mine = sem.open(semaphore.name);
  const ends = [mine.acquire(), mine.acquire()].map((wait) => assert.rejects(wait, { code: 'ERR_INTERPROC_CLOSED' }));
  const other = semaphore.acquire();
  mine.close();
  await Promise.all(ends);
  semaphore.release();
  (await other).release();
  assert.equal(semaphore.value, 1);
});

test('a mapping that is closed while somebody waits in it stays mapped for him, and he gets what others give', async (t) => {
  const memory = mmap.anonymous(4096);
  using again = mmap.descriptor(memory.fd);
  const waiting = sem.create(memory, 0);
  using giving = sem.open(again, 0);
  const wait = waiting.acquire();
  memory.close();
  giving.release();
  await wait;
  assert.equal(giving.value, 0);
  await assert.rejects(waiting.acquire(), { code: 'ERR_INTERPROC_CLOSED' });
  t.after(() => waiting.close());
});

/** What a wait gave, `undefined` if it was aborted. */
async function unlessAborted<T>(wait: Promise<T>): Promise<T | undefined> {
  try {
    return await wait;
  } catch (why) {
    assert.equal((why as { code?: string }).code, 'ABORT_ERR');
    return undefined;
  }
}

async function abortAtCompletion(t: TestContext, rounds: number): Promise<void> {
  const semaphore = newNamed(t);
  const random = seeded(SEED);
  let delivered = 0;
  let aborted = 0;
  for (let round = 0; round < rounds; round++) {
    const controller = new AbortController();
    const wait = unlessAborted(semaphore.acquire({ signal: controller.signal }));
    spinMicroseconds(random() * 30);
    const late = random() < 0.5;
    if (late) controller.abort();
    if (late) spinMicroseconds(random() * 20);
    semaphore.release();
    if (random() < 0.3) await new Promise(setImmediate);
    else if (!late && random() < 0.1) await wait;
    spinMicroseconds(random() * 20);
    controller.abort();
    const permit = await wait;
    if (permit === undefined) aborted++;
    else delivered++;
    assert.equal(semaphore.value, permit === undefined ? 1 : 0, `SEED=${SEED}, round ${round}`);
    if (permit === undefined) semaphore.tryAcquire();
  }
  assert.ok(delivered > 0 && aborted > 0, `SEED=${SEED}: ${delivered} delivered, ${aborted} aborted`);
}

test('an abort aimed at completion, 10,000 times: the permit was delivered or is still there', (t) =>
  abortAtCompletion(t, ROUNDS));

test('the same where waits have no thread', async (t) => {
  t.after(() => sem.configureWaiting(STANDARD));
  sem.configureWaiting({ threads: 0, intervalMs: 1 });
  await abortAtCompletion(t, 1000);
});

test('aborts and time-outs at random while another process gives 5,000 permits: all of them are taken', async (t) => {
  if (!peer(t, 'cc')) return;
  const semaphore = newNamed(t);
  const total = 5000;
  const other = start(t, compiled(t), ['give', semaphore.name, String(total)]);
  const random = seeded(SEED);
  let taken = 0;
  let given = 0;
  while (taken < total) {
    const controller = new AbortController();
    const inTime = random() < 0.5;
    const wait = semaphore.acquire(inTime ? { timeoutMs: 1 } : { signal: controller.signal });
    spinMicroseconds(random() * 30);
    if (!inTime && random() < 0.5) controller.abort();
    try {
      await wait;
      taken++;
    } catch (why) {
      assert.ok(['ABORT_ERR', 'ETIMEDOUT'].includes((why as { code: string }).code));
      given++;
    }
  }
  assert.ok(given > 0, `SEED=${SEED}`);
  assert.equal((await other.ended).code, 0, other.errors());
  assert.equal(semaphore.value, 0);
});

test('every wait for a semaphore sleeps', (t) =>
  assertWaitsSleep(t, ['sem.acquire', 'sem.acquireSync', 'recovering.acquire', 'recovering.acquireSync']));

test('100 waits for 5 s take less than 1 % of a processor, with threads and without', (t) =>
  assertWaitsSleep(t, ['sem.hundred', 'sem.watched', 'recovering.hundred'], 5000));

test('handled signals neither end nor stretch a wait for a semaphore', async (t) => {
  if (peer(t, 'perl')) {
    await assertWaitsBearSignals(t, ['sem.acquire', 'sem.acquireSync', 'recovering.acquire', 'recovering.acquireSync']);
  }
});

test('a blocking wait with a time-out is on the monotonic clock', async (t) => {
  if (!peer(t, 'strace')) return;
  const code = `
    const { sem, mmap } = await import(process.argv[1]);
    const semaphore = sem.create(mmap.anonymous(64), 0);
    try { semaphore.acquireSync({ timeoutMs: 123 }); } catch (why) { console.log(why.code); }`;
  const module = new URL('../../src/index.js', import.meta.url).href;
  const words = ['-f', '-qq', '-e', 'trace=futex', process.execPath, '--input-type=module', '-e', code, module];
  const traced = start(t, 'strace', words);
  await traced.ended;
  // Shared ones with a time are ours. The monotonic clock is FUTEX_WAIT_BITSET’s own; the other would be told by a flag.
  const waits = traced
    .errors()
    .split('\n')
    .filter((line) => /FUTEX_WAIT_BITSET(\|FUTEX_CLOCK_REALTIME)?, 0, \{tv_sec/.test(line));
  assert.ok(waits.length > 0, traced.errors());
  assert.ok(
    waits.every((line) => !line.includes('FUTEX_CLOCK_REALTIME')),
    waits.join('\n'),
  );
});

async function waiter(kind: string, target: string): Promise<Worker> {
  const worker = new Worker(WAITS, { workerData: { kind, target } });
  await once(worker, 'message');
  return worker;
}

for (const kind of ['sem.acquire', 'sem.acquireSync', 'sem.acquireSyncFor']) {
  test(`a worker is terminated in the middle of ${kind}, and takes no permit any more`, async (t) => {
    await openWaiting();
    const semaphore = newNamed(t);
    const before = countDescriptors();
    await (await waiter(kind, semaphore.name)).terminate();
    await until('the descriptors are back', () => countDescriptors() <= before);
    semaphore.release();
    assert.equal(semaphore.value, 1);
  });

  test(`process.exit() in the middle of ${kind} exits`, async (t) => {
    const semaphore = newNamed(t);
    const child = startFixture(t, 'sem-waits', [kind, semaphore.name, 'exit']);
    assert.deepEqual(await child.ended, { code: 7, signal: null }, child.errors());
  });
}

test('a permit that a thread got for a worker that was busy comes back when the worker is terminated', async (t) => {
  const semaphore = newNamed(t);
  const worker = await waiter('sem.busy', semaphore.name);
  semaphore.release();
  await until('the thread has it', () => semaphore.value === 0);
  await worker.terminate();
  assert.equal(semaphore.value, 1);
});

test('a waiter that is killed takes no permit with it, and others are still woken', async (t) => {
  const path = join(temporaryFolder(t), 'memory');
  using memory = mmap.createFile(path, { size: 4096 });
  using semaphore = sem.create(memory, 0);
  const child = startFixture(t, 'sem-waits', ['sem.unnamed', path, 'stay']);
  await child.line();
  await until('it waits', () => sleepers(child.pid) > 0);
  await killed(child);
  const wait = semaphore.acquire();
  semaphore.release();
  (await wait).release();
  assert.equal(semaphore.value, 1);
});

test('a holder that is killed loses the permit for everybody, as sem_overview(7) has it', async (t) => {
  const semaphore = newNamed(t, 1);
  const child = startFixture(t, 'sem-holder', [semaphore.name, 'plain']);
  assert.equal(await child.line(), 'held');
  await killed(child);
  assert.equal(semaphore.value, 0);
  assert.throws(() => semaphore.acquireSync({ timeoutMs: 50 }), { code: 'ETIMEDOUT' });
});

test('a pending wait keeps the process alive, an idle or unref’d handle does not', async (t) => {
  const semaphore = newNamed(t);
  for (const kind of ['sem.idle', 'sem.unref']) {
    const child = startFixture(t, 'sem-waits', [kind, semaphore.name, 'stay']);
    assert.deepEqual(await child.ended, { code: 0, signal: null }, kind);
  }
  const child = startFixture(t, 'sem-waits', ['sem.acquire', semaphore.name, 'stay']);
  assert.equal(await child.line(), 'waiting');
  child.process.kill('SIGTERM');
  assert.equal((await child.ended).signal, 'SIGTERM');
});
