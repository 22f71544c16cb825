/** Layouts between processes: of Node.js and of C. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { countUp, Shared, SharedObject } from '../fixtures/layout-shared.js';
import { memoryName } from '../shm/support.js';
import { temporaryFolder } from '../support/folder.js';
import { start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';

const ROUNDS = 200_000;
const ROUNDS_OF_BIG = BigInt(ROUNDS);

test('two processes read what the other has written, and atomic fields that both change add up exactly', async (t) => {
  const name = memoryName(t);
  using object = shm.create(name, { size: SharedObject.byteLength, prepare: (fresh) => SharedObject.format(fresh) });
  using mapping = object.map();
  const shared = SharedObject.open(mapping);
  shared.question = 'is it so';
  shared.at = { x: 1.5, y: -2 };
  shared.tail.set([1, 2, 3, 4]);
  const other = startFixture(t, 'layout-shared', ['count', name, String(ROUNDS), '5']);
  shared.started.add(1);
  while (shared.started.load() < 2 && other.process.exitCode === null) await new Promise(setImmediate);
  countUp(shared, ROUNDS, 6);
  assert.deepEqual(await other.ended, { code: 0, signal: null }, other.errors());
  assert.deepEqual(Shared.toObject(shared), {
    started: 2,
    answered: 1,
    i32: 2 * ROUNDS,
    u64: 2n * ROUNDS_OF_BIG * 0x1_0000_0001n,
    u8: (2 * ROUNDS) % 256,
    bits: 0,
    won: -2n * ROUNDS_OF_BIG,
    question: 'is it so',
    answer: 'is it so!',
    at: { x: -2, y: 1.5 },
    tail: [4, 3, 2, 1],
    slots: [0, 2 * ROUNDS, 0],
  });
});

test('a worker that attaches to a mapping counts together with this thread', async () => {
  using mapping = mmap.anonymous(SharedObject.byteLength);
  SharedObject.format(mapping);
  const shared = SharedObject.open(mapping);
  shared.question = 'from the other thread';
  const file = new URL('../fixtures/layout-worker.js', import.meta.url);
  const worker = new Worker(file, { workerData: { handle: mapping.handle(), rounds: ROUNDS, bit: 3 } });
  const answer = once(worker, 'message');
  const ended = once(worker, 'exit'); // it may be over before this thread has counted
  while (shared.started.load() < 1) await new Promise(setImmediate);
  shared.started.add(1);
  countUp(shared, ROUNDS, 4);
  assert.deepEqual(await answer, ['from the other thread']);
  await ended;
  const { i32, u64, bits } = Shared.toObject(shared);
  assert.deepEqual([i32, u64, bits], [2 * ROUNDS, 2n * ROUNDS_OF_BIG * 0x1_0000_0001n, 0]);
});

test('atomic fields count together with a C program that has the header', async (t) => {
  if (!peer(t, 'gcc')) return;
  const folder = temporaryFolder(t);
  const name = memoryName(t);
  using object = shm.create(name, { size: SharedObject.byteLength, prepare: (fresh) => SharedObject.format(fresh) });
  using mapping = object.map();
  const shared = SharedObject.open(mapping);
  writeFileSync(
    join(folder, 'count.c'),
    `${SharedObject.toC('Object')}
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int fd = open(argv[1], O_RDWR);
  struct Object *object = mmap(NULL, sizeof *object, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (object == MAP_FAILED || object->header.magic != Object_MAGIC || object->header.version != Object_VERSION) return 3;
  struct Shared *shared = &object->body;
  atomic_fetch_add(&shared->started, 1);
  while (atomic_load(&shared->started) < 2) {}
  for (int round = 0; round < atoi(argv[2]); round++) {
    atomic_fetch_add(&shared->i32, 3);
    atomic_fetch_sub(&shared->i32, 2);
    atomic_fetch_add(&shared->u64, UINT64_C(0x100000001));
    atomic_fetch_add(&shared->u8, 1);
    atomic_fetch_add(&shared->slots[1], 1);
    atomic_fetch_xor(&shared->bits, 1u << 5);
    int64_t before = atomic_load(&shared->won);
    while (!atomic_compare_exchange_weak(&shared->won, &before, before - 1)) {}
  }
  return 0;
}
`,
  );
  execFileSync('gcc', ['-std=c11', '-O1', '-Wall', '-Wextra', '-Werror', 'count.c', '-o', 'count'], { cwd: folder });
  const c = start(t, join(folder, 'count'), [`/dev/shm${name}`, String(ROUNDS)]);
  shared.started.add(1);
  while (shared.started.load() < 2 && c.process.exitCode === null) await new Promise(setImmediate);
  countUp(shared, ROUNDS, 6);
  assert.deepEqual(await c.ended, { code: 0, signal: null }, c.errors());
  const { i32, u64, u8, bits, won, slots } = Shared.toObject(shared);
  assert.deepEqual(
    [i32, u64, u8, bits, won, slots],
    [2 * ROUNDS, 2n * ROUNDS_OF_BIG * 0x1_0000_0001n, (2 * ROUNDS) % 256, 0, -2n * ROUNDS_OF_BIG, [0, 2 * ROUNDS, 0]],
  );
});
