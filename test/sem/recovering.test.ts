/** Semaphores whose permits come back when whoever has them ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import * as sem from '../../src/sem/index.js';
import { SEED, seeded, spinMicroseconds } from '../core/support.js';
import { attempt } from '../support/elsewhere.js';
import { openDescriptors } from '../support/descriptors.js';
import { limitDescriptors } from '../support/limits.js';
import { stateOf, threadsOf, until } from '../support/proc.js';
import { killed, type Program, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { freeName, newNamed, newRecovering, recoveringPathOf } from './support.js';
import { steadyClock } from '../support/standstill.js';

const RECOVER = { recover: true } as const;
const PROMPT_MS = 1000;
/** For a wait that is to be over long before. */
const LONG_MS = 20_000;
/** Less than the time after which a wait looks anyway. */
const SOON_MS = 600;

async function holder(t: Parameters<typeof startFixture>[0], name: string, ...how: string[]): Promise<Program> {
  const child = startFixture(t, 'sem-holder', [name, 'recover', ...how]);
  assert.equal(await child.line(), 'held');
  return child;
}

test('it has as many permits as it was made with, and each comes back once', async (t) => {
  const semaphore = newRecovering(t, 2);
  assert.deepEqual([semaphore.count, semaphore.value, semaphore.created], [2, 2, true]);
  const first = semaphore.tryAcquire();
  const second = await semaphore.acquire();
  assert.deepEqual([semaphore.value, semaphore.tryAcquire()], [0, undefined]);
  assert.throws(() => semaphore.acquireSync({ timeoutMs: 5 }), { code: 'ETIMEDOUT', syscall: 'sem_wait' });
  await assert.rejects(semaphore.acquire({ timeoutMs: 5 }), { code: 'ETIMEDOUT', object: semaphore.name });
  first?.release();
  first?.release();
  assert.equal(semaphore.value, 1);
  second.release();
  assert.equal(semaphore.value, 2);
  assert.equal('release' in semaphore, false, 'nobody gives what he has not');
});

test('handles of one name share the permits, in one process too, and it is none of sem_open(3)', (t) => {
  const semaphore = newRecovering(t, 2);
  using other = sem.openOrCreate(semaphore.name, { recover: true, value: 7 });
  assert.deepEqual([other.created, other.count], [false, 2]);
  const permits = [semaphore.tryAcquire(), other.tryAcquire()];
  assert.deepEqual(
    [semaphore.value, other.value, semaphore.tryAcquire(), other.tryAcquire()],
    [0, 0, undefined, undefined],
  );
  for (const permit of permits) permit?.release();
  assert.throws(() => sem.open(semaphore.name), { code: 'ENOENT' });
  const plain = newNamed(t);
  assert.throws(() => sem.open(plain.name, RECOVER), { code: 'ENOENT' });
});

for (const [how, end] of [
  ['is killed', (child: Program) => void killed(child)],
  ['exits', (child: Program) => child.process.stdin?.end()],
] as const) {
  test(`a holder ${how}: his permit comes back at once to who waits, in a promise and blocking`, async (t) => {
    const clock = await steadyClock(t);
    const semaphore = newRecovering(t, 1);
    const child = await holder(t, semaphore.name);
    const wait = semaphore.acquire();
    const begin = clock();
    end(child);
    const permit = await wait;
    assert.ok(clock() - begin < PROMPT_MS);
    await child.ended;
    permit.release();
    const another = await holder(t, semaphore.name);
    end(another);
    await new Promise(setImmediate); // the end of its input leaves us in the event loop
    const before = clock();
    semaphore.acquireSync({ timeoutMs: LONG_MS }).release();
    assert.ok(clock() - before < PROMPT_MS);
  });
}

test('30 holders are killed, and the permits add up each time', async (t) => {
  const semaphore = newRecovering(t, 3);
  for (let round = 0; round < 10; round++) {
    const children = await Promise.all(Array.from({ length: 3 }, () => holder(t, semaphore.name)));
    assert.equal(semaphore.value, 0);
    const wait = semaphore.acquire();
    for (const child of children) child.process.kill('SIGKILL');
    (await wait).release();
    await Promise.all(children.map((child) => child.ended));
    assert.equal(semaphore.value, 3, `round ${round}`);
  }
});

test('a stopped holder is not taken for dead, a zombie is', async (t) => {
  if (!peer(t, 'perl')) return;
  const clock = await steadyClock(t);
  const semaphore = newRecovering(t, 1);
  const child = await holder(t, semaphore.name);
  child.process.kill('SIGSTOP');
  await until('it is stopped', () => stateOf(child.pid) === 'T');
  await assert.rejects(semaphore.acquire({ timeoutMs: 600 }), { code: 'ETIMEDOUT' });
  await killed(child);
  // A parent that does not wait for its child keeps it as a zombie.
  const code = `my $pid = fork; if (!$pid) { open(my $f, '+<', $ARGV[0]) or die; my $lock = pack('s s x4 q q i x4', 1, 0, 0, 1, 0); fcntl($f, 37, $lock) or die $!; $| = 1; print "$$\\n"; sleep 100 } sleep 100;`;
  const parent = start(t, 'perl', ['-e', code, recoveringPathOf(semaphore.name)]);
  const zombie = Number(await parent.line());
  assert.equal(semaphore.value, 0);
  process.kill(zombie, 'SIGKILL');
  await until('it is a zombie', () => stateOf(zombie) === 'Z');
  const before = clock();
  (await semaphore.acquire({ timeoutMs: LONG_MS })).release();
  assert.ok(clock() - before < PROMPT_MS);
});

for (const laterMs of [20, 200])
  test(`a lock that is gone ${laterMs} ms after the kernel told of it is noticed soon`, async (t) => {
    if (!peer(t, 'perl')) return;
    const semaphore = newRecovering(t, 1);
    // Closing the second tells; the first gives its lock back later, of which nobody is told.
    const code = `$| = 1; my $path = $ARGV[0];
    while (<STDIN>) {
      open(my $first, '+<', $path) or die; open(my $second, '+<', $path) or die;
      my $lock = pack('s s x4 q q i x4', 1, 0, 0, 1, 0); fcntl($first, 37, $lock) or die $!;
      print "held\n"; <STDIN>;
      close($second); select(undef, undef, undef, ${laterMs / 1000});
      $lock = pack('s s x4 q q i x4', 2, 0, 0, 1, 0); fcntl($first, 37, $lock) or die $!;
      print "gone\n"; <STDIN>;
    }`;
    const holder = start(t, 'perl', ['-e', code, recoveringPathOf(semaphore.name)]);
    let least = Infinity;
    // On a busy machine it may be later than the last look that follows, once.
    for (let round = 0; round < 5 && least > SOON_MS; round++) {
      holder.say('take');
      assert.equal(await holder.line(), 'held');
      const begin = performance.now();
      const wait = semaphore.acquire();
      holder.say('give');
      const permit = await wait;
      least = Math.min(least, performance.now() - begin);
      assert.equal(await holder.line(), 'gone');
      permit.release();
      holder.say('again');
    }
    assert.ok(least < SOON_MS, `it took ${least} ms`);
  });

test('the end of a worker gives back what it had, and so does close()', async (t) => {
  const semaphore = newRecovering(t, 1);
  const worker = new Worker(new URL('../fixtures/sem-holder.js', import.meta.url), {
    workerData: { name: semaphore.name },
  });
  await once(worker, 'message');
  const wait = semaphore.acquire();
  await worker.terminate();
  (await wait).release();
  const other = sem.open(semaphore.name, RECOVER);
  const permit = other.acquireSync();
  other.close();
  permit.release();
  assert.equal(semaphore.value, 1);
  assert.throws(() => other.value, { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(inspect(other), `RecoveringSemaphore { name: '${semaphore.name}', count: 1, closed: true }`);
});

test('a child that has the descriptor keeps the permit when its parent is killed', async (t) => {
  const clock = await steadyClock(t);
  const semaphore = newRecovering(t, 1);
  const code = `
    const { sem, proc } = await import(process.argv[1]);
    const semaphore = sem.open(process.argv[2], { recover: true });
    semaphore.tryAcquire();
    const child = proc.spawn('sleep', ['1000'], { fds: { 0: 'null', 1: 'null', 2: 'null', [semaphore.fd]: semaphore.fd } });
    console.log(child.pid);
    setInterval(() => {}, 1000);`;
  const module = new URL('../../src/index.js', import.meta.url).href;
  const parent = start(t, process.execPath, ['--input-type=module', '-e', code, module, semaphore.name]);
  const child = Number(await parent.line());
  t.after(() => {
    try {
      process.kill(child, 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  await killed(parent);
  assert.equal(semaphore.value, 0);
  process.kill(child, 'SIGKILL');
  const before = clock();
  (await semaphore.acquire({ timeoutMs: LONG_MS })).release();
  assert.ok(clock() - before < PROMPT_MS);
});

test('waits of a handle are served in their order, without a thread', async (t) => {
  const semaphore = newRecovering(t, 1);
  using other = sem.open(semaphore.name, RECOVER);
  const first = semaphore.tryAcquire();
  const before = threadsOf('self').length;
  const order: number[] = [];
  const waits = Array.from({ length: 30 }, async (_, index) => {
    using _mine = await other.acquire();
    order.push(index);
  });
  assert.ok(threadsOf('self').length <= before);
  first?.release();
  await Promise.all(waits);
  assert.deepEqual(
    order,
    Array.from({ length: 30 }, (_, index) => index),
  );
});

test('an abort, 2,000 times aimed at completion: the permit was delivered or is still there', async (t) => {
  const semaphore = newRecovering(t, 1);
  using other = sem.open(semaphore.name, RECOVER);
  const random = seeded(SEED);
  let delivered = 0;
  let aborted = 0;
  for (let round = 0; round < 2000; round++) {
    const held = other.tryAcquire();
    assert.ok(held !== undefined, `SEED=${SEED}, round ${round}`);
    const controller = new AbortController();
    const wait = semaphore.acquire({ signal: controller.signal }).catch((why: { code?: string }) => {
      assert.equal(why.code, 'ABORT_ERR');
      return undefined;
    });
    spinMicroseconds(random() * 20);
    held.release();
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) await new Promise(setImmediate);
    controller.abort();
    const permit = await wait;
    if (permit === undefined) aborted++;
    else delivered++;
    assert.equal(other.value, permit === undefined ? 1 : 0, `SEED=${SEED}, round ${round}`);
    permit?.release();
  }
  assert.ok(delivered > 0 && aborted > 0, `SEED=${SEED}: ${delivered} delivered, ${aborted} aborted`);
});

test('processes that take turns over it never have more permits than there are', async (t) => {
  const semaphore = newRecovering(t, 2);
  const file = `${recoveringPathOf(semaphore.name)}-count`;
  writeFileSync(file, '');
  t.after(() => rmSync(file, { force: true }));
  const children = Array.from({ length: 4 }, () => startFixture(t, 'sem-turns', [semaphore.name, file, '100']));
  for (const child of children) assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
  // Each has written + when it had a permit, and - before it gave it back.
  let inside = 0;
  let most = 0;
  const marks = readFileSync(file, 'utf8');
  for (const mark of marks) {
    inside += mark === '+' ? 1 : -1;
    most = Math.max(most, inside);
  }
  assert.deepEqual([marks.length, inside, semaphore.value], [800, 0, 2]);
  assert.ok(most <= 2, `${most} at once`);
});

test('whenIdle waits until nobody has a permit or waits for one', async (t) => {
  const semaphore = newRecovering(t, 2);
  using other = sem.open(semaphore.name, RECOVER);
  assert.equal(semaphore.tryWhenIdle(), true);
  const permit = other.tryAcquire();
  assert.equal(semaphore.tryWhenIdle(), false);
  assert.throws(() => semaphore.whenIdleSync({ timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  let idle = false;
  const wait = semaphore.whenIdle().then(() => {
    idle = true;
  });
  const second = other.tryAcquire();
  const queued = other.acquire();
  permit?.release();
  const third = await queued;
  second?.release();
  assert.deepEqual([idle, other.tryWhenIdle(), semaphore.tryWhenIdle()], [false, false, false]);
  third.release();
  await wait;
  semaphore.whenIdleSync();
});

test('a temporary one is removed by its last user, and by nobody before', async (t) => {
  const name = freeName(t);
  const first = sem.create(name, { recover: true, value: 1, temporary: true });
  const second = sem.open(name, { recover: true, temporary: true });
  first.close();
  assert.equal(existsSync(recoveringPathOf(name)), true);
  second.close();
  assert.equal(existsSync(recoveringPathOf(name)), false);
  sem.create(name, { recover: true, value: 1, temporary: true }).close();
  assert.equal(existsSync(recoveringPathOf(name)), false);
  const lasting = sem.create(name, { recover: true, value: 1 });
  const child = startFixture(t, 'sem-holder', [name, 'temporary', 'exit']);
  await child.ended;
  assert.equal(existsSync(recoveringPathOf(name)), true, 'we have it open');
  lasting.close();
  await startFixture(t, 'sem-holder', [name, 'temporary', 'exit']).ended;
  assert.equal(existsSync(recoveringPathOf(name)), false, 'the exit of the last user removes it');
});

test('many that come and go at once, and remove it as its last user, never have two permits of one', async (t) => {
  const name = freeName(t);
  const file = `${recoveringPathOf(name)}-count`;
  writeFileSync(file, '');
  t.after(() => rmSync(file, { force: true }));
  const children = Array.from({ length: 4 }, () => startFixture(t, 'sem-turns', [name, file, '150', 'temporary']));
  for (const child of children) assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
  assert.match(readFileSync(file, 'utf8'), /^(\+-){600}$/);
  assert.equal(existsSync(recoveringPathOf(name)), false);
});

test('it is a file of as many bytes as there are permits, with exactly the mode; what is not is refused', (t) => {
  const name = freeName(t);
  const path = recoveringPathOf(name);
  sem.create(name, { recover: true, value: 5, mode: 0o660 }).close();
  const { size, mode } = statSync(path);
  assert.deepEqual([size, mode & 0o7777], [5, 0o660]);
  assert.throws(() => sem.create(name, { recover: true, value: 1 }), { code: 'EEXIST' });
  sem.unlink(name, RECOVER);
  assert.throws(() => sem.unlink(name, RECOVER), { code: 'ENOENT' });
  assert.throws(() => sem.open(name, RECOVER), { code: 'ENOENT' });
  for (const bytes of [0, 4097]) {
    writeFileSync(path, new Uint8Array(bytes));
    assert.throws(() => sem.open(name, RECOVER), { code: 'EINVAL', message: /no semaphore whose permits come back/ });
  }
  rmSync(path);
  symlinkSync('/dev/null', path);
  assert.throws(() => sem.open(name, RECOVER), { code: 'ELOOP' });
  rmSync(path);
  mkdirSync(path);
  assert.throws(
    () => sem.open(name, RECOVER),
    (why: { code?: string }) => ['EISDIR', 'EINVAL'].includes(why.code ?? ''),
  );
});

test('options that cannot be meant are refused', () => {
  for (const value of [0, -1, 1.5, 4097, undefined]) {
    assert.throws(() => sem.create('/x', { recover: true, value } as never), /value must be a/);
  }
  assert.throws(() => sem.open('/x', { recover: true, temporary: 1 } as never), { name: 'TypeError' });
  assert.throws(() => sem.openOrCreate('/x', { recover: true, value: 1, mode: -1 }), { name: 'RangeError' });
});

test('another user is kept out by the mode', async (t) => {
  const semaphore = newRecovering(t);
  const outcomes = await attempt(t, { asNobody: true }, [['sem.open', semaphore.name, RECOVER]]);
  if (outcomes !== undefined) assert.equal(outcomes[0]?.code, 'EACCES');
});

test('where no inotify instance is left waits look from time to time, and lose nothing', async (t) => {
  if (!peer(t, 'prlimit')) return;
  const semaphore = newRecovering(t, 1);
  const permit = semaphore.tryAcquire();
  const code = `
    const { sem } = await import(process.argv[1]);
    const [first, second] = [1, 2].map(() => sem.open(process.argv[2], { recover: true }));
    await first.acquire({ timeoutMs: 1 }).catch(() => {}); // has all that waiting opens
    console.log('ready');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    const wait = second.acquire();
    console.log('waiting');
    (await wait).release();
    second.acquireSync().release();
    console.log('had it');
    process.exit(0);`;
  const module = new URL('../../src/index.js', import.meta.url).href;
  const child = start(t, process.execPath, ['--input-type=module', '-e', code, module, semaphore.name]);
  assert.equal(await child.line(), 'ready');
  limitDescriptors(child.pid, 3); // an instance is a descriptor, of which no other is to be had
  child.say('');
  assert.equal(await child.line(), 'waiting');
  const instances = [...openDescriptors(child.pid).values()].filter((what) => what.includes('inotify'));
  assert.equal(instances.length, 1, 'that of the first handle');
  permit?.release();
  assert.equal(await child.line(), 'had it');
  assert.equal((await child.ended).code, 0, child.errors());
});
