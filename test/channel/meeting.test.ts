/** Rings that are found by a name: ends that do not come, and names that mean something else. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, closeSync, existsSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as channel from '../../src/channel/index.js';
import { SemaphoreLocks } from '../../src/channel/ring/locks.js';
import { IPC_CREAT, IPC_EXCL, native } from '../../src/sys/index.js';
import { sharedMemory } from '../../src/sysv/index.js';
import { commandElsewhere } from '../support/elsewhere.js';
import { randomName, temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer, skip } from '../support/skips.js';

const END = fileURLToPath(new URL('../fixtures/named-end.js', import.meta.url));
const THREADLESS = fileURLToPath(new URL('../fixtures/ring-threadless.js', import.meta.url));
const newKey = (): number => randomInt(0x1000_0000, 0x7fff_ffff);

/** How many threads wait at the semaphores of a set. */
function semaphoreWaiters(id: number): number {
  const rows = execFileSync('ipcs', ['-s', '-i', String(id)], { encoding: 'utf8' }).matchAll(
    /^\d+ +\d+ +(\d+) +(\d+)/gm,
  );
  return [...rows].reduce((sum, [, forMore, forZero]) => sum + Number(forMore) + Number(forZero), 0);
}

/** One message between an end that waits already and the other, which comes now. */
async function meets(waiting: Promise<channel.Receiver>, url: string): Promise<void> {
  const [sender, receiver] = await Promise.all([channel.sender(url, { timeoutMs: 10_000 }), waiting]);
  await sender.send(Buffer.from('here'));
  await sender.close();
  const got: string[] = [];
  for await (const message of receiver) got.push(Buffer.from(message).toString());
  await receiver.close();
  assert.deepEqual(got, ['here']);
}

function urlOf(t: TestContext, scheme: string): { url: string; isThere(): boolean; remove(): void } {
  if (scheme === 'mmap') {
    const path = join(temporaryFolder(t), 'ring');
    return { url: `mmap:${path}`, isThere: () => existsSync(path), remove: () => unlinkSync(path) };
  }
  const key = newKey();
  return {
    url: `sysvshm:${key}`,
    isThere: () => native().shmget(key, 0, 0) >= 0,
    remove: () => {
      sharedMemory.remove(key);
      native().semctlRemove(native().semget(key, 0, 0));
    },
  };
}

for (const scheme of ['mmap', 'sysvshm']) {
  test(`${scheme}: a receiver whose sender is killed before it says that it is there meets the next one`, async (t) => {
    const { url, isThere } = urlOf(t, scheme);
    const waiting = channel.receiver(url, { timeoutMs: 10_000 });
    await until('the ring is there', isThere);
    // While it lives this thread stands still: the receiver would meet it, should it look at the wrong moment.
    assert.equal(spawnSync(process.execPath, [END, 'sender', url]).signal, 'SIGKILL');
    await meets(waiting, url);
    assert.equal(isThere(), false);
  });

  test(`${scheme}: who waits for the other end when the name is removed meets it under the name that is made anew`, async (t) => {
    const { url, isThere, remove } = urlOf(t, scheme);
    const waiting = channel.receiver(url, { timeoutMs: 10_000 });
    await until('the ring is there', isThere);
    remove();
    await meets(waiting, url);
    assert.equal(isThere(), false);
  });
}

test('mmap: a relative path means the same when the process has gone to another folder', async (t) => {
  const path = join(temporaryFolder(t), 'ring');
  const before = process.cwd();
  const url = `mmap:${relative(before, path)}`;
  const [sender, receiver] = await Promise.all([channel.sender(url), channel.receiver(url)]);
  process.chdir('/');
  try {
    await sender.close();
    await receiver.close();
    assert.equal(existsSync(path), false);
  } finally {
    process.chdir(before);
  }
});

test('fd: memory whose descriptor is open for reading only is refused and stays as it is', async (t) => {
  const path = join(temporaryFolder(t), 'image');
  writeFileSync(path, Buffer.alloc(10_000), { mode: 0o600 });
  const fd = openSync(path, 'r');
  try {
    await assert.rejects(channel.receiver(`fd:${fd}`, { timeoutMs: 100 }), { code: 'EACCES' });
    assert.ok(readFileSync(path).every((byte) => byte === 0));
  } finally {
    closeSync(fd);
  }
});

test('sysvshm: a key whose segment is no ring is refused, and no set of semaphores stays behind', async () => {
  const key = newKey();
  const segment = sharedMemory.create(key, { size: 100 });
  try {
    await assert.rejects(channel.sender(`sysvshm:${key}`), { code: 'EBADMSG' });
    assert.equal(native().semget(key, 0, 0), -2, 'ENOENT');
  } finally {
    segment.remove();
  }
});

test('sysvshm: semaphores of another program are refused and stay', async () => {
  const key = newKey();
  const id = native().semget(key, 5, IPC_CREAT | IPC_EXCL | 0o600);
  try {
    await assert.rejects(channel.sender(`sysvshm:${key}`, { timeoutMs: 100 }), {
      code: 'EINVAL',
      message: /more than 3/,
    });
    assert.equal(native().semget(key, 0, 0), id);
  } finally {
    native().semctlRemove(id);
  }
});

test('sysvshm: a segment that another user has made and given to us is refused: its maker can still write to it', async (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const key = newKey();
  const giver = start(t, process.execPath, [END, 'give away', String(key)]);
  assert.deepEqual(await giver.ended, { code: 0, signal: null }, giver.errors());
  try {
    await assert.rejects(channel.sender(`sysvshm:${key}`), { code: 'EACCES', message: /belongs to user 65534/ });
  } finally {
    sharedMemory.remove(key);
  }
});

test('sysvshm: a worker that is ended after it has got a lock, and before it hears of it, has it no longer', async () => {
  const id = native().semget(newKey(), 3, IPC_CREAT | IPC_EXCL | 0o600);
  try {
    const locks = new SemaphoreLocks(id);
    for (let round = 0; round < 10; round++) {
      assert.ok(locks.tryTake(0) && locks.tryTake(2));
      const worker = new Worker(new URL('../fixtures/semaphore-worker.js', import.meta.url), { workerData: id });
      await once(worker, 'message');
      await until('both threads wait', () => semaphoreWaiters(id) === 2);
      locks.give(2);
      locks.give(0);
      await once(worker, 'message');
      await worker.terminate();
      assert.deepEqual([locks.isHeld(0), locks.isHeld(2)], [false, false]);
    }
  } finally {
    native().semctlRemove(id);
  }
});

test('a receiver for which no thread can be made hears of messages, and of the death of its sender', async (t) => {
  if (!peer(t, 'prlimit')) return;
  const name = `/${randomName('threadless')}`;
  const path = `/dev/shm${name}`;
  const url = `posixshm:${name}`;
  const sending = channel.sender(url, { timeoutMs: 20_000 });
  await until('the ring is there', () => existsSync(path));
  // Nobody may use it, and not remove it.
  chmodSync(path, 0o666);
  t.after(() => unlinkSync(path));
  // RLIMIT_NPROC does not bind root.
  const asNobody = (...words: string[]): [string, string[]] => {
    const own = commandElsewhere(t, words, { asNobody: process.getuid?.() === 0 }) as [string, ...string[]];
    return [own[0], own.slice(1)];
  };
  const program = start(t, ...asNobody(process.execPath, THREADLESS, url));
  assert.equal(await program.line(), 'ready');
  execFileSync(...asNobody('prlimit', '--pid', String(program.pid), '--nproc=0:'));
  program.say('go on');
  const sender = await sending;
  for (const word of ['one', 'two']) {
    await sender.send(Buffer.from(word));
    assert.equal(await program.line(), word);
  }
  sender.destroy();
  assert.equal(await program.line(), 'ECONNRESET');
});
