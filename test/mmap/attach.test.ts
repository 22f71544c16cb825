import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as mmap from '../../src/mmap/index.js';
import { until } from '../support/proc.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { newMemory } from '../shm/support.js';

const ATTACHED = new URL('../fixtures/mapping-attached.js', import.meta.url);

/** A worker that attaches and says so. */
async function attached(handle: mmap.MappingHandle, role: string): Promise<Worker> {
  const worker = new Worker(ATTACHED, { workerData: { handle, role } });
  await once(worker, 'message');
  return worker;
}

for (const shared of [true, false]) {
  const what = shared ? 'shared anonymous memory' : 'memory of this process only';
  test(`four workers and this thread count together in ${what}, and no count is lost`, async () => {
    using memory = mmap.anonymous(4096, { shared });
    const workers = await Promise.all(Array.from({ length: 4 }, () => attached(memory.handle(), 'count')));
    for (const worker of workers) worker.postMessage('go');
    for (let count = 0; count < 100_000; count++) Atomics.add(memory.int32, 0, 1);
    await Promise.all(workers.map((worker) => once(worker, 'exit')));
    assert.equal(Atomics.load(memory.int32, 0), 500_000);
  });
}

test('memory stays for a worker that has attached when the thread that mapped it closes it', async () => {
  const memory = mmap.anonymous(4096);
  memory.bytes[5] = 5;
  const worker = await attached(memory.handle(), 'look');
  const handle = memory.handle();
  memory.close();
  const exited = once(worker, 'exit');
  worker.postMessage('go');
  assert.deepEqual((await once(worker, 'message'))[0], [5, 4096, 'read-write']);
  await exited;
  assert.throws(() => mmap.attach(handle), {
    code: 'ERR_INTERPROC_CLOSED',
    message: /mapping of this handle is closed/,
  });
});

test('attaching to memory for reading gives no live view either', (t) => {
  const object = newMemory(t);
  using writable = object.map();
  writable.bytes[9] = 9;
  using first = mmap.file(`/dev/shm${object.name}`);
  using second = mmap.attach(structuredClone(first.handle()));
  assert.equal(second.access, 'read');
  assert.throws(() => second.bytes, { code: 'ERR_INTERPROC_READ_ONLY' });
  assert.equal(second.read(9, 1)[0], 9);
  const { id, byteLength } = first.handle();
  assert.throws(() => mmap.attach({ id, byteLength, access: 'read-write' }), { code: 'EACCES' });
  assert.throws(() => mmap.attach({ id, byteLength: byteLength + 4096, access: 'read' }), { code: 'EACCES' });
});

test('what is no handle is refused', () => {
  assert.throws(() => mmap.attach(undefined as never), {
    name: 'TypeError',
    message: /handle must be what mapping.handle/,
  });
  assert.throws(() => mmap.attach({ id: 1 } as never), { name: 'TypeError' });
  assert.throws(() => mmap.attach({ id: 1n, byteLength: 1, access: 'no' } as never), { message: /access must be/ });
  assert.throws(() => mmap.attach({ id: 1n, byteLength: 0, access: 'read' }), { name: 'RangeError' });
  assert.throws(() => mmap.attach({ id: 1n, byteLength: 1, access: 'read' }), { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => mmap.attach({ id: -1n, byteLength: 1, access: 'read' }), { code: 'ERR_INTERPROC_CLOSED' });
});

test('200 workers are ended while they use memory, whoever closes it first, and it is unmapped once', async (t) => {
  const object = newMemory(t, 65_536);
  const maps = (): number => readFileSync('/proc/self/maps', 'utf8').split(object.name).length - 1;
  for (let round = 0; round < 50; round++) {
    const memory = mmap.file(`/dev/shm${object.name}`, { access: 'read-write' });
    const workers = await Promise.all(Array.from({ length: 4 }, () => attached(memory.handle(), 'use')));
    if (round % 2 === 0) memory.close();
    await Promise.all(workers.map((worker) => worker.terminate()));
    memory.close();
    await until('it is unmapped', () => maps() === 0);
  }
});

test('100,000 rounds of attaching leave no memory', (t) => assertNothingLeaks(t, 'mmap.attach'));
