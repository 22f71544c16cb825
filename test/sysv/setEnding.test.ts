/** What is left of a set’s permits when those who made, hold or wait for them end. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { semaphoreSet } from '../../src/sysv/index.js';
import { countDescriptors, openWaiting } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { steadyClock } from '../support/standstill.js';
import { freeKey, newSet } from './sets.js';

const WAITS = new URL('../fixtures/sem-waits.js', import.meta.url);
const HOLDER = new URL('../fixtures/set-holder.js', import.meta.url);

async function waiter(kind: string, { id }: semaphoreSet.SemaphoreSet): Promise<Worker> {
  const worker = new Worker(WAITS, { workerData: { kind, target: String(id) } });
  await once(worker, 'message');
  return worker;
}

for (const kind of ['set.acquire', 'set.acquireSync', 'set.acquireSyncFor', 'set.watched']) {
  test(`a worker is terminated in the middle of ${kind}, and takes no permit any more`, async (t) => {
    await openWaiting();
    const set = newSet(t);
    const before = countDescriptors();
    await (await waiter(kind, set)).terminate();
    await until('the descriptors are back', () => countDescriptors() <= before);
    assert.equal(set.waitingForIncrease(), 0);
    set.release();
    assert.equal(set.getValue(), 1);
  });

  test(`process.exit() in the middle of ${kind} exits`, async (t) => {
    const set = newSet(t);
    const child = startFixture(t, 'sem-waits', [kind, String(set.id), 'exit']);
    assert.deepEqual(await child.ended, { code: 7, signal: null }, child.errors());
  });
}

test('a permit that a thread got for a worker that was busy comes back when the worker is terminated', async (t) => {
  const set = newSet(t);
  const worker = await waiter('set.busy', set);
  await until('the thread waits', () => set.waitingForIncrease() === 1);
  set.release();
  await until('the thread has it', () => set.getValue() === 0);
  await worker.terminate();
  assert.equal(set.getValue(), 1);
});

test('a waiter that is killed takes no permit with it', async (t) => {
  const set = newSet(t);
  const child = startFixture(t, 'sem-waits', ['set.acquire', String(set.id), 'stay']);
  await child.line();
  await until('it waits', () => set.waitingForIncrease() === 1);
  await killed(child);
  assert.equal(set.waitingForIncrease(), 0);
  set.release();
  assert.equal(set.getValue(), 1);
});

test('a pending wait keeps the process alive, an idle or unref’d handle does not', async (t) => {
  const { id } = newSet(t);
  for (const kind of ['set.idle', 'set.unref']) {
    const child = startFixture(t, 'sem-waits', [kind, String(id), 'stay']);
    assert.deepEqual(await child.ended, { code: 0, signal: null }, kind);
  }
  for (const kind of ['set.acquire', 'set.watched']) {
    const child = startFixture(t, 'sem-waits', [kind, String(id), 'stay']);
    assert.equal(await child.line(), 'waiting');
    child.process.kill('SIGTERM');
    assert.equal((await child.ended).signal, 'SIGTERM', kind);
  }
});

for (const [how, then] of [
  ['undo', 'kill'],
  ['undo', 'exit'],
  ['keep', 'kill'],
  ['keep', 'exit'],
] as const) {
  const whatComes = how === 'undo' ? 'what it did with undo is taken back' : 'what it did without undo stays';
  test(`a holder ends by ${then}: ${whatComes}`, async (t) => {
    const set = newSet(t, { initial: [2, 0] });
    const child = startFixture(t, 'set-holder', [String(set.id), how, then]);
    assert.equal(await child.line(), 'held');
    if (then === 'kill') {
      assert.deepEqual(set.getAll(), [0, 3]);
      // Whoever waits is woken by the undo, too.
      const wait = how === 'undo' ? set.acquire({ count: 2 }) : undefined;
      await killed(child);
      (await wait)?.release();
    }
    await child.ended;
    assert.deepEqual(set.getAll(), how === 'undo' ? [2, 0] : [0, 3]);
    assert.equal(set.lastPid(0), how === 'undo' && then === 'kill' ? process.pid : child.pid);
  });
}

test('a stopped holder keeps what it has', async (t) => {
  const set = newSet(t, { initial: [2, 0] });
  const child = startFixture(t, 'set-holder', [String(set.id), 'undo', 'stay']);
  await child.line();
  child.process.kill('SIGSTOP');
  assert.throws(() => set.acquireSync({ timeoutMs: 50 }), { code: 'ETIMEDOUT' });
  await killed(child);
  assert.equal(set.getValue(), 2);
});

test('the end of a worker undoes nothing: undo is the process’s', async (t) => {
  const set = newSet(t, { initial: [2] });
  const worker = new Worker(HOLDER, { workerData: { id: set.id } });
  await once(worker, 'message');
  await worker.terminate();
  assert.equal(set.getValue(), 0);
  set.release({ count: 2, undo: true });
  assert.equal(set.getValue(), 2);
});

test('a permit given back with the undo with which it was taken leaves nothing to undo', async (t) => {
  const set = newSet(t, { initial: 1 });
  const code = `
    const { semaphoreSet } = await import(process.argv[1]);
    const set = semaphoreSet.fromId(Number(process.argv[2]));
    for (let round = 0; round < 40_000; round++) set.acquireSync({ undo: true }).release();`;
  const module = new URL('../../src/sysv/index.js', import.meta.url).href;
  const child = start(t, process.execPath, ['--input-type=module', '-e', code, module, String(set.id)]);
  assert.equal((await child.ended).code, 0, child.errors());
  assert.equal(set.getValue(), 1);
});

test('setting a value makes everybody forget what he would undo at it', async (t) => {
  const set = newSet(t, { initial: [2, 0] });
  const child = startFixture(t, 'set-holder', [String(set.id), 'undo', 'stay']);
  await child.line();
  set.setValue(0, 10);
  await killed(child);
  assert.deepEqual(set.getAll(), [10, 0]);
});

test('undo that would go beyond what a semaphore can be is ERANGE when it is asked for', (t) => {
  const set = newSet(t, { initial: 32_767 });
  set.acquireSync({ count: 32_767, undo: true });
  set.setAll([32_767]); // forgets it
  set.acquireSync({ count: 32_767, undo: true });
  set.release({ count: 32_767 });
  // The kernel would add twice 32767 at the end of this process.
  assert.throws(() => set.tryAcquire({ count: 2, undo: true }), { code: 'ERANGE', hint: /to be undone/ });
  set.setValue(0, 0);
});

test('of several who open or create at once one makes the set, and none sees it without its values', async (t) => {
  const key = freeKey(t);
  const rounds = 1500;
  let seen = new Set<string>();
  // A maker that is kept from the processor for half a second is not waited for any longer, rightly: once, but not each time.
  for (let race = 0; race < 3 && !isDeepStrictEqual([...seen], ['true 3,0,4']); race++) {
    const racers = Array.from({ length: 4 }, () => startFixture(t, 'set-race', [String(key), String(rounds)]));
    const told = await Promise.all(
      racers.map(async (racer) => JSON.parse(await racer.line()) as { made: number; seen: string[] }),
    );
    seen = new Set(told.flatMap((one) => one.seen));
    assert.ok(told.reduce((sum, { made }) => sum + made, 0) > rounds / 2);
  }
  assert.deepEqual([...seen], ['true 3,0,4']);
});

test('a set of a maker who gives no sign is waited for a while, then opened as it is, and says so; an old one at once', async (t) => {
  if (!peer(t, 'perl')) return;
  const clock = await steadyClock(t);
  let key = 0;
  let begin = 0;
  // How old a set is the kernel tells in seconds: one is wanted that is young still when it is opened.
  do {
    key = freeKey(t);
    await until('a second begins', () => Date.now() % 1000 < 100);
    execFileSync('perl', ['-e', `defined(semget(${key | 0}, 1, 0600 | 01000)) or die $!`]);
    begin = performance.now();
  } while (Date.now() % 1000 > 700);
  const steadily = clock();
  const set = semaphoreSet.open(key);
  const waited = performance.now() - begin;
  assert.deepEqual([set.initialised, set.count, set.stat().lastOperationTime], [false, 1, undefined]);
  assert.ok(waited > 400 && clock() - steadily < 5000, `waited ${waited} ms`);
  await until('it is old', () => Date.now() - set.stat().changeTime.getTime() > 1600);
  const tookAgain = [1, 2, 3].map(() => {
    const again = performance.now();
    assert.equal(semaphoreSet.open(key).initialised, false);
    return performance.now() - again;
  });
  assert.ok(Math.min(...tookAgain) < 300, `took ${tookAgain.join(', ')} ms`);
  set.release();
  assert.equal(semaphoreSet.open(key).initialised, true);
});

test('who opens a set while its maker is about to give it values waits for that', async (t) => {
  if (!peer(t, 'perl')) return;
  let took = Infinity;
  // A maker that takes longer, because it gets no processor, is not waited for.
  for (let round = 0; round < 10 && took > 400; round++) {
    const key = freeKey(t);
    // As making.ts does it, and slowly.
    const code = `
      $| = 1; my $id = semget(${key | 0}, 1, 0600 | 01000) // die $!; print "made\\n";
      select undef, undef, undef, 0.1;
      semctl($id, 0, 16, 7) // die $!; semop($id, pack('s6', 0, -1, 04000, 0, 1, 04000)) or die $!;`;
    const begin = performance.now();
    const perl = start(t, 'perl', ['-e', code]);
    assert.equal(await perl.line(), 'made');
    const set = semaphoreSet.open(key);
    const seen = [set.initialised, set.getAll()];
    await perl.ended;
    took = performance.now() - begin;
    if (took <= 400) assert.deepEqual(seen, [true, [7]]);
  }
  assert.ok(took <= 400, `it took ${took} ms each time`);
});

test('a maker that is killed between making and giving values leaves a set that says so', async (t) => {
  if (!peer(t, 'strace')) return;
  const key = freeKey(t);
  const code = `const { semaphoreSet } = await import(process.argv[1]); semaphoreSet.create(${key}, { initial: 5 });`;
  const module = new URL('../../src/sysv/index.js', import.meta.url).href;
  const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=semctl', '-e', 'inject=semctl:signal=KILL'];
  const maker = start(t, 'strace', [...inject, process.execPath, '--input-type=module', '-e', code, module]);
  await maker.ended;
  const set = semaphoreSet.open(key);
  assert.equal(set.initialised, false);
  assert.match(readFileSync('/proc/sysvipc/sem', 'utf8'), new RegExp(`\\s${set.id}\\s`));
});
