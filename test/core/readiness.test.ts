import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { EPOLLONESHOT, native, POLLIN } from '../../src/sys/index.js';
import { onceReady, watchEdges, whenPossible } from '../../src/core/readiness.js';
import { countDescriptors } from '../support/descriptors.js';
import { Counter, SEED, seeded, spinMicroseconds } from './support.js';

test('a wait takes what is there at once, and else what comes', async () => {
  using counter = new Counter();
  counter.ring();
  assert.equal(await counter.take(), true);
  const wait = counter.take();
  counter.ring();
  assert.equal(await wait, true);
});

test('several waits are served in the order in which they were made, one attempt behind the last that got something', async () => {
  using counter = new Counter();
  const served: number[] = [];
  const waits = Array.from({ length: 1000 }, (_, index) => counter.take().then(() => served.push(index)));
  for (let ring = 0; ring < 10; ring++) counter.ring();
  await Promise.all(waits.slice(0, 10));
  assert.ok(counter.attempts <= 1 + 10 + 1, `${counter.attempts} attempts for 10 of 1000 waits`);
  for (let ring = 10; ring < 1000; ring++) counter.ring();
  await Promise.all(waits);
  assert.deepEqual(
    served,
    Array.from({ length: 1000 }, (_, index) => index),
  );
});

test('a wait does not overtake those that wait already, though there is something', async () => {
  using counter = new Counter();
  const order: string[] = [];
  const first = counter.take().then(() => order.push('first'));
  counter.ring();
  counter.ring();
  const second = counter.take().then(() => order.push('second'));
  await Promise.all([second, first]);
  assert.deepEqual(order, ['first', 'second']);
});

test('a time-out ends with ETIMEDOUT, names the call and never comes early', async () => {
  using counter = new Counter();
  for (const timeoutMs of [0.5, 1, 2, 7.3, 20]) {
    const start = performance.now();
    await assert.rejects(counter.take({ timeoutMs }), {
      name: 'IpcError',
      code: 'ETIMEDOUT',
      syscall: 'read',
      object: 'counter',
      message: `ETIMEDOUT: timed out after ${timeoutMs} ms, read 'counter'`,
    });
    assert.ok(performance.now() - start >= timeoutMs, `${timeoutMs} ms were ${performance.now() - start}`);
  }
});

test('a blocking wait ends with ETIMEDOUT, not early, and longer than one slice', () => {
  using counter = new Counter();
  for (const timeoutMs of [0, 1.5, 120]) {
    const start = performance.now();
    assert.throws(() => counter.takeSync({ timeoutMs }), { code: 'ETIMEDOUT' });
    const took = performance.now() - start;
    // How late depends on who else wants the processor; early is never right.
    assert.ok(took >= timeoutMs && took < timeoutMs + 5000, `${timeoutMs} ms were ${took}`);
  }
});

test('a blocking wait gets what another thread brings', async () => {
  using counter = new Counter();
  const worker = new Worker(new URL('./programs/ringer.js', import.meta.url), { workerData: { fd: counter.fd } });
  assert.equal(counter.takeSync(), true);
  await worker.terminate();
});

test('a time-out of 0 tries once', async () => {
  using counter = new Counter();
  await assert.rejects(counter.take({ timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  counter.ring();
  assert.equal(await counter.take({ timeoutMs: 0 }), true);
  counter.ring();
  assert.equal(counter.takeSync({ timeoutMs: 0 }), true);
});

test('a time-out that cannot be meant is refused before anything is taken', async () => {
  using counter = new Counter();
  counter.ring();
  for (const timeoutMs of [-1, Number.NaN, -Infinity]) {
    await assert.rejects(counter.take({ timeoutMs }), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
    assert.throws(() => counter.takeSync({ timeoutMs }), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  for (const timeoutMs of ['1', null, Object.create(null)] as never[]) {
    await assert.rejects(counter.take({ timeoutMs }), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
    assert.throws(() => counter.takeSync({ timeoutMs }), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
  }
  assert.equal(counter.drain(), 1);
});

test('Infinity and the longest number wait until something comes', async () => {
  using counter = new Counter();
  const waits = [counter.take({ timeoutMs: Infinity }), counter.take({ timeoutMs: Number.MAX_VALUE })];
  counter.ring();
  counter.ring();
  assert.deepEqual(await Promise.all(waits), [true, true]);
});

test('an abort ends the wait with an AbortError in the form of Node’s own, and nothing is taken', async () => {
  using counter = new Counter();
  const controller = new AbortController();
  const reason = new Error('enough');
  const wait = counter.take({ signal: controller.signal });
  controller.abort(reason);
  counter.ring();
  await assert.rejects(wait, { name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  assert.equal(counter.drain(), 1);
});

test('an aborted signal takes nothing, though something is there', async () => {
  using counter = new Counter();
  counter.ring();
  await assert.rejects(counter.take({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  assert.equal(counter.drain(), 1);
});

test('what is no AbortSignal is refused, and one of another realm is taken', async () => {
  using counter = new Counter();
  for (const signal of ['SIGTERM', 15, {}, null] as never[]) {
    await assert.rejects(counter.take({ signal }), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
  }
  const foreign = Object.assign(new EventTarget(), { aborted: false, reason: undefined }) as never;
  const wait = counter.take({ signal: foreign });
  counter.ring();
  assert.equal(await wait, true);
});

test('100,000 waits on one AbortSignal leave no listener, and 1,000 at a time draw no warning', async (t) => {
  const warnings: Error[] = [];
  const warned = (warning: Error): number => warnings.push(warning);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  using counter = new Counter();
  const { signal } = new AbortController();
  for (let round = 0; round < 100; round++) {
    const waits = Array.from({ length: 1000 }, () => counter.take({ signal }));
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    for (const _ of waits) counter.ring();
    await Promise.all(waits);
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  await nextTurn();
  assert.deepEqual(warnings, []);
});

test('one abort ends 1,000 waits, on several handles', async () => {
  const counters = Array.from({ length: 10 }, () => new Counter());
  const controller = new AbortController();
  const waits = counters.flatMap((counter) =>
    Array.from({ length: 100 }, () => counter.take({ signal: controller.signal })),
  );
  controller.abort();
  for (const ended of await Promise.allSettled(waits)) {
    assert.equal(ended.status === 'rejected' && ended.reason.code, 'ABORT_ERR');
  }
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  for (const counter of counters) counter.close();
});

test('an abort aimed at completion, 10,000 times: every ring is taken by a wait or still there', async () => {
  using counter = new Counter();
  const random = seeded(SEED);
  const turn = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./programs/ringer.js', import.meta.url), { workerData: { fd: counter.fd, turn } });
  let taken = 0;
  let aborted = 0;
  const rounds = 10_000;
  for (let round = 1; round <= rounds; round++) {
    const controller = new AbortController();
    const wait = counter.take({ signal: controller.signal });
    Atomics.store(turn, 0, round);
    Atomics.notify(turn, 0);
    if (random() < 0.5) await nextTurn();
    spinMicroseconds(random() * 30);
    controller.abort();
    const got = await wait.catch(() => false);
    if (got) taken++;
    else aborted++;
    Atomics.wait(turn, 0, round); // until the worker has rung
    assert.equal(counter.drain(), got ? 0 : 1, `SEED=${SEED}, round ${round}`);
  }
  await worker.terminate();
  assert.equal(taken + aborted, rounds);
  assert.ok(taken > 0 && aborted > 0, `SEED=${SEED}: ${taken} taken, ${aborted} aborted`);
});

test('close() ends pending waits, and a wait afterwards, with ERR_INTERPROC_CLOSED', async () => {
  const counter = new Counter();
  const waits = [counter.take(), counter.take({ timeoutMs: 1000 })];
  counter.close();
  counter.close();
  for (const wait of waits)
    await assert.rejects(wait, { code: 'ERR_INTERPROC_CLOSED', message: 'the counter is closed' });
  await assert.rejects(counter.take(), { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => counter.takeSync(), { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(counter.fd, -1);
});

test('after close() during a wait, 100 new descriptors with recycled numbers are never touched', async () => {
  const before = countDescriptors();
  const closed = new Counter();
  const { fd } = closed;
  const wait = closed.take();
  closed.ring(); // the event is on its way when the descriptor goes
  closed.close();
  const fresh = Array.from({ length: 100 }, () => new Counter());
  assert.ok(fresh.some((counter) => counter.fd === fd));
  for (const counter of fresh) counter.ring();
  await assert.rejects(wait, { code: 'ERR_INTERPROC_CLOSED' });
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(closed.attempts, 1);
  assert.equal((await Promise.all(fresh.map((counter) => counter.take()))).length, 100);
  for (const counter of fresh) counter.close();
  assert.equal(countDescriptors(), before);
});

test('a handle that is closed by what an attempt runs: the waits behind it do not try', async () => {
  using counter = new Counter();
  const controller = new AbortController();
  const first = whenPossible(
    counter,
    POLLIN,
    () => {
      const got = counter.tryTake();
      if (got === true) controller.abort();
      return got;
    },
    undefined,
    { syscall: 'read' },
  );
  const second = counter.take({ signal: controller.signal });
  counter.ring();
  counter.ring();
  assert.equal(await first, true);
  await assert.rejects(second, { code: 'ABORT_ERR' });
  assert.equal(counter.drain(), 1);
});

test('what an attempt throws rejects its wait only', async () => {
  using counter = new Counter();
  let fail = false;
  const failing = whenPossible(
    counter,
    POLLIN,
    () => {
      if (fail) throw new RangeError('no');
      return undefined;
    },
    undefined,
    { syscall: 'read' },
  );
  const wait = counter.take();
  fail = true;
  counter.ring();
  await assert.rejects(failing, RangeError);
  assert.equal(await wait, true);
});

test('a descriptor that epoll cannot watch rejects with its error', async () => {
  const fd = native().memfdCreate('waiting', 0);
  class File extends Counter {
    override get fd(): number {
      return fd;
    }
  }
  using file = new File();
  await assert.rejects(
    whenPossible(file, POLLIN, () => undefined, undefined, { syscall: 'read' }),
    { code: 'EPERM', syscall: 'epoll_ctl' },
  );
  assert.throws(() => onceReady(fd, POLLIN, () => {}), { code: 'EPERM', syscall: 'epoll_ctl' });
  assert.throws(() => watchEdges(fd, POLLIN, () => {}), { code: 'EPERM', syscall: 'epoll_ctl' });
  native().close(fd);
});

test('a watch tells each change once, and nothing after its end', async () => {
  using counter = new Counter();
  using marker = new Counter();
  let changes = 0;
  /** Comes back when all that happened before has been told. */
  const mark = async (): Promise<void> => {
    const marked = marker.take();
    marker.ring();
    await marked;
  };
  const watch = watchEdges(counter.fd, POLLIN, () => changes++);
  await mark();
  assert.equal(changes, 0);
  counter.ring();
  await mark();
  await mark();
  assert.equal(changes, 1, 'it is readable still, but has not changed');
  counter.ring();
  await mark();
  assert.equal(changes, 2);
  counter.ring();
  watch.close();
  watch.close();
  await mark();
  assert.equal(changes, 2);
});

test('a wait and a watch see the AsyncLocalStorage of the call that made them', async () => {
  const storage = new AsyncLocalStorage<string>();
  using counter = new Counter();
  using watched = new Counter();
  const seen: (string | undefined)[] = [];
  const waits = ['one', 'two'].map((name) =>
    storage.run(name, async () => {
      await counter.take();
      seen.push(storage.getStore());
    }),
  );
  const told = new Promise<string | undefined>((resolve) => {
    storage.run('watch', () => watchEdges(watched.fd, POLLIN, () => resolve(storage.getStore())));
  });
  counter.ring();
  counter.ring();
  watched.ring();
  await Promise.all(waits);
  assert.deepEqual(seen, ['one', 'two']);
  assert.equal(await told, 'watch');
});

test('5,000 descriptors at once are all told', async () => {
  const counters = Array.from({ length: 5000 }, () => new Counter());
  const waits = counters.map((counter) => counter.take());
  for (const counter of counters) counter.ring();
  assert.equal((await Promise.all(waits)).length, 5000);
  for (const counter of counters) counter.close();
});

test('a second copy of the module in the same thread waits as well', async () => {
  const again = (await import(`../../src/core/loop.js?${'again'}`)) as typeof import('../../src/core/loop.js');
  using first = new Counter();
  using second = new Counter();
  const wait = first.take();
  again.keepAlive();
  const told = new Promise((resolve) => {
    native().pollerAdd(second.fd, again.registerDescriptor(resolve), POLLIN | EPOLLONESHOT);
  });
  second.ring();
  assert.equal(await told, POLLIN);
  again.letGo();
  first.ring();
  assert.equal(await wait, true);
});
