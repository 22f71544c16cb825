/** Programs in other languages that share a POSIX semaphore with us. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as mmap from '../../src/mmap/index.js';
import * as sem from '../../src/sem/index.js';
import { temporaryFolder } from '../support/folder.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { compiled } from './peer.js';
import { freeName, newNamed, pathOf } from './support.js';

const ENVIRONMENT = { env: { LC_ALL: 'C' } };

test('C opens a semaphore that we made, and takes turns with us', async (t) => {
  if (!peer(t, 'cc')) return;
  const semaphore = newNamed(t, 1);
  const rounds = 20_000;
  const program = compiled(t);
  const others = [1, 2].map(() => start(t, program, ['turns', semaphore.name, String(rounds)], ENVIRONMENT));
  for (let round = 0; round < rounds / 10; round++) {
    using _mine = round % 2 === 0 ? await semaphore.acquire() : semaphore.acquireSync();
    assert.equal(semaphore.tryAcquire(), undefined, 'we are alone in it');
  }
  for (const other of others) assert.deepEqual(await other.ended, { code: 0, signal: null }, other.errors());
  assert.equal(semaphore.value, 1);
});

test('we open a semaphore that C made, whose bytes are those of ours, and C is woken by us', async (t) => {
  if (!peer(t, 'cc')) return;
  const name = freeName(t);
  const other = start(t, compiled(t), ['make', name, '5'], ENVIRONMENT);
  assert.equal(await other.line(), 'made');
  assert.equal(await other.line(), '4');
  await other.ended;
  using theirs = sem.open(name);
  assert.deepEqual([theirs.created, theirs.value], [false, 4]);
  const ours = newNamed(t, 4);
  assert.deepEqual(readFileSync(pathOf(ours.name)), readFileSync(pathOf(name)));
  assert.throws(() => sem.create(name), { code: 'EEXIST' });

  const empty = freeName(t);
  const waiting = start(t, compiled(t), ['make', empty, '0'], ENVIRONMENT);
  assert.equal(await waiting.line(), 'made');
  using semaphore = sem.open(empty);
  semaphore.release();
  assert.equal(await waiting.line(), '0');
});

test('an unnamed one in a mapped file is C’s sem_init, both ways', async (t) => {
  if (!peer(t, 'cc')) return;
  const path = join(temporaryFolder(t), 'memory');
  using memory = mmap.createFile(path, { size: 4096 });
  const other = start(t, compiled(t), ['placed', path, '256', '2'], ENVIRONMENT);
  assert.equal(await other.line(), 'made');
  using semaphore = sem.open(memory, 256);
  semaphore.release();
  assert.equal(await other.line(), '0');
  semaphore.release(3);
  assert.equal(semaphore.value, 3);
  using ours = sem.create(memory, 512, { value: 3 });
  assert.deepEqual(memory.read(512, sem.byteLength), memory.read(256, sem.byteLength));
  assert.equal(ours.value, 3);
});

test('Python’s multiprocessing opens ours, and what it takes and gives we see', async (t) => {
  if (!peer(t, 'python3')) return;
  const semaphore = newNamed(t, 2);
  const code = `
import sys, _multiprocessing
semaphore = _multiprocessing.SemLock._rebuild(0, 1, 2**31 - 1, sys.argv[1])
print(semaphore._get_value(), semaphore.acquire(False), semaphore.acquire(False), semaphore.acquire(False), flush=True)
sys.stdin.readline()
semaphore.acquire()
print('has it', flush=True)
semaphore.release()
semaphore.release()
`;
  const python = start(t, 'python3', ['-c', code, semaphore.name]);
  assert.equal(await python.line(), '2 True True False');
  assert.equal(semaphore.value, 0);
  const wait = semaphore.acquire();
  python.say('');
  semaphore.release(2);
  await wait;
  assert.equal(await python.line(), 'has it');
  assert.equal((await python.ended).code, 0, python.errors());
  assert.equal(semaphore.value, 2);
});

test('Python’s ctypes makes one with sem_open, as posix_ipc does, and we take from it and remove it', async (t) => {
  if (!peer(t, 'python3')) return;
  const name = freeName(t);
  const code = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.sem_open.restype = ctypes.c_void_p
semaphore = ctypes.c_void_p(libc.sem_open(sys.argv[1].encode(), os.O_CREAT | os.O_EXCL, 0o600, 2))
assert semaphore.value, os.strerror(ctypes.get_errno())
print('made', flush=True)
sys.stdin.readline()
value = ctypes.c_int()
libc.sem_getvalue(semaphore, ctypes.byref(value))
print(value.value, libc.sem_trywait(semaphore), libc.sem_unlink(sys.argv[1].encode()), flush=True)
`;
  const python = start(t, 'python3', ['-c', code, name]);
  assert.equal(await python.line(), 'made');
  using semaphore = sem.open(name);
  const permit = semaphore.acquireSync();
  semaphore.acquireSync();
  permit.release();
  python.say('');
  assert.equal(await python.line(), '1 0 0');
  assert.equal(semaphore.value, 0);
  assert.throws(() => sem.open(name), { code: 'ENOENT' });
});
