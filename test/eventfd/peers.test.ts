import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { test } from 'node:test';
import * as eventfd from '../../src/eventfd/index.js';
import { flagsOf } from '../support/descriptors.js';
import { start } from '../support/program.js';
import { fileURLToPath } from 'node:url';
import { peer } from '../support/skips.js';

test('a child adds to and takes from a counter that it inherits', async (t) => {
  if (!peer(t, 'python3')) return;
  using ours = eventfd.create();
  using theirs = eventfd.create();
  const code = `
import os, select
os.write(3, (2**63 + 5).to_bytes(8, 'little'))
select.select([4], [], [])
print(int.from_bytes(os.read(4, 8), 'little'), flush=True)
select.select([4], [], [])
print(int.from_bytes(os.read(4, 8), 'little'), flush=True)`;
  const python = start(t, 'python3', ['-c', code], { stdio: ['pipe', 'pipe', 'pipe', ours.fd, theirs.fd] });
  assert.equal(await ours.wait(), 2n ** 63n + 5n);
  await theirs.add(2n ** 53n + 1n);
  assert.equal(await python.line(), String(2n ** 53n + 1n));
  theirs.addSync(2n ** 64n - 2n);
  assert.equal(await python.line(), String(2n ** 64n - 2n));
  assert.equal((await python.ended).code, 0, python.errors());
});

test('a counter that another program made blocking does not block us', async (t) => {
  if (!peer(t, 'python3')) return;
  const code = `
import ctypes, os, subprocess, sys
fd = ctypes.CDLL(None).eventfd(0, 0)
child = subprocess.Popen(sys.argv[1:] + [str(fd)], pass_fds=[fd], stdout=subprocess.PIPE, text=True)
for line in child.stdout:
    print(line, end='', flush=True)
    if line == 'waiting\\n': os.write(fd, (7).to_bytes(8, 'little'))
sys.exit(child.wait())`;
  const fixture = fileURLToPath(new URL('../fixtures/eventfd-inherited.js', import.meta.url));
  const python = start(t, 'python3', ['-c', code, process.execPath, fixture]);
  assert.equal(await python.line(), 'nothing there: undefined');
  assert.equal(await python.line(), 'waiting');
  assert.equal(await python.line(), 'got 7');
  assert.equal((await python.ended).code, 0, python.errors());
});

test('our counters are non-blocking', () => {
  using counter = eventfd.create();
  assert.ok(flagsOf(counter.fd) & constants.O_NONBLOCK);
});
