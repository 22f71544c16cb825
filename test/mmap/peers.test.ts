/** Files that we have mapped, and programs in other languages that map, read and write them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as mmap from '../../src/mmap/index.js';
import { temporaryFolder } from '../support/folder.js';
import { MAP_PEERS, shareWith, SIZE } from '../support/mapPeers.js';
import { peer } from '../support/skips.js';

for (const [name, command] of Object.entries(MAP_PEERS)) {
  test(`${name} sees the bytes of a file that we have mapped, and we see what it writes, in either one’s file`, async (t) => {
    const found = command(t);
    if (found === false) return;
    const folder = temporaryFolder(t);
    const ourPath = join(folder, 'ours');
    const theirPath = join(folder, 'theirs');
    writeFileSync(ourPath, new Uint8Array(SIZE));
    using ours = mmap.file(ourPath, { access: 'read-write' });
    await shareWith(t, found, { ours, ourPath, theirPath, map: () => mmap.file(theirPath, { access: 'read-write' }) });
  });
}

test('dd writes into a file what a mapping of it shows, and dd reads what a mapping wrote, without sync', (t) => {
  if (!peer(t, 'dd')) return;
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, new Uint8Array(100_000));
  using writing = mmap.file(path, { access: 'read-write' });
  using reading = mmap.file(path, { access: 'read' });
  using copying = mmap.file(path, { access: 'copy-on-write' });
  execFileSync('dd', [`of=${path}`, 'bs=1', 'seek=50000', 'conv=notrunc', 'status=none'], { input: 'from dd' });
  for (const mapping of [writing, reading, copying]) {
    assert.equal(Buffer.from(mapping.read(50_000, 7)).toString(), 'from dd');
  }
  copying.write(0, Buffer.from('for us alone'));
  writing.write(99_991, Buffer.from('from node'));
  const said = execFileSync('dd', [`if=${path}`, 'bs=1', 'skip=99991', 'status=none']);
  assert.equal(said.toString(), 'from node');
  assert.ok(
    readFileSync(path)
      .subarray(0, 12)
      .every((byte) => byte === 0),
  );
});
