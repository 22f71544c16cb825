import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { callBlocking } from '../../src/core/blocking.js';
import { check } from '../../src/core/errors.js';
import type { WaitOptions } from '../../src/core/wait.js';
import {
  F_UNLCK,
  F_WRLCK,
  MAP_ANONYMOUS,
  MAP_SHARED,
  native,
  O_NONBLOCK,
  PROT_READ,
  PROT_WRITE,
  SOCK_STREAM,
} from '../../src/sys/index.js';
import { countDescriptors } from '../support/descriptors.js';
import { threadsOf, until } from '../support/proc.js';
import { Counter, SEED, seeded, spinMicroseconds } from './support.js';
import { steadyClock } from '../support/standstill.js';

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;

const folder = mkdtempSync(join(tmpdir(), 'ip-blocking-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function fifo(name: string): string {
  const path = join(folder, name);
  check(native().mkfifo(path, 0o600), 'mkfifo');
  return path;
}

function openReader(path: string, options?: WaitOptions): Promise<number> {
  return callBlocking((token) => native().blockingOpen(token, path, O_RDONLY, 0), options, {
    syscall: 'open',
    subject: { path },
  });
}

/** Memory whose words threads wait for. */
function words(count: number): {
  buffer: Int32Array;
  wait(index: number, options?: WaitOptions): Promise<number>;
  wake(index: number): number;
} {
  const mapping = native().mmap(-1, 0, count * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0);
  assert.ok(typeof mapping !== 'number');
  const buffer = native().mappingBuffer(mapping);
  assert.ok(typeof buffer !== 'number');
  return {
    buffer: new Int32Array(buffer),
    wait: (index, options) =>
      callBlocking((token) => native().blockingFutexWait(token, mapping, index * 4, 0), options, { syscall: 'futex' }),
    wake(index) {
      Atomics.store(this.buffer, index, 1);
      return native().futexWake(mapping, index * 4, 1);
    },
  };
}

test('a blocked call delivers what it returned', async () => {
  const path = fifo('delivers');
  const open = openReader(path);
  const writer = await until('somebody reads', () => Math.max(0, native().open(path, O_WRONLY | O_NONBLOCK, 0)));
  const reader = await open;
  assert.ok(reader > 2);
  native().close(reader);
  native().close(writer);
});

test('a blocked call that fails delivers the errno, for the caller to name', async () => {
  assert.equal(await openReader(join(folder, 'nothing')), -2);
  await assert.rejects(openReader('x'.repeat(5000)), { code: 'ENAMETOOLONG', syscall: 'open' });
});

test('an abort and a time-out interrupt it, and the caller hears of that after the call has ended', async () => {
  const path = fifo('interrupted');
  const before = countDescriptors();
  const controller = new AbortController();
  const aborted = openReader(path, { signal: controller.signal });
  const start = performance.now();
  const late = openReader(path, { timeoutMs: 5 });
  await assert.rejects(late, { code: 'ETIMEDOUT', message: `ETIMEDOUT: timed out after 5 ms, open '${path}'` });
  assert.ok(performance.now() - start >= 5);
  controller.abort('because');
  await assert.rejects(aborted, { name: 'AbortError', cause: 'because' });
  assert.equal(native().open(path, O_WRONLY | O_NONBLOCK, 0), -6, 'ENXIO: nobody waits as reader any more');
  assert.equal(countDescriptors(), before);
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
});

test('a time-out of 0 and an aborted signal begin nothing', async () => {
  const begin = (): number => assert.fail('it was begun');
  await assert.rejects(callBlocking(begin, { timeoutMs: 0 }, { syscall: 'open' }), { code: 'ETIMEDOUT' });
  await assert.rejects(callBlocking(begin, { signal: AbortSignal.abort() }, { syscall: 'open' }), {
    code: 'ABORT_ERR',
  });
  await assert.rejects(callBlocking(begin, { timeoutMs: -1 }, { syscall: 'open' }), { code: 'ERR_INTERPROC_RANGE' });
});

test('what the beginning throws rejects', async () => {
  const failing = callBlocking(
    () => {
      throw new RangeError('no');
    },
    undefined,
    { syscall: 'open' },
  );
  await assert.rejects(failing, RangeError);
});

test('closing the handle it belongs to interrupts it', async () => {
  const owner = new Counter();
  const memory = words(1);
  const wait = callBlocking(
    (token) => {
      const path = fifo('owned');
      return native().blockingOpen(token, path, O_RDONLY, 0);
    },
    undefined,
    { syscall: 'open' },
    owner,
  );
  owner.close();
  await assert.rejects(wait, { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(memory.wake(0), 0);
});

test('200 calls wait at once, each on a thread of its own', async () => {
  const memory = words(200);
  const waits = Array.from({ length: 200 }, (_, index) => memory.wait(index));
  await until('each has its thread', () => threadsOf('self').length >= 200);
  for (let index = 0; index < 200; index++) memory.wake(index);
  // A thread that was there but not asleep yet has seen the word change: 1.
  for (const result of await Promise.all(waits)) assert.ok(result === 0 || result === 1, String(result));
});

test('more results than fit at once are all delivered', async () => {
  const memory = words(600);
  const waits = Array.from({ length: 600 }, (_, index) => memory.wait(index));
  await until('each has its thread', () => threadsOf('self').length >= 600);
  for (let index = 0; index < 600; index++) memory.wake(index);
  assert.equal((await Promise.all(waits)).length, 600);
});

test('an abort aimed at completion, 10,000 times for a lock: it is held exactly if the wait says so', async () => {
  const path = join(folder, 'locked');
  const mine = check(native().open(path, O_RDWR | O_CREAT, 0o600), 'open');
  const theirs = check(native().open(path, O_RDWR, 0), 'open');
  const before = countDescriptors();
  const random = seeded(SEED);
  let got = 0;
  let aborted = 0;
  for (let round = 0; round < 10_000; round++) {
    assert.equal(native().ofdSetLock(mine, F_WRLCK, 0, 1), 0, `SEED=${SEED}, round ${round}`);
    const controller = new AbortController();
    const wait = callBlocking(
      (token) => native().blockingOfdLock(token, theirs, F_WRLCK, 0, 1),
      { signal: controller.signal },
      { syscall: 'fcntl' },
    );
    spinMicroseconds(random() * 40);
    const abortFirst = random() < 0.5;
    if (abortFirst) controller.abort();
    native().ofdSetLock(mine, F_UNLCK, 0, 1);
    if (!abortFirst) spinMicroseconds(random() * 20);
    if (!abortFirst) controller.abort();
    const held = await wait.then(
      (result) => result === 0,
      (why) => why.code !== 'ABORT_ERR',
    );
    assert.equal(native().ofdGetLock(mine, F_WRLCK, 0, 1), held ? F_WRLCK : F_UNLCK, `SEED=${SEED}, round ${round}`);
    if (held) got++;
    else aborted++;
    native().ofdSetLock(theirs, F_UNLCK, 0, 1);
  }
  assert.ok(got > 0 && aborted > 0, `SEED=${SEED}: ${got} held, ${aborted} aborted`);
  assert.equal(countDescriptors(), before);
  native().close(mine);
  native().close(theirs);
});

test('an abort aimed at completion, 10,000 times for the opening of a FIFO: no descriptor is lost', async () => {
  const path = fifo('aimed');
  const before = countDescriptors();
  const random = seeded(SEED);
  let opened = 0;
  let aborted = 0;
  for (let round = 0; round < 10_000; round++) {
    const controller = new AbortController();
    const wait = openReader(path, { signal: controller.signal });
    spinMicroseconds(random() * 40);
    const writer = native().open(path, O_WRONLY | O_NONBLOCK, 0);
    spinMicroseconds(random() * 10);
    controller.abort();
    const reader = await wait.catch((why) => (why.code === 'ABORT_ERR' ? undefined : assert.fail(why)));
    if (reader === undefined) aborted++;
    else opened++;
    if (reader !== undefined) native().close(reader);
    if (writer >= 0) native().close(writer);
  }
  assert.ok(opened > 0 && aborted > 0, `SEED=${SEED}: ${opened} opened, ${aborted} aborted`);
  assert.equal(countDescriptors(), before);
});

test('an abort aimed at completion of a connect to a full backlog: no descriptor is lost', async () => {
  const name = new TextEncoder().encode(`\0ip-core-${process.pid}`);
  const server = check(native().socket(SOCK_STREAM), 'socket');
  check(native().bind(server, name), 'bind');
  check(native().listen(server, 0), 'listen');
  const filling = check(native().socket(SOCK_STREAM), 'socket');
  check(native().connect(filling, name), 'connect');
  const before = countDescriptors();
  const random = seeded(SEED);
  let connected = 0;
  let aborted = 0;
  for (let round = 0; round < 2_000; round++) {
    const controller = new AbortController();
    const wait = callBlocking(
      (token) => native().blockingConnect(token, SOCK_STREAM, name),
      { signal: controller.signal },
      { syscall: 'connect' },
    );
    spinMicroseconds(random() * 40);
    const accepted = random() < 0.5 ? native().accept(server) : -1;
    spinMicroseconds(random() * 10);
    controller.abort();
    const fd = await wait.catch((why) => (why.code === 'ABORT_ERR' ? undefined : assert.fail(why)));
    if (fd === undefined) aborted++;
    else connected++;
    if (accepted >= 0) native().close(accepted);
    // The backlog is one connection long again: ours that was made, or the one that was refused room.
    while (native().poll(server, 1, 0) === 1) native().close(check(native().accept(server), 'accept'));
    if (fd !== undefined) native().close(fd);
    const refill = check(native().socket(SOCK_STREAM), 'socket');
    check(native().connect(refill, name), 'connect');
    native().close(refill);
  }
  assert.ok(connected > 0 && aborted > 0, `SEED=${SEED}: ${connected} connected, ${aborted} aborted`);
  assert.equal(countDescriptors(), before);
  native().close(filling);
  native().close(server);
});

test('an abort aimed at the entry of the system call, 10,000 times: none hangs', async (t) => {
  const clock = await steadyClock(t);
  const memory = words(1);
  const random = seeded(SEED);
  let longest = 0;
  for (let round = 0; round < 10_000; round++) {
    const controller = new AbortController();
    const wait = memory.wait(0, { signal: controller.signal });
    spinMicroseconds(random() * 30);
    const start = clock();
    controller.abort();
    await assert.rejects(wait, { code: 'ABORT_ERR' });
    longest = Math.max(longest, clock() - start);
  }
  assert.ok(longest < 1000, `SEED=${SEED}: one took ${longest} ms`);
});

test('calls that are woken and aborted in any order each end once', async () => {
  const memory = words(50);
  const random = seeded(SEED);
  const controllers = Array.from({ length: 50 }, () => new AbortController());
  const settled = Promise.allSettled(controllers.map(({ signal }, index) => memory.wait(index, { signal })));
  const order = controllers.map((_, index) => index).sort(() => random() - 0.5);
  for (const index of order) {
    if (random() < 0.5) memory.wake(index);
    controllers[index]!.abort();
    if (random() < 0.2) await nextTurn();
  }
  for (const ended of await settled) {
    // 1: its word had changed before it slept.
    if (ended.status === 'fulfilled') assert.ok(ended.value === 0 || ended.value === 1, `SEED=${SEED}: ${ended.value}`);
    else assert.equal(ended.reason.code, 'ABORT_ERR', `SEED=${SEED}`);
  }
});
