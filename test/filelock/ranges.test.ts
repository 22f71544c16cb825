/** Ranges of files: record and open file description locks, with each other and with other programs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as filelock from '../../src/filelock/index.js';
import { native } from '../../src/sys/index.js';
import { until } from '../support/proc.js';
import { held, holder, KINDS, newFile, rangeIsFree, release } from './support.js';
import { peer } from '../support/skips.js';

const OF_RANGES = ['record', 'ofd'] as const;

for (const kind of OF_RANGES) {
  const form = KINDS[kind];

  test(`${kind}: ranges that do not touch are had by several, and those that have a byte in common are not`, async (t) => {
    const path = newFile(t);
    const other = await holder(t, kind, path, { offset: 10, length: 10 });
    held(t, form.tryAcquire(path, { offset: 0, length: 10 }));
    held(t, form.tryAcquire(path, { offset: 20n, length: 5n }));
    for (const range of [{}, { offset: 19 }, { offset: 12, length: 1 }, { offset: 10n }]) {
      assert.equal(
        form.tryAcquire(path, kind === 'ofd' ? range : { offset: 19, length: 1 }),
        undefined,
        inspect(range),
      );
    }
    await release(other);
    held(t, form.tryAcquire(path, { offset: 10, length: 10 }));
  });

  test(`${kind}: a length of 0 goes to the end, wherever that will be`, async (t) => {
    const path = newFile(t, 'four');
    const lock = held(t, form.tryAcquire(path, { offset: 100 }));
    assert.deepEqual([lock.offset, lock.length], [100n, 0n]);
    const late = await holder(t, kind, path, { offset: 0, length: 100 });
    await release(late);
    await assert.rejects(holder(t, kind, path, { offset: 1e15, length: 1, timeoutMs: 10 }), /ETIMEDOUT/);
  });

  test(`${kind}: all 64 bits of the kernel’s offsets are there`, (t) => {
    if (!peer(t, 'python3')) return;
    const path = newFile(t);
    const last = 2n ** 63n - 1n;
    const lock = held(t, form.tryAcquire(path, { offset: last, length: 1n }));
    assert.equal(lock.isHeld(), true);
    assert.deepEqual([lock.offset, lock.length], [last, 1n]);
    assert.equal(rangeIsFree(path, Number.MAX_SAFE_INTEGER, 1), true);
    // The last byte that can be locked is the end: the kernel knows no other.
    assert.deepEqual(
      filelock.holders(path).map(({ offset, length }) => [offset, length]),
      [[last, 0n]],
    );
    lock.release();
    const middle = held(t, form.tryAcquire(path, { offset: 2n ** 53n + 1n, length: 1n }));
    assert.equal(middle.isHeld(), true);
    assert.deepEqual(
      filelock.holders(path).map(({ offset, length }) => [offset, length]),
      [[2n ** 53n + 1n, 1n]],
    );
  });

  test(`${kind}: ranges that cannot be are refused by name`, (t) => {
    const path = newFile(t);
    for (const [options, name, message] of [
      [{ offset: -1 }, 'RangeError', /offset must be a whole number from 0 to 2\^63 - 1 .*, got -1/],
      [{ length: -1n }, 'RangeError', /length must be a whole number/],
      [{ offset: 0.5 }, 'RangeError', /offset/],
      [{ offset: 2 ** 53 }, 'RangeError', /a bigint above 2\^53 - 1/],
      [{ offset: 2n ** 63n }, 'RangeError', /offset/],
      [{ offset: 2n ** 63n - 1n, length: 2 }, 'RangeError', /together must be at most 2\^63/],
      [{ offset: '0' }, 'TypeError', /offset must be a number or a bigint, got '0'/],
      [{ length: null }, 'TypeError', /length must be a number or a bigint/],
      [{ whence: 2 }, 'TypeError', /unknown option 'whence'/],
    ] as const) {
      assert.throws(() => form.tryAcquire(path, options as object), { name, message }, inspect(options));
    }
  });

  test(`${kind}: a lock that the file is not open for is EBADF, and says what is needed`, (t) => {
    const path = newFile(t);
    const wrong = {
      code: 'EBADF',
      path,
      hint: /shared lock needs the file open for reading, an exclusive one for writing/,
    };
    assert.throws(() => form.tryAcquire(path, { access: 'read' }), wrong);
    assert.throws(() => form.tryAcquire(path, { shared: true, access: 'write' }), wrong);
    const lock = held(t, form.tryAcquire(path, { shared: true }));
    assert.throws(() => lock.tryUpgrade(), wrong);
    assert.equal(lock.isHeld(), true);
  });

  test(`${kind}: upgrading keeps the shared lock while it waits, and has no gap`, async (t) => {
    const path = newFile(t);
    const other = await holder(t, kind, path, { shared: true });
    const lock = held(t, form.tryAcquire(path, { shared: true, access: 'read-write' }));
    assert.equal(lock.tryUpgrade(), false);
    await assert.rejects(lock.upgrade({ timeoutMs: 10 }), { code: 'ETIMEDOUT' });
    assert.throws(() => lock.upgradeSync({ timeoutMs: 10 }), { code: 'ETIMEDOUT' });
    assert.deepEqual([lock.shared, lock.isHeld(), lock.gap, lock.lost], [true, true, false, false]);
    const upgrade = lock.upgrade();
    await release(other);
    await upgrade;
    assert.deepEqual([lock.shared, lock.isHeld(), lock.gap], [false, true, false]);
    await assert.rejects(holder(t, kind, path, { shared: true, timeoutMs: 10 }), /ETIMEDOUT/);
    lock.downgrade();
    lock.downgrade();
    assert.deepEqual([lock.shared, lock.isHeld()], [true, true]);
    await release(await holder(t, kind, path, { shared: true }));
    lock.upgradeSync();
    assert.equal(lock.shared, false);
  });

  test(`${kind}: a part that other means unlocked is not held any more`, (t) => {
    const path = newFile(t);
    const lock = held(t, form.tryAcquire(path, { offset: 0, length: 100 }));
    const before = [lock.isHeld()];
    unlockMiddle(kind, lock.fd);
    assert.deepEqual([before, lock.isHeld()], [[true], false]);
  });
}

/** F_SETLK or F_OFD_SETLK with F_UNLCK of bytes 50 to 59, which splits the lock. */
function unlockMiddle(kind: 'record' | 'ofd', fd: number): void {
  const F_UNLCK = 2;
  assert.equal(native().setLock(fd, kind === 'ofd' ? 37 : 6, F_UNLCK, 50, 10), 0);
}

test('both kinds are in each other’s way, and in that of lockf(3) of other languages; flock is not', (t) => {
  if (!peer(t, 'python3') || !peer(t, 'flock')) return;
  const path = newFile(t);
  for (const kind of OF_RANGES) {
    const lock = held(t, KINDS[kind].tryAcquire(path, { offset: 5, length: 5 }));
    assert.equal(rangeIsFree(path, 9, 1), false);
    assert.equal(rangeIsFree(path, 10, 1), true);
    assert.equal(rangeIsFree(path, 0, 5), true);
    held(t, filelock.flock.tryAcquire(path)).release();
    lock.release();
    assert.equal(rangeIsFree(path), true);
  }
});

test('who is in the way is told: of record locks the process, of open files those that have them open', async (t) => {
  const path = newFile(t);
  assert.equal(filelock.ofd.holder(path), undefined);
  assert.equal(filelock.record.holder(path), undefined);
  for (const kind of OF_RANGES) {
    const other = await holder(t, kind, path, { offset: 10, length: 10, shared: true });
    const expected = {
      kind,
      pid: kind === 'record' ? other.pid : undefined,
      pids: [other.pid],
      shared: true,
      waiting: false,
      offset: 10n,
      length: 10n,
    };
    for (const ask of OF_RANGES) {
      const { command, ...rest } = KINDS[ask].holder(path, { offset: 19, length: 5 }) ?? {};
      assert.deepEqual(rest, expected);
      assert.match(command ?? '', /filelock-holder/);
      assert.equal(KINDS[ask].holder(path, { shared: true }), undefined, 'a shared lock is in the way of no other');
      assert.equal(KINDS[ask].holder(path, { offset: 20 }), undefined);
    }
    await release(other);
  }
  assert.throws(
    () => filelock.ofd.holder(path, { shared: 'no' as unknown as boolean }),
    /shared must be true or false/,
  );
  assert.throws(() => filelock.ofd.holder(path, { create: true } as object), /unknown option 'create'/);
  assert.throws(() => filelock.record.holder(`${path}.none`), { code: 'ENOENT' });
});

test('who waits is told, too, and in which order', async (t) => {
  const path = newFile(t);
  const first = await holder(t, 'record', path);
  const controller = new AbortController();
  const wait = filelock.record.acquire(path, { signal: controller.signal });
  await until('it waits', () => filelock.holders(path).length === 2);
  assert.deepEqual(
    filelock.holders(path).map(({ kind, pid, waiting }) => [kind, pid, waiting]),
    [
      ['record', first.pid, false],
      ['record', process.pid, true],
    ],
  );
  controller.abort();
  await assert.rejects(wait, { code: 'ABORT_ERR' });
});
