/** What limits and permissions do to locks. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import * as filelock from '../../src/filelock/index.js';
import { attempt } from '../support/elsewhere.js';
import { ALL, held, KINDS, newFile } from './support.js';

test('another user’s file is locked as far as its mode says, and EACCES beyond', async (t) => {
  const path = newFile(t);
  chmodSync(dirname(path), 0o755);
  chmodSync(path, 0o644);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['filelock.flock.tryAcquire', path],
    ['filelock.ofd.tryAcquire', path, { shared: true }],
    ['filelock.record.tryAcquire', path, { shared: true }],
    ['filelock.ofd.tryAcquire', path],
    ['filelock.record.tryAcquire', path],
    ['filelock.flock.tryAcquire', join(dirname(path), 'new'), { create: true }],
    ['filelock.tryLockFile', join(dirname(path), 'new')],
  ]);
  if (outcomes === undefined) return;
  const got = outcomes.map(({ code, syscall }) => [code, syscall]);
  const free = [undefined, undefined];
  const refused = ['EACCES', 'open'];
  assert.deepEqual(got, [free, free, free, refused, refused, refused, refused]);
  assert.equal(existsSync(join(dirname(path), 'new')), false);
  chmodSync(path, 0o600);
  const [none] = (await attempt(t, { asNobody: true }, [['filelock.flock.tryAcquire', path]])) ?? [];
  assert.deepEqual([none?.code, none?.syscall], refused);
});

test('another user’s locks are in the way as one’s own, and of record locks holder says whose they are', async (t) => {
  const path = newFile(t);
  chmodSync(dirname(path), 0o755);
  chmodSync(path, 0o666);
  for (const kind of ALL) {
    const lock = held(t, KINDS[kind].tryAcquire(path));
    const outcomes = await attempt(t, { asNobody: true }, [[`filelock.${kind}.tryAcquire`, path]]);
    if (outcomes === undefined) return;
    assert.deepEqual(outcomes, [{}], kind);
    if (kind !== 'flock') {
      const asked = await attempt(t, { asNobody: true }, [[`filelock.${kind}.holder`, path], ['$0.pid'], ['$0.pids']]);
      // Who has an open file's lock is not for everybody to see.
      const [pid, pids] = kind === 'record' ? [process.pid, [process.pid]] : [undefined, []];
      assert.deepEqual(asked?.map(({ value }) => value).slice(1), [pid, pids], kind);
    }
    lock.release();
  }
});

test('at the limit of descriptors a lock is EMFILE in every form, and none is lost', async (t) => {
  const path = newFile(t);
  for (const kind of ALL) {
    const outcomes = await attempt(t, { limits: ['--nofile=128'] }, [
      // A place to wait by, which is opened once, and then all the descriptors that there are.
      ['filelock.ofd.acquire', path, { offset: 1000, length: 1 }],
      ['$0.release'],
      ['*eventfd.create'],
      [`filelock.${kind}.tryAcquire`, path],
      [`filelock.${kind}.acquire`, path],
      [`filelock.${kind}.acquireSync`, path],
      [`filelock.${kind}.tryAcquire`, 0],
      ['filelock.tryLockFile', `${path}.lock`],
    ]);
    const codes = outcomes?.slice(3).map(({ code }) => code);
    assert.deepEqual(codes, Array(5).fill('EMFILE'), kind);
    for (const { hint } of outcomes?.slice(3) ?? []) assert.match(hint ?? '', /RLIMIT_NOFILE/);
  }
  held(t, filelock.flock.tryAcquire(path));
});
