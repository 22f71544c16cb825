import assert from 'node:assert/strict';
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as sysv from '../../src/sysv/index.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { start } from '../support/program.js';
import { peer, peerModule } from '../support/skips.js';

/** What ftok(3) makes of a file. */
function keyOf(path: string, id: number): number {
  const { dev, ino } = statSync(path);
  return (((id & 0xff) << 24) | ((dev & 0xff) << 16) | (ino & 0xffff)) >>> 0;
}

test('a key has 8 bits of the project id, 8 of the device and 16 of the inode, and nothing else', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, 'x');
  for (let id = 1; id < 256; id++) assert.equal(sysv.ftok(path, id), keyOf(path, id));
  assert.equal(sysv.ftok(path), sysv.ftok(path, 1));
});

test('ftok gives what C, Python and Perl are given', async (t) => {
  if (!peer(t, 'python3') || !peerModule(t, 'IPC::SysV', ['perl', '-MIPC::SysV', '-e', '1'])) return;
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, '');
  const ids = [1, 65, 127, 128, 255];
  const ours = ids.map((id) => sysv.ftok(path, id)).join(' ');
  const c = `import ctypes, sys
print(*[ctypes.CDLL(None).ftok(sys.argv[1].encode(), id) & 0xffffffff for id in ${JSON.stringify(ids)}])`;
  const perl = `print join(' ', map { ftok($ARGV[0], $_) & 0xffffffff } ${ids.join(', ')}), "\\n"`;
  assert.equal(await start(t, 'python3', ['-c', c, path]).line(), ours);
  assert.equal(await start(t, 'perl', ['-MIPC::SysV=ftok', '-e', perl, path]).line(), ours);
});

test('a symbolic link is followed, so it has the key of its file', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  symlinkSync('file', join(folder, 'link'));
  assert.equal(sysv.ftok(join(folder, 'link'), 7), sysv.ftok(join(folder, 'file'), 7));
});

test('a path that is not there is ENOENT, a file in place of a folder ENOTDIR, a circle of links ELOOP', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  symlinkSync('circle', join(folder, 'circle'));
  assert.throws(() => sysv.ftok(join(folder, 'nothing'), 1), {
    name: 'IpcError',
    code: 'ENOENT',
    errno: -2,
    syscall: 'ftok',
    path: join(folder, 'nothing'),
    hint: /file that exists/,
  });
  assert.throws(() => sysv.ftok(join(folder, 'file', 'x'), 1), { code: 'ENOTDIR', hint: /no folder/ });
  assert.throws(() => sysv.ftok(join(folder, 'circle'), 1), { code: 'ELOOP' });
  assert.throws(() => sysv.ftok('x'.repeat(300), 1), { code: 'ENAMETOOLONG' });
  assert.throws(() => sysv.ftok('x/'.repeat(3000), 1), { code: 'ENAMETOOLONG' });
});

test('a folder that does not let us in is EACCES for ftok', async (t) => {
  const folder = join(temporaryFolder(t), 'closed');
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, 'file'), '');
  const outcomes = await attempt(t, { asNobody: true }, [['sysv.ftok', join(folder, 'file'), 1]]);
  if (outcomes === undefined) return;
  assert.equal(outcomes[0]?.code, 'EACCES');
  assert.match(outcomes[0]?.hint ?? '', /does not let this user in/);
});

test('ftok refuses what is no path and what is no project id before any system call', () => {
  for (const path of ['', 'a\0b', undefined, 7]) {
    assert.throws(() => sysv.ftok(path as string, 1), { name: 'TypeError', code: /^ERR_INTERPROC_(NAME|ARGUMENT)$/ });
  }
  for (const id of [0, 256, -1, 1.5, Number.NaN]) {
    assert.throws(() => sysv.ftok('/', id), {
      name: 'RangeError',
      code: 'ERR_INTERPROC_RANGE',
      message: /projectId must be a whole number from 1 to 255/,
    });
  }
  assert.throws(() => sysv.ftok('/', 'A' as never), { name: 'TypeError', message: /projectId must be a number/ });
});
