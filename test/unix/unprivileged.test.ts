import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stream } from '../../src/unix/index.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { socketPath } from './support.js';
import { chmodSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

test('an ordinary user cannot connect where the mode does not let him, forge credentials, or have more descriptors on their way than he may open', async (t) => {
  const program = fileURLToPath(new URL('../fixtures/unix-unprivileged.js', import.meta.url));
  const path = socketPath(t);
  using _listener = stream.listen(path);
  const words = [process.execPath, program];
  const isRoot = process.getuid?.() === 0;
  // root has the capabilities that lift all of these; his own socket refuses nobody but others.
  if (isRoot && !peer(t, 'setpriv')) return;
  if (isRoot) {
    chmodSync(dirname(path), 0o711);
    const shared = dirname(dirname(path));
    const { mode } = statSync(shared);
    chmodSync(shared, mode | 0o111);
    t.after(() => chmodSync(shared, mode));
    words.push(path);
    words.unshift('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups');
  }
  const child = start(t, words[0] as string, words.slice(1));
  const expected: [string, string, RegExp][] = [
    ['uid', 'EPERM', /CAP_SETUID/],
    ['gid', 'EPERM', /CAP_SETUID/],
    ['pid', 'EPERM', /CAP_SETUID/],
    ['send', 'ETOOMANYREFS', /RLIMIT_NOFILE/],
  ];
  if (isRoot) expected.unshift(['connect', 'EACCES', /write permission/]);
  for (const [name, code, hint] of expected) {
    const said = JSON.parse(await child.line());
    assert.deepEqual([said.name, said.code], [name, code]);
    assert.match(said.hint, hint);
  }
  assert.deepEqual(JSON.parse(await child.line()), { name: 'again', code: '1' });
  assert.equal((await child.ended).code, 0, child.errors());
});
