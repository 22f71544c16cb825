import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { type Kind, type Use, useWhileCut } from '../support/cutting.js';
import { temporaryFolder } from '../support/folder.js';
import { start } from '../support/program.js';

const ROUNDS = 1000;
const KINDS: Kind[] = ['posix object', 'mapped file'];
const USES: Use[] = ['copying calls', 'raw views'];

function seedOf(t: TestContext): number {
  const seed = Number(process.env['CUT_SEED'] ?? randomInt(2 ** 31));
  t.diagnostic(`CUT_SEED=${seed}`);
  return seed;
}

for (const kind of KINDS) {
  for (const use of USES) {
    test(`a ${kind} is cut by another process 1,000 times in the middle of ${use}: the process lives and is told`, async (t) => {
      assert.equal(await useWhileCut(kind, use, ROUNDS, temporaryFolder(t), seedOf(t)), ROUNDS);
    });

    test(`a ${kind} is cut 1,000 times in the middle of ${use} of a worker: the process lives and it is told`, async (t) => {
      const workerData = { kind, use, rounds: ROUNDS, folder: temporaryFolder(t), seed: seedOf(t) };
      const worker = new Worker(new URL('../fixtures/mapping-cutting.js', import.meta.url), { workerData });
      const exited = once(worker, 'exit');
      assert.deepEqual(await once(worker, 'message'), [ROUNDS]);
      await exited;
    });
  }
}

test('memory for reading that is cut reads zeros once, and then every call says so', (t) => {
  const path = join(temporaryFolder(t), 'file');
  mmap.createFile(path, { size: 3 * 4096, prepare: (memory) => memory.bytes.fill(7) }).close();
  using memory = mmap.file(path);
  execFileSync('truncate', ['-s', '4096', path]);
  assert.ok(memory.read(0, 4096).every((byte) => byte === 7));
  const cut = { code: 'ERR_INTERPROC_TRUNCATED', message: /somebody has cut the file behind the mapping of 12288/ };
  const into = new Uint8Array(8192).fill(1);
  assert.throws(() => memory.read(4096, 8192, into), cut);
  assert.throws(() => memory.read(0, 1), cut);
  assert.throws(() => memory.resident(), cut);
  memory.close();
  assert.throws(() => memory.read(0, 1), { code: 'ERR_INTERPROC_CLOSED' });
});

test('what is copy-on-write is cut, too, and what was written to it stays', (t) => {
  const path = join(temporaryFolder(t), 'file');
  mmap.createFile(path, { size: 2 * 4096 }).close();
  using memory = mmap.file(path, { access: 'copy-on-write' });
  const { bytes } = memory;
  bytes[100] = 1;
  execFileSync('truncate', ['-s', '0', path]);
  assert.equal(bytes[5000], 0);
  assert.throws(() => memory.checkIntact(), { code: 'ERR_INTERPROC_TRUNCATED' });
});

test('memory in which nobody touches what is gone is intact', (t) => {
  const path = join(temporaryFolder(t), 'file');
  using memory = mmap.createFile(path, { size: 3 * 4096 });
  execFileSync('truncate', ['-s', '4096', path]);
  memory.bytes.subarray(0, 4096).fill(1);
  memory.checkIntact();
  execFileSync('truncate', ['-s', '12288', path]);
  assert.deepEqual([memory.bytes[0], memory.bytes[12_287]], [1, 0]);
});

test('anonymous and sealed memory cannot be cut', () => {
  using anonymous = mmap.anonymous(8192);
  using sealed = shm.memfd({ size: 8192 });
  for (const { fd } of [anonymous, sealed]) {
    assert.throws(() => ftruncateSync(fd, 0), { code: 'EPERM' });
    const path = `/proc/${process.pid}/fd/${fd}`;
    assert.throws(() => execFileSync('truncate', ['-s', '0', path], { stdio: 'pipe' }), /not permitted/);
  }
});

const FAULT = fileURLToPath(new URL('../fixtures/mapping-fault.js', import.meta.url));

for (const [how, what] of [
  ['elsewhere', 'a fault in memory that is not ours'],
  ['sent', 'SIGBUS that somebody sends'],
] as const) {
  test(`${what} ends the process as ever, though the guard is at work`, async (t) => {
    const program = start(t, process.execPath, [FAULT, how, join(temporaryFolder(t), 'file')]);
    assert.equal(await program.line(), 'guarded 0');
    assert.deepEqual(await program.ended, { code: null, signal: 'SIGBUS' });
  });

  test(`${what} goes to the handler that was there before`, async (t) => {
    const folder = temporaryFolder(t);
    const source = fileURLToPath(new URL('../../../test/fixtures/foreign-handler.c', import.meta.url));
    const library = join(folder, 'handler.so');
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source]);
    const env = { ...process.env, LD_PRELOAD: library };
    const program = start(t, process.execPath, [FAULT, how, join(folder, 'file')], { env });
    assert.equal(await program.line(), 'guarded 0');
    assert.equal(await program.line(), 'foreign handler');
    assert.deepEqual(await program.ended, { code: 7, signal: null });
  });
}

const FAULTS = fileURLToPath(new URL('../fixtures/mapping-faults.js', import.meta.url));

for (const [how, what] of [
  [
    'every other page',
    'a cut mapping is touched at every other of 140,000 pages, which the kernel would not let us replace one by one',
  ],
  ['many', 'a fault in the last of 70,000 mappings is caught'],
] as const) {
  test(what, async (t) => {
    const program = start(t, process.execPath, [FAULTS, how, join(temporaryFolder(t), 'file')]);
    assert.equal(await program.line(), '0 ERR_INTERPROC_TRUNCATED');
    assert.deepEqual(await program.ended, { code: 0, signal: null });
  });
}

test('who attaches to memory in which a fault was caught before is told, too', (t) => {
  const path = join(temporaryFolder(t), 'file');
  using memory = mmap.createFile(path, { size: 8192, prepare: ({ bytes }) => bytes.fill(7) });
  const handle = memory.handle();
  const { bytes } = memory;
  execFileSync('truncate', ['-s', '0', path]);
  assert.equal(bytes[100], 0);
  using attached = mmap.attach(handle);
  assert.throws(() => attached.read(0, 4), { code: 'ERR_INTERPROC_TRUNCATED' });
  assert.throws(() => attached.bytes, { code: 'ERR_INTERPROC_TRUNCATED' });
});
