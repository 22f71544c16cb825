/** Leases: taking, being told, giving up. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as filelock from '../../src/filelock/index.js';
import { disposition } from '../../src/signal/index.js';
import { executeAnother } from '../support/deaths.js';
import { countDescriptors } from '../support/descriptors.js';
import { attempt } from '../support/elsewhere.js';
import { killed, start } from '../support/program.js';
import { peer, skip } from '../support/skips.js';
import { held, holder, newFile } from './support.js';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { until } from '../support/proc.js';

const { lease } = filelock;

test('a write lease is for who has the file alone, a read lease while nobody writes; else undefined', (t) => {
  const path = newFile(t);
  lease(path, 'write')?.release(); // what handles its signal is opened once
  const before = countDescriptors();
  const reading = openSync(path, 'r');
  assert.equal(lease(path, 'write'), undefined);
  held(t, lease(path, 'read')).release();
  closeSync(reading);
  const writing = openSync(path, 'r+');
  assert.equal(lease(path, 'read'), undefined);
  assert.equal(lease(path, 'write'), undefined);
  closeSync(writing);
  const mine = held(t, lease(path, 'write'));
  assert.deepEqual([mine.type, mine.file, mine.isHeld(), mine.tryBroken()], ['write', path, true, undefined]);
  mine.release();
  mine.release();
  assert.deepEqual([mine.closed, mine.fd, mine.isHeld()], [true, -1, false]);
  assert.equal(countDescriptors(), before);
});

test('who has a write lease is told of a reader, who waits until it is kept for reading only', async (t) => {
  const path = newFile(t, 'content');
  const mine = held(t, lease(path, 'write'));
  const cat = start(t, 'cat', [path]);
  assert.deepEqual(await mine.broken(), { keep: 'read' });
  assert.deepEqual([mine.tryBroken(), cat.process.exitCode], [{ keep: 'read' }, null]);
  mine.downgrade();
  assert.equal(await cat.line().catch(String), 'content');
  assert.deepEqual([mine.type, mine.isHeld(), mine.tryBroken()], ['read', true, undefined]);
});

test('who has a lease is told of a writer, who waits until it is given up', async (t) => {
  for (const type of ['read', 'write'] as const) {
    const path = newFile(t);
    const mine = held(t, lease(path, type));
    const writer = start(t, 'sh', ['-c', 'echo written > "$1"; echo done', 'sh', path]);
    assert.deepEqual(await mine.broken(), { keep: 'none' });
    assert.equal(readHolders(path), 'lease held,lease awaited');
    mine.release();
    assert.equal(await writer.line(), 'done');
    assert.equal(readFileSync(path, 'utf8'), 'written\n');
  }
});

function readHolders(path: string): string {
  return filelock
    .holders(path)
    .map(({ kind, waiting }) => `${kind} ${waiting ? 'awaited' : 'held'}`)
    .join();
}

test('in the synchronous form it blocks until then, or until the time-out', async (t) => {
  const path = newFile(t);
  const mine = held(t, lease(path, 'read'));
  assert.throws(() => mine.brokenSync({ timeoutMs: 20 }), { code: 'ETIMEDOUT', path });
  assert.throws(() => mine.brokenSync({ timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  const writer = start(t, 'sh', ['-c', 'echo > "$1"', 'sh', path]);
  assert.deepEqual(mine.brokenSync({ timeoutMs: 20_000 }), { keep: 'none' });
  mine.release();
  assert.equal((await writer.ended).code, 0);
});

test('a wait that is aborted, times out, or whose lease is released leaves nothing behind', async (t) => {
  const path = newFile(t);
  const mine = held(t, lease(path, 'read'));
  await assert.rejects(mine.broken({ timeoutMs: 10 }), { code: 'ETIMEDOUT' });
  await assert.rejects(mine.broken({ timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  const controller = new AbortController();
  const wait = mine.broken({ signal: controller.signal });
  controller.abort();
  await assert.rejects(wait, { code: 'ABORT_ERR' });
  assert.equal(mine.isHeld(), true);
  const last = mine.broken();
  mine.release();
  await assert.rejects(last, { code: 'ERR_INTERPROC_CLOSED' });
  await assert.rejects(mine.broken(), { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => mine.tryBroken(), { code: 'ERR_INTERPROC_CLOSED' });
});

test('several leases are told apart though their signals coalesce', async (t) => {
  const paths = Array.from({ length: 10 }, () => newFile(t));
  const leases = paths.map((path) => held(t, lease(path, 'read')));
  const untouched = held(t, lease(newFile(t), 'read'));
  const controller = new AbortController();
  const quiet = untouched.broken({ signal: controller.signal });
  const writers = paths.map((path) => start(t, 'sh', ['-c', 'echo > "$1"', 'sh', path]));
  assert.deepEqual(
    await Promise.all(leases.map((one) => one.broken())),
    paths.map(() => ({ keep: 'none' })),
  );
  for (const one of leases) one.release();
  for (const writer of writers) assert.equal((await writer.ended).code, 0);
  controller.abort();
  await assert.rejects(quiet, { code: 'ABORT_ERR' });
});

test('SIGIO does what it did before when the last lease is released', (t) => {
  const path = newFile(t);
  const before = disposition('SIGIO');
  const mine = held(t, lease(path, 'read'));
  assert.notEqual(disposition('SIGIO'), before);
  mine.release();
  assert.equal(disposition('SIGIO'), before);
});

test('leaseBreakMs is what the kernel has', () => {
  assert.equal(filelock.leaseBreakMs(), Number(readFileSync('/proc/sys/fs/lease-break-time', 'utf8')) * 1000);
});

function leaseUnlessOpen(path: string): filelock.Lease | undefined {
  try {
    return lease(path, 'write');
  } catch (why) {
    if ((why as { code?: string }).code !== 'EAGAIN') throw why;
    return undefined;
  }
}

/** Waits until somebody's write lease is gone, without breaking it: holders() opens nothing. */
const gone = (path: string): Promise<boolean> => until('the lease is gone', () => filelock.holders(path).length === 0);

test('a lease of a killed process is gone', async (t) => {
  const path = newFile(t);
  const other = await holder(t, 'lease', path);
  assert.equal(filelock.holders(path)[0]?.pid, other.pid);
  await killed(other);
  await gone(path);
  held(t, lease(path, 'write'));
});

test('a lease of a process that exits, or executes another program, is gone', async (t) => {
  if (!peer(t, 'cc')) return;
  const path = newFile(t);
  const first = await holder(t, 'lease', path);
  first.say('exit');
  await first.ended;
  held(t, lease(path, 'write')).release();
  const second = await holder(t, 'lease', path);
  await executeAnother(t, second);
  await gone(path);
  // The file is open for a moment longer than the lease is there.
  held(t, await until('nobody has it open any more', () => leaseUnlessOpen(path)));
});

test('a worker that is terminated has no lease any more', async (t) => {
  const path = newFile(t);
  const worker = new Worker(new URL('../fixtures/filelock-worker.js', import.meta.url), {
    workerData: { kind: 'lease', path },
  });
  t.after(() => worker.terminate());
  assert.deepEqual(await once(worker, 'message'), ['held']);
  assert.equal(lease(path, 'read'), undefined, 'this very call opens the file, which the other lease is told of');
  await worker.terminate();
  await gone(path);
  held(t, lease(path, 'write'));
});

test('what cannot have a lease is refused, with the reason', async (t) => {
  const path = newFile(t);
  assert.throws(() => lease(dirname(path), 'read'), {
    code: 'EINVAL',
    syscall: 'fcntl(F_SETLEASE)',
    hint: /only regular files/,
  });
  assert.throws(() => lease(`${path}.none`, 'read'), { code: 'ENOENT', syscall: 'open' });
  assert.throws(() => lease(path, 'both' as 'read'), { name: 'TypeError', message: /'read' or 'write', got 'both'/ });
  assert.throws(() => lease(path, 'read', { shared: true } as object), /unknown option 'shared'/);
  assert.throws(() => lease(undefined as unknown as string, 'read'), { name: 'TypeError' });
  if (process.getuid?.() !== 0) return skip(t, 'root');
  chmodSync(dirname(path), 0o755);
  chmodSync(path, 0o644);
  const [refused] = (await attempt(t, { asNobody: true }, [['filelock.lease', path, 'read']])) ?? [];
  assert.deepEqual([refused?.code, refused?.syscall], ['EACCES', 'fcntl(F_SETLEASE)']);
  assert.match(refused?.hint ?? '', /CAP_LEASE/);
});

test('a lock on a file with a lease of somebody else is EAGAIN at once, says why, and the other is told', async (t) => {
  const path = newFile(t);
  const mine = held(t, lease(path, 'write'));
  for (const take of [filelock.flock.tryAcquire, filelock.ofd.tryAcquire]) {
    assert.throws(() => take(path), { code: 'EAGAIN', syscall: 'open', path, hint: /has a lease on this file/ });
  }
  assert.deepEqual(await mine.broken(), { keep: 'none' });
  mine.release();
  held(t, filelock.flock.tryAcquire(path));
});

test('another program in another language is told by the same rules', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = newFile(t, 'content');
  const python = start(t, 'python3', [
    '-c',
    `import fcntl, os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('leased', flush=True)
signal.sigwait([signal.SIGIO])
print('broken', flush=True)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
sys.stdin.readline()`,
    path,
  ]);
  assert.equal(await python.line(), 'leased');
  assert.deepEqual(
    filelock.holders(path).map(({ kind, pid, shared }) => [kind, pid, shared]),
    [['lease', python.pid, false]],
  );
  const cat = start(t, 'cat', [path]);
  assert.equal(await python.line(), 'broken');
  assert.equal(await cat.line(), 'content');
  python.say('');
});
