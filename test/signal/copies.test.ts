import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as signal from '../../src/signal/index.js';
import type { Native } from '../../src/sys/index.js';
import { temporaryFolder } from '../support/folder.js';

const EBUSY = 16;

test('a second copy of the addon in the process is refused the signals that the first has', async (t) => {
  using handler = signal.handle('SIGUSR2', () => {});
  const copy = join(temporaryFolder(t), 'copy.node');
  cpSync(fileURLToPath(new URL('../../../build/Release/interproc.node', import.meta.url)), copy);
  const other = createRequire(import.meta.url)(copy) as Native;
  const usr2 = signal.toNumber('SIGUSR2');
  assert.equal(other.catchOpen(new Int32Array(2)), -EBUSY);
  assert.equal(other.signalWish(usr2, 2), -EBUSY);
  assert.equal(other.signalHold(Int32Array.of(usr2)), -EBUSY);
  assert.equal(other.signalOwn(signal.toNumber('SIGRTMIN+1')), -EBUSY);
  const handled = new Promise<void>((resolve) => {
    const again = signal.handle('SIGUSR2', () => {
      again.close();
      resolve();
    });
  });
  signal.kill(process.pid, 'SIGUSR2');
  await handled;
  handler.close();
  assert.equal(signal.disposition('SIGUSR2'), 'default');
});
