/** The mutex and its owner's death, in every way, among processes of ours, C and Python, and workers. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as lock from '../../src/lock/index.js';
import { SEED, seeded } from '../core/support.js';
import { temporaryFolder } from '../support/folder.js';
import { FUTEX, isAlive, stateOf, syscallOf, threadsOf, until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
import { type Peer, type PeerKind, peerOf, possible, shared, workerOf } from './peer.js';

const WAITERS = 0x8000_0000 | 0;
const TID = 0x3fff_ffff;
const SOON = { timeoutMs: 10_000 };

/** Dies in a way of its own. */
type Death = (peer: Peer) => Promise<unknown>;

const exits: Death = async (peer) => {
  peer.say('exit 0');
  await peer.ended;
};
const executes: Death = async (peer) => {
  peer.say('exec 0');
  await until('it is another program', () => threadsOf(peer.pid).length === 1 && nameOf(peer.pid) === 'sleep');
};
const throws: Death = async (peer) => {
  await peer.tell('throw 0');
  await peer.ended;
};

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

const deaths: [string, PeerKind, Death][] = [
  ['a process of ours that is killed', 'interproc', (peer) => killed(peer)],
  ['a process of ours that calls process.exit()', 'interproc', exits],
  ['a process of ours that an error ends', 'interproc', throws],
  ['a C program that is killed', 'c', (peer) => killed(peer)],
  ['a C program that exits', 'c', exits],
  ['a C program that becomes another one', 'c', executes],
  ['a Python program that is killed', 'python', (peer) => killed(peer)],
];

for (const [what, kind, dies] of deaths) {
  test(`${what}, having the mutex, is told of to the next one, and to him only`, async (t) => {
    if (!possible(t, kind)) return;
    const { memory, path } = shared(t);
    using mutex = lock.Mutex.create(memory, 0);
    const peer = peerOf(t, kind, path);
    assert.equal(await peer.tell('lock 0'), 'ok');
    const waiting = mutex.lock(SOON);
    await until('it sleeps', () => ((memory.int32[0] as number) & WAITERS) !== 0);
    await dies(peer);
    const guard = await waiting;
    assert.equal(guard.ownerDied, true);
    const who = { pid: kind === 'interproc' ? peer.pid : undefined, tid: peer.pid };
    assert.deepEqual(guard.previousOwner, who);
    assert.deepEqual(guard.previousOwners, [who]);
    guard.markConsistent();
    assert.equal(guard.ownerDied, false);
    assert.throws(() => guard.markConsistent(), { code: 'EINVAL', syscall: 'pthread_mutex_consistent' });
    guard.release();
    using after = mutex.lockSync();
    assert.equal(after.ownerDied, false);
  });
}

test('whose repairer dies as well is told of as the dead one, until somebody repairs it', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  for (const round of [1, 2]) {
    const peer = peerOf(t, 'interproc', path);
    assert.match(await peer.tell('lock 0'), round === 1 ? /^ok$/ : /^EOWNERDEAD/);
    await killed(peer);
    if (round === 1) continue;
    using guard = mutex.lockSync();
    assert.equal(guard.previousOwner?.pid, peer.pid);
  }
  assert.throws(() => mutex.lockSync(), { code: 'ENOTRECOVERABLE' });
});

for (const kind of ['interproc', 'c'] as const) {
  test(`a mutex that nobody repaired is ENOTRECOVERABLE for all, also for those asleep (${kind})`, async (t) => {
    if (!possible(t, 'c')) return;
    const { memory, path } = shared(t);
    using mutex = lock.Mutex.create(memory, 0);
    const owner = peerOf(t, kind, path);
    assert.equal(await owner.tell('lock 0'), 'ok');
    const dead = peerOf(t, kind, path);
    const others = (['interproc', 'c', 'c'] as const).map((other) => peerOf(t, other, path));
    await killed(owner);
    assert.match(await dead.tell('lock 0'), /^EOWNERDEAD/);
    const answers = others.map((other) => other.tell('lock 0'));
    const expected = { code: 'ENOTRECOVERABLE', syscall: 'pthread_mutex_lock' };
    const ours = [mutex.lock(SOON), mutex.lock(SOON)].map((wait) => assert.rejects(wait, expected));
    await Promise.all(others.map((other) => until('it sleeps', () => asleep(other.pid))));
    assert.equal(await dead.tell('unlock 0'), 'ok');
    await Promise.all(ours);
    assert.deepEqual(await Promise.all(answers), ['ENOTRECOVERABLE', 'ENOTRECOVERABLE', 'ENOTRECOVERABLE']);
    assert.throws(() => mutex.tryLock(), { code: 'ENOTRECOVERABLE' });
    assert.throws(() => mutex.lockSync(), { code: 'ENOTRECOVERABLE' });
    assert.equal(await others[0]?.tell('try 0'), 'ENOTRECOVERABLE');
    mutex.destroy();
    using again = lock.Mutex.create(memory, 0);
    again.lockSync().release();
  });
}

function asleep(pid: number): boolean {
  return threadsOf(pid).some((thread) => syscallOf(pid, thread) === FUTEX) && stateOf(pid) === 'S';
}

test('who takes a broken mutex and is killed before he has freed it leaves it broken', async (t) => {
  const { memory } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  memory.int32[2] = 0x7fff_fffe;
  memory.int32[0] = 0x4000_0000;
  assert.throws(() => mutex.lockSync(), { code: 'ENOTRECOVERABLE' });
  assert.equal(memory.int32[0], 0);
  assert.throws(() => mutex.lockSync(), { code: 'ENOTRECOVERABLE' });
});

test('an owner that is stopped is not dead, and has it when he goes on', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const peer = peerOf(t, 'interproc', path);
  assert.equal(await peer.tell('lock 0'), 'ok');
  peer.process.kill('SIGSTOP');
  await until('it is stopped', () => stateOf(peer.pid) === 'T');
  await assert.rejects(mutex.lock({ timeoutMs: 600 }), { code: 'ETIMEDOUT' });
  assert.throws(() => mutex.lockSync({ timeoutMs: 50 }), { code: 'ETIMEDOUT' });
  peer.process.kill('SIGCONT');
  assert.equal(await peer.tell('unlock 0'), 'ok');
  using guard = await mutex.lock(SOON);
  assert.equal(guard.ownerDied, false);
});

test('an owner that is a zombie is dead', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const fixture = fileURLToPath(new URL('../fixtures/lock-mutex.js', import.meta.url));
  // A shell that never waits for its child.
  const script = '"$0" "$1" "$2" <&3 & echo $!; exec sleep 1000';
  const parent = start(t, 'sh', ['-c', `exec 3<&0; ${script}`, process.execPath, fixture, path]);
  const pid = Number(await parent.line());
  t.after(() => isAlive(pid) && process.kill(pid, 'SIGKILL'));
  parent.say('lock 0');
  assert.equal(await parent.line(), 'ok');
  process.kill(pid, 'SIGKILL');
  await until('it is a zombie', () => stateOf(pid) === 'Z');
  using guard = await mutex.lock(SOON);
  assert.deepEqual(guard.previousOwner, { pid, tid: pid });
});

test('a dead owner’s number that another process has by now is not mistaken for him', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const peer = peerOf(t, 'interproc', path);
  assert.equal(await peer.tell('lock 0'), 'ok');
  await killed(peer);
  // The death is in the word itself, where no number is left: this very process may have it.
  assert.equal(memory.int32[0], 0x4000_0000);
  memory.int32[2] = process.pid;
  memory.int32[12] = process.pid;
  memory.int32[13] = process.pid;
  using guard = mutex.lockSync();
  assert.equal(guard.ownerDied, true);
  guard.markConsistent();
});

test('a worker that is terminated, having the mutex, is told of, and its process lives on', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const one = await workerOf(t, path);
  assert.equal(await one.tell('lock 0'), 'ok');
  const tid = mutex.owner;
  const waiting = mutex.lock(SOON);
  await one.worker.terminate();
  const guard = await waiting;
  assert.deepEqual(guard.previousOwner, { pid: process.pid, tid });
  guard.markConsistent();
  guard.release();
});

test('a worker that is terminated at any moment, 20 times, loses no lock and breaks none', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const random = seeded(SEED);
  let died = 0;
  for (let round = 0; round < 20; round++) {
    const one = await workerOf(t, path);
    one.worker.postMessage('count 0 100000000');
    await until('it counts', () => memory.int32.at(-1) !== 0);
    if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, random() * 3));
    await one.worker.terminate();
    using guard = await mutex.lock(SOON);
    memory.int32[memory.int32.length - 1] = 0;
    if (!guard.ownerDied) continue;
    died++;
    guard.markConsistent();
  }
  assert.ok(died > 0, `SEED=${SEED}: ${died} of 20 had it`);
});

test('a process is killed while its worker has the mutex, and while it counts, 6 times and until one had it', async (t) => {
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  let died = 0;
  for (let round = 0; round < 6 || (died === 0 && round < 30); round++) {
    const peer = peerOf(t, 'interproc', path);
    peer.say(round % 2 === 0 ? 'worker 0' : 'count 0 1000000000');
    await until('it has it', () => memory.int32.at(-1) !== 0);
    await killed(peer);
    using guard = await mutex.lock(SOON);
    memory.int32[memory.int32.length - 1] = 0;
    if (!guard.ownerDied) continue;
    died++;
    if (guard.previousOwner?.tid !== undefined) assert.equal(guard.previousOwner.pid, peer.pid);
    guard.markConsistent();
  }
  assert.ok(died > 0);
});

test('processes of ours, C and Python count together, and none is lost', async (t) => {
  if (!possible(t, 'c') || !possible(t, 'python')) return;
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  const kinds = ['interproc', 'c', 'python', 'interproc', 'c'] as const;
  const peers = kinds.map((kind) => peerOf(t, kind, path));
  const guard = mutex.lockSync();
  const answers = peers.map((peer) => peer.tell('count 0 3000'));
  await Promise.all(peers.map((peer) => until('it sleeps', () => asleep(peer.pid))));
  guard.release();
  assert.deepEqual(
    await Promise.all(answers),
    kinds.map(() => 'ok'),
  );
  assert.equal(memory.int32.at(-1), kinds.length * 3000);
});

test('who was woken and is killed before he takes it hands the wake on, also to C', async (t) => {
  if (!possible(t, 'c')) return;
  const { memory, path } = shared(t);
  using mutex = lock.Mutex.create(memory, 0);
  let tried = 0;
  for (let rounds = 0; rounds < 5; ) {
    assert.ok(tried++ < 50, `of ${tried} rounds ours came first in ${rounds}`);
    const ours = peerOf(t, 'interproc', path);
    assert.equal(await ours.tell('try 64'), 'ENOENT'); // it runs
    const guard = mutex.lockSync();
    ours.say('lockBusy 0');
    await until('it sleeps', () => ((memory.int32[0] as number) & WAITERS) !== 0);
    const other = peerOf(t, 'c', path);
    const answer = other.tell('lock 0');
    await until('so does the other', () => syscallOf(other.pid) === FUTEX);
    // Its thread is woken, and its JavaScript, which is busy, does not take it.
    guard.release();
    const woken = await until('one was woken', () => {
      const word = memory.int32[0] as number;
      return word === 0 ? ours : (word & TID) === other.pid && other;
    });
    // The other one, if it fell asleep first.
    if (woken === ours) rounds++;
    await killed(ours);
    assert.equal(await answer, 'ok', `round ${rounds}`);
    await killed(other);
    using after = mutex.lockSync();
    after.markConsistent();
  }
});

test('every lock that one who is killed had is reported, and no other, in whatever order they were taken', async (t) => {
  if (!possible(t, 'c')) return;
  const { memory, path } = shared(t);
  const mutexes = Array.from({ length: 12 }, (_, index) => lock.Mutex.create(memory, index * 64));
  const random = seeded(SEED);
  for (let round = 0; round < 10; round++) {
    const peer = peerOf(t, 'interproc', path);
    const held = new Set<number>();
    for (let step = 0; step < 60; step++) {
      const index = Math.floor(random() * mutexes.length);
      if (held.delete(index)) peer.say(`unlock ${index * 64}`);
      else {
        held.add(index);
        peer.say(`${random() < 0.5 ? 'lockSync' : 'try'} ${index * 64}`);
      }
      assert.equal(await peer.line(), 'ok');
    }
    await killed(peer);
    for (const [index, mutex] of mutexes.entries()) {
      using guard = mutex.lockSync(SOON);
      assert.equal(guard.ownerDied, held.has(index), `SEED=${SEED}, round ${round}, mutex ${index}`);
      if (guard.ownerDied) guard.markConsistent();
    }
  }
  for (const mutex of mutexes) mutex.close();
});

test('robust mutexes of another addon on the same thread do not disturb ours, in whatever order all are taken', async (t) => {
  if (!possible(t, 'c')) return;
  const addon = join(temporaryFolder(t), 'foreign.node');
  const source = fileURLToPath(new URL('../../../test/fixtures/lock-foreign.c', import.meta.url));
  const { include_dir } = createRequire(import.meta.url)('node-api-headers') as { include_dir: string };
  execFileSync('cc', ['-O2', '-Wall', '-shared', '-fPIC', `-I${include_dir}`, '-o', addon, source]);
  const { memory, path } = shared(t);
  const mutexes = Array.from({ length: 8 }, (_, index) => lock.Mutex.create(memory, index * 64));
  for (let round = 0; round < 8; round++) {
    const program = startFixture(t, 'lock-foreign', [path, addon, String(SEED + round)]);
    const held = new Set(JSON.parse(await program.line()) as number[]);
    await program.ended;
    for (const [index, mutex] of mutexes.entries()) {
      using guard = mutex.lockSync(SOON);
      assert.equal(guard.ownerDied, held.has(index), `SEED=${SEED + round}, mutex ${index} of ${[...held]}`);
      if (guard.ownerDied) guard.markConsistent();
    }
  }
  for (const mutex of mutexes) mutex.close();
});

test('of more than 2,048 locks that one has the kernel looks at the latest 2,048 only', async (t) => {
  const count = 2100;
  const { memory, path } = shared(t, count * 64);
  for (let index = 0; index < count; index++) lock.Mutex.create(memory, index * 64).close();
  const peer = peerOf(t, 'interproc', path);
  assert.equal(await peer.tell(`lockAll 0 ${count}`), 'ok');
  await killed(peer);
  let told = 0;
  for (let index = 0; index < count; index++) {
    const word = memory.int32[index * 16] as number;
    if (word === 0x4000_0000) told++;
    else assert.deepEqual([word, index < count - 2048], [peer.pid, true]);
  }
  assert.equal(told, 2048);
});

/** As tst-robust8 of glibc: 9 processes on 100 mutexes at random, killed with -9. */
async function storm(t: TestContext, rounds: number): Promise<void> {
  const count = 100;
  const { memory, path } = shared(t, count * 64 + 4096);
  const mutexes = Array.from({ length: count }, (_, index) => lock.Mutex.create(memory, index * 64));
  const turns = memory.int32.length - 16;
  let deaths = 0;
  for (let round = 0; round < rounds; round++) {
    memory.int32.fill(0, turns);
    const peers = Array.from({ length: 9 }, (_, index) =>
      peerOf(t, 'interproc', path, 'storm', String(count), String(turns + index), String(SEED + 9 * round + index)),
    );
    for (const [index, peer] of peers.entries()) {
      await until('it had its turns', () => (memory.int32[turns + index] as number) > 300);
      await killed(peer);
      assert.equal(peer.errors(), '', `SEED=${SEED}`);
    }
    for (const mutex of mutexes) {
      using guard = await mutex.lock(SOON);
      if (!guard.ownerDied) continue;
      deaths++;
      guard.markConsistent();
    }
  }
  for (const mutex of mutexes) mutex.destroy();
  assert.ok(deaths > 0, `SEED=${SEED}`);
  t.diagnostic(`${9 * rounds} killed, ${deaths} mutexes inherited from the dead`);
}

test('9 processes on 100 mutexes are killed, 5 times: every mutex can be had and destroyed afterwards', (t) =>
  storm(t, 5));
