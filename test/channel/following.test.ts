/** What a receiver of `file:` notices although it comes between looking and watching. */
import assert from 'node:assert/strict';
import { appendFileSync, closeSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Followed } from '../../src/channel/file/followed.js';
import { movedRecord, u32 } from '../../src/channel/file/format.js';
import { RawSource } from '../../src/channel/file/raw.js';
import { LogSource } from '../../src/channel/file/source.js';
import type { Source } from '../../src/channel/contract.js';
import { sender as openSender } from '../../src/channel/index.js';
import { LOCK_EX, LOCK_NB, native } from '../../src/sys/index.js';
import { pend } from '../../src/core/wait.js';
import { temporaryFolder } from '../support/folder.js';

interface Place {
  path: string;
  url: string;
  log: LogSource;
  raw: RawSource;
}

function place(t: TestContext): Place {
  const path = join(temporaryFolder(t), 'log');
  const log = new LogSource(new Followed(path), { follow: true, remove: false });
  const raw = new RawSource(new Followed(path), 0, true);
  t.after(async () => {
    raw.release();
    await log.release();
  });
  return { path, url: `file:${path}`, log, raw };
}

/** Begins to wait; the promise resolves when the source says that there may be something. */
function waiting(source: Source): Promise<void> {
  return pend<void>(undefined, { timeoutMs: 10_000 }, { syscall: 'inotify' }, (settle) => {
    const stop = source.whenReadable(() => settle.resolve());
    assert.ok(stop, 'there is nothing yet');
    return (why) => {
      stop();
      settle.reject(why);
    };
  });
}

test('a log that appears before it is watched, and is empty still, is watched from then on', async (t) => {
  const { url, log } = place(t);
  assert.equal(log.take(), undefined, 'no file is there');
  await using sender = await openSender(url);
  const told = waiting(log);
  await sender.send(Buffer.from('first'));
  await sender.flush();
  await told;
  assert.equal(String(log.take()), 'first');
});

test('a raw file that appears before it is watched, and is empty still, is watched from then on', async (t) => {
  const { path, raw } = place(t);
  assert.equal(raw.take(), undefined, 'no file is there');
  writeFileSync(path, '');
  const told = waiting(raw);
  appendFileSync(path, 'first');
  await told;
  assert.equal(String(raw.take()), 'first');
});

test('a log that goes on elsewhere before it is watched is watched there', async (t) => {
  const { path, url, log } = place(t);
  await using first = await openSender(url);
  assert.equal(log.take(), undefined);
  renameSync(path, `${path}.1`);
  await using second = await openSender(url);
  const salt = u32(readFileSync(`${path}.1`), 4);
  const { ino } = statSync(path, { bigint: true });
  appendFileSync(`${path}.1`, movedRecord(salt, ino, u32(readFileSync(path), 4)));
  const told = waiting(log);
  await second.send(Buffer.from('moved'));
  await second.flush();
  await told;
  assert.equal(String(log.take()), 'moved');
  first.destroy();
});

test('a raw file that is replaced before it is watched is watched in its new place', async (t) => {
  const { path, raw } = place(t);
  writeFileSync(path, 'old');
  assert.equal(String(raw.take()), 'old');
  assert.equal(raw.take(), undefined);
  renameSync(path, `${path}.1`);
  writeFileSync(path, '');
  const told = waiting(raw);
  appendFileSync(path, 'new');
  await told;
  assert.equal(String(raw.take()), 'new');
});

test('a sender that has closed a replaced log, and has its lock for an instant more, is not waited for', async (t) => {
  const { path, url, log } = place(t);
  const first = await openSender(url);
  await first.send(Buffer.from('old'));
  await first.flush();
  first.destroy();
  await first.closed;
  assert.equal(String(log.take()), 'old');
  // The kernel tells of the close and then lets go of the lock: here one holds it and another closes.
  const holder = openSync(path, 'r');
  assert.equal(native().flock(holder, LOCK_EX | LOCK_NB), 0);
  renameSync(path, `${path}.1`);
  await using second = await openSender(url);
  await second.send(Buffer.from('new'));
  await second.close();
  assert.equal(log.take(), undefined);
  const told = waiting(log);
  closeSync(openSync(`${path}.1`, 'a'));
  await told;
  assert.equal(log.take(), undefined);
  assert.equal(
    log.whenReadable(() => undefined),
    undefined,
    'look again',
  );
  closeSync(holder);
  assert.equal(String(log.take()), 'new');
});
