import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import * as futex from '../../src/futex/index.js';
import * as mmap from '../../src/mmap/index.js';
import { newMemory } from '../shm/support.js';
import { until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer, skip } from '../support/skips.js';

test('a wait ends when another thread changes the word and wakes it', async () => {
  using memory = mmap.anonymous(4096);
  const waited = futex.wait(memory, 8, 0);
  Atomics.store(memory.int32, 2, 1);
  // It may not be asleep yet: then it sees the change.
  futex.wake(memory, 8);
  assert.equal(typeof (await waited), 'boolean');
});

test('a word that holds something else is no reason to sleep, in every form', async () => {
  using memory = mmap.anonymous(4096);
  Atomics.store(memory.int32, 0, 5);
  assert.equal(await futex.wait(memory, 0, 4), false);
  assert.equal(futex.waitSync(memory, 0, 4), false);
  assert.equal(await futex.wait(memory, 0, 4, { timeoutMs: 0 }), false);
  assert.equal(futex.waitSync(memory, 0, 4, { timeoutMs: 0 }), false);
  Atomics.store(memory.int32, 0, -1);
  assert.equal(await futex.wait(memory, 0, 0), false);
  await assert.rejects(futex.wait(memory, 0, -1, { timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  await assert.rejects(futex.wait(memory, 0, 0xffff_ffff, { timeoutMs: 5 }), { code: 'ETIMEDOUT' });
});

test('a wait that is late or aborted ends so, and the mapping stays usable', async () => {
  using memory = mmap.anonymous(4096);
  await assert.rejects(futex.wait(memory, 0, 0, { timeoutMs: 20 }), { code: 'ETIMEDOUT', syscall: 'futex' });
  await assert.rejects(futex.wait(memory, 0, 0, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  assert.throws(() => futex.waitSync(memory, 0, 0, { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  const stop = new AbortController();
  const waited = futex.wait(memory, 0, 0, { signal: stop.signal });
  await nextTurn();
  stop.abort();
  await assert.rejects(waited, { name: 'AbortError', code: 'ABORT_ERR' });
  assert.equal(futex.wake(memory, 0, Infinity), 0, 'nobody sleeps any more');
});

test('closing the mapping ends its waits, and the memory stays until the thread has left it', async () => {
  const memory = mmap.anonymous(4096);
  const waits = [futex.wait(memory, 0, 0), futex.waitMany([{ mapping: memory, offset: 4, expected: 0 }])];
  const ended = waits.map((waited) => assert.rejects(waited, { code: 'ERR_INTERPROC_CLOSED' }));
  await nextTurn();
  memory.close();
  await Promise.all(ended);
  await assert.rejects(futex.wait(memory, 0, 0), { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => futex.wake(memory, 0), { code: 'ERR_INTERPROC_CLOSED' });
});

test('wake() tells how many it woke, and wakes no more than it was told', async () => {
  using memory = mmap.anonymous(4096);
  const woken: number[] = [];
  const waits = Array.from({ length: 5 }, async (_, index) => {
    assert.equal(await futex.wait(memory, 0, 0), true);
    woken.push(index);
  });
  let count = 0;
  const wakeUpTo = (most: number): boolean => {
    count += futex.wake(memory, 0, most - count);
    return count === most;
  };
  await until('two were woken', () => wakeUpTo(2));
  assert.equal(futex.wake(memory, 0, 0), 0);
  await until('the other three were', () => wakeUpTo(5));
  await Promise.all(waits);
  assert.deepEqual(woken.sort(), [0, 1, 2, 3, 4]);
  assert.equal(futex.wake(memory, 4, 1), 0, 'nobody sleeps on another word');
});

test('of several words the one that was woken, or has changed, is named', async () => {
  using first = mmap.anonymous(4096);
  using second = mmap.anonymous(4096, { shared: false });
  const words = [0, 4, 8].flatMap((offset) => [
    { mapping: first, offset, expected: 0 },
    { mapping: second, offset, expected: 0 },
  ]);
  const waited = futex.waitMany(words);
  await until('it was woken', () => futex.wake(first, 8) === 1);
  assert.equal(await waited, 4);
  Atomics.store(second.int32, 1, 9);
  assert.equal(await futex.waitMany(words), 3);
  assert.equal(futex.waitManySync(words), 3);
  assert.equal(await futex.waitMany(words, { timeoutMs: 0 }), 3);
  Atomics.store(second.int32, 1, 0);
  await assert.rejects(futex.waitMany(words, { timeoutMs: 20 }), { code: 'ETIMEDOUT', syscall: 'futex_waitv' });
  await assert.rejects(futex.waitMany(words, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  assert.throws(() => futex.waitManySync(words, { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
});

test('128 words can be waited for, and none more', async () => {
  using memory = mmap.anonymous(4096);
  const words = Array.from({ length: 128 }, (_, index) => ({ mapping: memory, offset: index * 4, expected: 0 }));
  const waited = futex.waitMany(words);
  await until('it was woken', () => futex.wake(memory, 127 * 4) === 1);
  assert.equal(await waited, 127);
  await assert.rejects(futex.waitMany([...words, words[0] as futex.Expectation]), {
    name: 'RangeError',
    message: /128/,
  });
  await assert.rejects(futex.waitMany([]), { name: 'TypeError', message: /at least one word/ });
});

test('words and options that cannot be meant are refused', async () => {
  using memory = mmap.anonymous(4096);
  for (const offset of [-4, 1, 2, 4093, 4096, 1.5]) {
    await assert.rejects(futex.wait(memory, offset, 0), { name: 'RangeError', message: /offset/ });
    assert.throws(() => futex.wake(memory, offset), { name: 'RangeError', message: /offset/ });
  }
  for (const expected of [2 ** 32, -(2 ** 31) - 1, 0.5]) {
    await assert.rejects(futex.wait(memory, 0, expected), { name: 'RangeError', message: /expected/ });
  }
  await assert.rejects(futex.wait(memory.bytes as never, 0, 0), {
    name: 'TypeError',
    message: /mapping must be a Mapping/,
  });
  await assert.rejects(futex.wait(memory, 0, 0, { timeout: 1 } as never), { message: /unknown option 'timeout'/ });
  for (const count of [-1, 1.5, 2 ** 31]) assert.throws(() => futex.wake(memory, 0, count), { name: 'RangeError' });
});

test('a word of memory for reading can be waited on', async (t) => {
  const object = newMemory(t);
  using writable = object.map();
  using reading = mmap.file(`/dev/shm${object.name}`);
  const waited = futex.wait(reading, 16, 0);
  await until('it was woken', () => futex.wake(writable, 16) === 1);
  assert.equal(await waited, true);
});

test('no wake is lost to waits that are aborted at the same moment, 3,000 rounds', async () => {
  using memory = mmap.anonymous(4096);
  let aborted = 0;
  for (let round = 0; round < 3000; round++) {
    const stop = new AbortController();
    const first = futex.wait(memory, 0, 0, { signal: stop.signal }).catch((why: Error) => why.name);
    if (round % 3 > 0) await nextTurn();
    let woken = 0;
    if (round % 2 === 0) stop.abort();
    woken += futex.wake(memory, 0, 1);
    stop.abort();
    const outcome = await first;
    // Who was woken says so, and who was not woken was aborted: nothing in between.
    if (woken === 1) assert.equal(outcome, true, `round ${round}`);
    else assert.equal(outcome, 'AbortError', `round ${round}`);
    if (outcome === 'AbortError') aborted++;
  }
  assert.ok(aborted > 100 && aborted < 3000, `${aborted} were aborted`);
});

test('two threads pass a word to and fro, 10,000 times', async () => {
  using memory = mmap.anonymous(4096);
  const code = `
    import { workerData } from 'node:worker_threads';
    import * as futex from ${JSON.stringify(new URL('../../src/futex/index.js', import.meta.url).href)};
    import * as mmap from ${JSON.stringify(new URL('../../src/mmap/index.js', import.meta.url).href)};
    const memory = mmap.attach(workerData);
    for (let turn = 0; turn < 10_000; turn++) {
      while (Atomics.load(memory.int32, 0) !== 1) futex.waitSync(memory, 0, 0);
      Atomics.store(memory.int32, 0, 0);
      futex.wake(memory, 0);
    }`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const worker = new Worker(url, { workerData: memory.handle() });
  const exited = once(worker, 'exit');
  for (let turn = 0; turn < 10_000; turn++) {
    Atomics.store(memory.int32, 0, 1);
    futex.wake(memory, 0);
    while (Atomics.load(memory.int32, 0) !== 0) await futex.wait(memory, 0, 1);
  }
  assert.deepEqual(await exited, [0]);
});

test('a program in another language wakes us and is woken, by the bare system call', async (t) => {
  if (!peer(t, 'python3')) return;
  if (process.arch !== 'x64') return skip(t, 'x64');
  using memory = mmap.anonymous(4096);
  const code = `
import ctypes, mmap
memory = mmap.mmap(3, 4096)
word = ctypes.c_uint32.from_buffer(memory)
other = ctypes.c_uint32.from_buffer(memory, 4)
libc = ctypes.CDLL(None, use_errno=True)
print('ready', flush=True)
while word.value == 0:
    libc.syscall(202, ctypes.byref(word), 0, 0, None, None, 0)
other.value = 7
print(libc.syscall(202, ctypes.byref(other), 1, 1, None, None, 0) >= 0, flush=True)`;
  const python = start(t, 'python3', ['-c', code], { stdio: ['pipe', 'pipe', 'pipe', memory.fd] });
  assert.equal(await python.line(), 'ready');
  const waited = (async () => {
    while (Atomics.load(memory.int32, 1) === 0) await futex.wait(memory, 4, 0);
  })();
  Atomics.store(memory.int32, 0, 1);
  futex.wake(memory, 0);
  await waited;
  assert.equal(Atomics.load(memory.int32, 1), 7);
  assert.equal(await python.line(), 'True');
  await python.ended;
});
