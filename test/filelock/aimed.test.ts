/** Aborts and releases that are aimed at the moment at which a lock is got: it is delivered or given back, never lost. */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as filelock from '../../src/filelock/index.js';
import { SEED, seeded, spinMicroseconds } from '../core/support.js';
import { countDescriptors, openWaiting } from '../support/descriptors.js';
import { held, KINDS, newFile, OF_OPEN_FILES } from './support.js';

const ROUNDS = 10_000;

interface Releasable {
  release(): void;
}

/** One that is held, one that waits, and the release aimed at the abort. */
async function aim(
  t: TestContext,
  take: () => Releasable | undefined,
  wait: (signal: AbortSignal) => Promise<Releasable>,
): Promise<void> {
  await openWaiting();
  const before = countDescriptors();
  const random = seeded(SEED);
  let delivered = 0;
  let aborted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const first = held(t, take());
    const controller = new AbortController();
    const waiting = wait(controller.signal).catch((why: { code?: string }) => {
      assert.equal(why.code, 'ABORT_ERR', `SEED=${SEED}`);
      return undefined;
    });
    spinMicroseconds(random() * 40);
    const late = random() < 0.5;
    if (late) controller.abort();
    if (late) spinMicroseconds(random() * 20);
    first.release();
    if (random() < 0.3) await new Promise(setImmediate);
    spinMicroseconds(random() * 30);
    controller.abort();
    const lock = await waiting;
    if (lock === undefined) aborted++;
    else delivered++;
    const next = take();
    assert.equal(next === undefined, lock !== undefined, `SEED=${SEED}: round ${round}`);
    lock?.release();
    next?.release();
  }
  assert.ok(delivered > 0 && aborted > 0, `SEED=${SEED}: ${delivered} delivered, ${aborted} aborted`);
  assert.equal(countDescriptors(), before);
}

for (const kind of OF_OPEN_FILES) {
  test(`${kind}: an abort aimed at completion, 10,000 times: the lock was delivered, or is free`, async (t) => {
    const path = newFile(t);
    const { acquire, tryAcquire } = KINDS[kind];
    await aim(
      t,
      () => tryAcquire(path),
      (signal) => acquire(path, { signal }),
    );
  });
}

// Record locks do not exclude each other within a process: one of an open file stands in the way.
test('record: an abort aimed at completion, 10,000 times: the lock was delivered, or is free', async (t) => {
  const path = newFile(t);
  await aim(
    t,
    () => filelock.ofd.tryAcquire(path),
    (signal) => filelock.record.acquire(path, { signal }),
  );
});

test('lockFile: an abort aimed at completion, 10,000 times: it was delivered, or is nobody’s', async (t) => {
  const path = join(dirname(newFile(t)), 'lock');
  await aim(
    t,
    () => filelock.tryLockFile(path),
    (signal) => filelock.lockFile(path, { signal }),
  );
});

test('time-outs aimed at completion, 1,000 times: the lock was delivered, or is free', async (t) => {
  const path = newFile(t);
  const random = seeded(SEED);
  let delivered = 0;
  let late = 0;
  for (let round = 0; round < 1000; round++) {
    const first = held(t, filelock.ofd.tryAcquire(path));
    const waiting = filelock.ofd.acquire(path, { timeoutMs: 1 }).catch((why: { code?: string }) => {
      assert.equal(why.code, 'ETIMEDOUT', `SEED=${SEED}`);
      return undefined;
    });
    // In one of eight the time may be over before.
    if (round % 8 === 0) await new Promise((resolve) => setTimeout(resolve, random() * 2.5));
    else spinMicroseconds(random() * 1200);
    first.release();
    const lock = await waiting;
    if (lock === undefined) late++;
    else delivered++;
    const next = filelock.ofd.tryAcquire(path);
    assert.equal(next === undefined, lock !== undefined, `SEED=${SEED}: round ${round}`);
    lock?.release();
    next?.release();
  }
  assert.ok(delivered > 0 && late > 0, `SEED=${SEED}: ${delivered} delivered, ${late} late`);
});
