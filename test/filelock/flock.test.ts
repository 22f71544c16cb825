/** What flock(2) does of its own: conversions that may lose the lock, and other programs. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import * as filelock from '../../src/filelock/index.js';
import { check } from '../../src/core/errors.js';
import { native } from '../../src/sys/index.js';
import { countDescriptors } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { flockIsFree, held, holder, newFile, release, waiter } from './support.js';

const { flock } = filelock;

test('flock(1) and this exclude each other', async (t) => {
  if (!peer(t, 'flock')) return;
  const path = newFile(t);
  const lock = held(t, flock.tryAcquire(path));
  assert.equal(flockIsFree(path), false);
  lock.downgrade();
  assert.deepEqual([flockIsFree(path), flockIsFree(path, '-s')], [false, true]);
  lock.release();
  assert.equal(flockIsFree(path), true);
  const other = start(t, 'flock', [path, 'sh', '-c', 'echo held; read line']);
  assert.equal(await other.line(), 'held');
  assert.equal(flock.tryAcquire(path), undefined);
  const waiting = flock.acquire(path);
  other.say('');
  (await waiting).release();
});

test('ranges are not of flock, and are refused', (t) => {
  const options = { offset: 0 } as object;
  assert.throws(() => flock.tryAcquire(newFile(t), options), /unknown option 'offset'/);
});

test('an upgrade alone is at once and has no gap', async (t) => {
  const path = newFile(t);
  const lock = held(t, flock.tryAcquire(path, { shared: true }));
  assert.equal(lock.tryUpgrade(), true);
  lock.downgrade();
  await lock.upgrade();
  lock.downgrade();
  lock.upgradeSync();
  await lock.upgrade();
  assert.deepEqual([lock.shared, lock.gap, lock.lost, lock.isHeld()], [false, false, false, true]);
});

test('an upgrade that does not get through is shared again, and says that there was a gap', async (t) => {
  const path = newFile(t);
  const other = await holder(t, 'flock', path, { shared: true });
  for (const upgrade of [
    async (lock: filelock.FileLock) => assert.equal(lock.tryUpgrade(), false),
    (lock: filelock.FileLock) => assert.rejects(lock.upgrade({ timeoutMs: 10 }), { code: 'ETIMEDOUT' }),
    (lock: filelock.FileLock) => assert.rejects(lock.upgrade({ timeoutMs: 0 }), { code: 'ETIMEDOUT' }),
    (lock: filelock.FileLock) => assert.rejects(lock.upgrade({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' }),
    async (lock: filelock.FileLock) => assert.throws(() => lock.upgradeSync({ timeoutMs: 10 }), { code: 'ETIMEDOUT' }),
  ]) {
    const lock = held(t, flock.tryAcquire(path, { shared: true }));
    await upgrade(lock);
    assert.deepEqual([lock.shared, lock.lost, lock.isHeld()], [true, false, true]);
    lock.release();
  }
  await release(other);
});

test('an upgrade that waits lets others between, and says so', async (t) => {
  const path = newFile(t);
  const other = await holder(t, 'flock', path, { shared: true });
  const lock = held(t, flock.tryAcquire(path, { shared: true }));
  const upgrade = lock.upgrade();
  await until('it waits', () => filelock.holders(path).some(({ waiting }) => waiting));
  assert.equal(lock.gap, true);
  assert.throws(() => lock.tryUpgrade(), { code: 'EBUSY', message: /being converted already/ });
  assert.throws(() => lock.downgrade(), { code: 'EBUSY' });
  await release(other);
  await upgrade;
  assert.deepEqual([lock.shared, lock.gap, lock.lost, lock.isHeld()], [false, true, false, true]);
});

/** Whether the one who waited first got it: giving the shared lock up wakes both, and whoever is first to wait again is the first. */
async function losesTo(t: TestContext, path: string): Promise<boolean> {
  const lock = held(t, flock.tryAcquire(path, { shared: true }));
  const other = await holder(t, 'flock', path, { shared: true });
  const third = waiter(t, 'flock', path);
  await until('the third waits', () => filelock.holders(path).some(({ waiting }) => waiting));
  const controller = new AbortController();
  const upgrade = lock.upgrade({ signal: controller.signal });
  await until('both wait', () => filelock.holders(path).filter(({ waiting }) => waiting).length === 2);
  const told = third.line();
  await release(other);
  const ours = await Promise.race([told.then(() => false), upgrade.then(() => true)]);
  if (ours) {
    lock.release();
  } else {
    controller.abort();
    await assert.rejects(upgrade, { code: 'ABORT_ERR' });
    assert.deepEqual([lock.lost, lock.gap, lock.closed, lock.isHeld()], [true, true, true, false]);
    assert.throws(() => lock.downgrade(), { code: 'ERR_INTERPROC_CLOSED' });
  }
  assert.equal(await told, 'held');
  await release(third);
  return !ours;
}

test('an upgrade whose shared lock somebody took meanwhile has lost it, and says so', async (t) => {
  const path = newFile(t);
  for (let round = 0; round < 30; round++) if (await losesTo(t, path)) return;
  assert.fail('in 30 rounds nobody else got the lock');
});

test('a release during an upgrade ends it, and leaves no lock, though others share the open file', async (t) => {
  const path = newFile(t);
  const other = await holder(t, 'flock', path, { shared: true });
  const fd = check(native().open(path, 0, 0), 'open');
  t.after(() => native().close(fd));
  const before = countDescriptors();
  for (let round = 0; round < 50; round++) {
    const lock = held(t, flock.tryAcquire(fd, { shared: true }));
    const upgrade = lock.upgrade();
    lock.release();
    await assert.rejects(upgrade, { code: 'ERR_INTERPROC_CLOSED' });
  }
  assert.equal(countDescriptors(), before);
  await release(other);
  held(t, flock.tryAcquire(path)).release();
});

test('unlock gives back the lock of an open file, by whomever it was taken', (t) => {
  const path = newFile(t);
  const fd = check(native().open(path, 0, 0), 'open');
  t.after(() => native().close(fd));
  const lock = held(t, flock.tryAcquire(fd));
  flock.unlock(fd);
  assert.equal(lock.isHeld(), false);
  held(t, flock.tryAcquire(path)).release();
  flock.unlock(fd);
  assert.throws(() => flock.unlock(path as unknown as number), { name: 'TypeError', message: /only what is open/ });
  assert.throws(() => flock.unlock(1_000_000), { code: 'EBADF' });
});
