import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { attempt, type Elsewhere } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';

/** What listening at these paths gives, elsewhere: code and hint of each. */
async function listening(
  t: TestContext,
  where: Elsewhere,
  paths: readonly string[],
): Promise<(string | undefined)[] | undefined> {
  const outcomes = await attempt(t, where, [
    ['unix.stream'],
    ...paths.map((path): [string, ...unknown[]] => ['$0.listen', path]),
  ]);
  return outcomes?.slice(1).map(({ code }) => code);
}

test('a folder that is missing, or is none, is ENOENT or ENOTDIR of listen', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  const paths = [join(folder, 'none', 's'), join(folder, 'file', 's')];
  assert.deepEqual(await listening(t, {}, paths), ['ENOENT', 'ENOTDIR']);
});

test('a folder in which one may create nothing is EACCES of listen', async (t) => {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o555);
  const codes = await listening(t, { asNobody: process.getuid?.() === 0 }, [join(folder, 's')]);
  assert.deepEqual(codes, ['EACCES']);
});

test('a folder on a read-only file system is EROFS of listen', async (t) => {
  const folder = temporaryFolder(t);
  const before = `mount -t tmpfs tmpfs ${folder}; mount -o remount,bind,ro ${folder}`;
  const codes = await listening(t, { unshared: ['mount'], before }, [join(folder, 's')]);
  if (codes !== undefined) assert.deepEqual(codes, ['EROFS']);
});
