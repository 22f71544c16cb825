/** Pointers that JavaScript stores arrive as they are, whichever of V8's compilers has made the code, and the kernel finds them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as lock from '../../src/lock/index.js';
import { start } from '../support/program.js';
import { shared } from './peer.js';

const FIXTURE = fileURLToPath(new URL('../fixtures/lock-compiled.js', import.meta.url));

/** What this Node does not have it refuses, and then there is nothing to test. */
const known = (flags: readonly string[]): boolean =>
  spawnSync(process.execPath, [...flags, '-e', '0'], { stdio: 'ignore' }).status === 0;

const ways: readonly (readonly string[])[] = [
  [],
  ['--no-opt'],
  ['--jitless'],
  ['--always-sparkplug', '--no-opt'],
  ['--maglev', '--no-turbofan'],
  ['--always-turbofan'],
].filter(known);

for (const flags of ways) {
  test(`20,000 times the list has the very pointers, with node ${flags.join(' ')}`, async (t) => {
    const { memory, path } = shared(t);
    using mutex = lock.Mutex.create(memory, 0);
    const program = start(t, process.execPath, [...flags, FIXTURE, path]);
    assert.equal(await program.line(), 'held');
    assert.equal((await program.ended).signal, 'SIGKILL', program.errors());
    using guard = mutex.lockSync();
    assert.deepEqual(guard.previousOwner, { pid: program.pid, tid: program.pid });
    guard.markConsistent();
  });
}
