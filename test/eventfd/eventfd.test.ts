import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { openSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import * as eventfd from '../../src/eventfd/index.js';
import { countDescriptors, flagsOf, openDescriptors, openPoller } from '../support/descriptors.js';
import { attempt } from '../support/elsewhere.js';
import { until } from '../support/proc.js';

const MOST = 2n ** 64n - 2n;

function newCounter(t: TestContext, options?: eventfd.EventfdOptions): eventfd.Eventfd {
  const counter = eventfd.create(options);
  t.after(() => counter.close());
  return counter;
}

test('create makes a close-on-exec counter that begins at 0, or where asked', (t) => {
  const counter = newCounter(t);
  assert.equal(openDescriptors().get(counter.fd), 'anon_inode:[eventfd]');
  assert.ok(flagsOf(counter.fd) & 0o2000000, 'O_CLOEXEC');
  assert.equal(counter.tryWait(), undefined);
  assert.equal(newCounter(t, { initial: 2 ** 32 - 1 }).tryWait(), 2n ** 32n - 1n);
  assert.match(inspect(counter), /^Eventfd \{ fd: \d+, closed: false \}$/);
});

test('options that cannot be meant are refused', () => {
  for (const initial of [-1, 1.5, 2 ** 32, Number.NaN]) {
    assert.throws(() => eventfd.create({ initial }), {
      name: 'RangeError',
      code: 'ERR_INTERPROC_RANGE',
      message: /initial/,
    });
  }
  assert.throws(() => eventfd.create({ initial: 1n as never }), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.throws(() => eventfd.create({ start: 1 } as never), /unknown option 'start'/);
});

test('waiting takes the sum of what was added, in each of its three forms', async (t) => {
  const counter = newCounter(t);
  await counter.add();
  counter.addSync(2);
  assert.equal(counter.tryAdd(3n), true);
  assert.equal(counter.tryWait(), 6n);
  assert.equal(counter.tryWait(), undefined);
  counter.tryAdd(7);
  assert.equal(counter.waitSync(), 7n);
  counter.tryAdd(8);
  assert.equal(await counter.wait(), 8n);
  counter.tryAdd(0);
  assert.equal(counter.tryWait(), undefined, 'nothing added is nothing there');
});

test('a semaphore gives 1 at a time', async (t) => {
  const counter = newCounter(t, { initial: 2, semaphore: true });
  assert.equal(counter.tryWait(), 1n);
  assert.equal(counter.waitSync(), 1n);
  assert.equal(counter.tryWait(), undefined);
  const waits = Promise.all([counter.wait(), counter.wait(), counter.wait()]);
  counter.tryAdd(3);
  assert.deepEqual(await waits, [1n, 1n, 1n]);
});

test('the counter is exact in all its 64 bits', (t) => {
  const counter = newCounter(t);
  for (const value of [2n ** 53n + 1n, 2n ** 63n, 2n ** 63n - 1n, MOST]) {
    counter.addSync(value);
    assert.equal(counter.tryWait(), value);
  }
  counter.tryAdd(2n ** 53n);
  counter.tryAdd(Number.MAX_SAFE_INTEGER);
  counter.tryAdd(1);
  assert.equal(counter.tryWait(), 2n ** 54n);
});

test('what cannot be added exactly is refused, in each of the three forms', async (t) => {
  const counter = newCounter(t);
  for (const n of [-1, -1n, 1.5, 2 ** 53, Number.NaN, MOST + 1n, 2n ** 64n]) {
    assert.throws(() => counter.tryAdd(n), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
    assert.throws(() => counter.addSync(n), { code: 'ERR_INTERPROC_RANGE' });
    await assert.rejects(counter.add(n), { code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => counter.tryAdd('1' as never), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
  assert.equal(counter.tryWait(), undefined);
});

test('what does not fit waits until the counter is taken: tryAdd is false, addSync times out', async (t) => {
  const counter = newCounter(t);
  counter.tryAdd(MOST - 1n);
  assert.equal(counter.tryAdd(2), false);
  assert.throws(() => counter.addSync(2, { timeoutMs: 0 }), { code: 'ETIMEDOUT', syscall: 'eventfd_write' });
  const began = performance.now();
  assert.throws(() => counter.addSync(2, { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  assert.ok(performance.now() - began >= 20);
  await assert.rejects(counter.add(2, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  await assert.rejects(counter.add(2, { timeoutMs: 20 }), { code: 'ETIMEDOUT', syscall: 'eventfd_write' });
  const adds = [counter.add(2), counter.add(MOST)];
  assert.equal(await counter.wait(), MOST - 1n);
  let sum = 0n;
  while (sum < MOST + 2n) sum += await counter.wait();
  await Promise.all(adds);
  assert.equal(sum, MOST + 2n);
});

test('addSync goes on as soon as another thread has taken the counter', async (t) => {
  const counter = newCounter(t);
  counter.tryAdd(MOST);
  const taken = new SharedArrayBuffer(4);
  const worker = new Worker(new URL('../fixtures/eventfd-taker.js', import.meta.url), {
    workerData: { fd: counter.fd, taken },
  });
  Atomics.wait(new Int32Array(taken), 0, 0);
  counter.addSync(5n);
  assert.equal(counter.tryWait(), 5n);
  await worker.terminate();
});

test('abort, time-out and close end a wait, and nothing is lost', async (t) => {
  openPoller();
  const counter = newCounter(t);
  const controller = new AbortController();
  const reason = new Error('enough');
  const wait = counter.wait({ signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(wait, { name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  await assert.rejects(counter.wait({ timeoutMs: 10 }), { code: 'ETIMEDOUT', syscall: 'eventfd_read' });
  assert.throws(() => counter.waitSync({ timeoutMs: 10 }), { code: 'ETIMEDOUT' });
  counter.tryAdd(MOST);
  const before = countDescriptors();
  const again = new AbortController();
  const add = counter.add(5, { signal: again.signal });
  again.abort();
  await assert.rejects(add, { code: 'ABORT_ERR' });
  await assert.rejects(counter.add(5, { signal: again.signal }), { code: 'ABORT_ERR' });
  assert.equal(getEventListeners(again.signal, 'abort').length, 0);
  assert.equal(countDescriptors(), before);
  assert.equal(counter.tryWait(), MOST, 'an aborted add has added nothing');
  counter.tryAdd(MOST);
  const pending = counter.add(5);
  counter.close();
  await assert.rejects(pending, { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(countDescriptors(), before - 1);
});

test('after close everything but close is refused', async () => {
  const counter = eventfd.create();
  counter.close();
  counter.close();
  const closed = { code: 'ERR_INTERPROC_CLOSED', message: 'the eventfd is closed' };
  assert.throws(() => counter.tryAdd(), closed);
  assert.throws(() => counter.addSync(), closed);
  assert.throws(() => counter.tryWait(), closed);
  assert.throws(() => counter.waitSync(), closed);
  await assert.rejects(counter.add(), closed);
  await assert.rejects(counter.wait(), closed);
});

test('a time-out that cannot be meant is a RangeError in every form, and nothing is added', async (t) => {
  const counter = newCounter(t);
  for (const timeoutMs of [-1, Number.NaN]) {
    const refused = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /timeoutMs/ };
    assert.throws(() => counter.addSync(1, { timeoutMs }), refused);
    await assert.rejects(counter.add(1, { timeoutMs }), refused);
    assert.throws(() => counter.waitSync({ timeoutMs }), refused);
    await assert.rejects(counter.wait({ timeoutMs }), refused);
  }
  assert.equal(counter.tryWait(), undefined);
});

test('fromDescriptor refuses what is no eventfd, and leaves it open', (t) => {
  const file = openSync('/dev/null', 'r');
  t.after(() => file);
  assert.throws(() => eventfd.fromDescriptor(file), { code: 'EINVAL', message: /descriptor \d+ is no eventfd/ });
  assert.ok(openDescriptors().has(file));
  assert.throws(() => eventfd.fromDescriptor(19_999), { code: 'EBADF' });
  assert.throws(() => eventfd.fromDescriptor(-1), { code: 'ERR_INTERPROC_RANGE' });
});

test('at RLIMIT_NOFILE creating is EMFILE, and the hint names the limit', async (t) => {
  const outcomes = await attempt(t, { limits: ['--nofile=128'] }, [['*eventfd.create']]);
  assert.equal(outcomes?.[0]?.code, 'EMFILE');
  assert.equal(outcomes?.[0]?.syscall, 'eventfd');
  assert.match(outcomes?.[0]?.hint ?? '', /RLIMIT_NOFILE/);
});

test('a worker that ends in the middle of a wait leaves no descriptor behind', async () => {
  openPoller();
  const before = countDescriptors();
  for (const kind of ['add', 'addSync', 'wait', 'waitSync']) {
    const worker = new Worker(new URL('../fixtures/eventfd-waiter.js', import.meta.url), { workerData: kind });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    await until(`the worker in ${kind} has closed everything`, () => countDescriptors() === before);
  }
});
