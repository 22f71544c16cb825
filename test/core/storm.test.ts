/** Waits while a thousand signals a second arrive. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { callBlocking } from '../../src/core/blocking.js';
import { check } from '../../src/core/errors.js';
import { native } from '../../src/sys/index.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { Counter } from './support.js';

const STORM = `
import os, signal, sys, time
pids = [int(word) for word in sys.argv[1:]]
for pid in pids: os.kill(pid, signal.SIGWINCH)
print('began', flush=True)
while True:
    for pid in list(pids):
        try: os.kill(pid, signal.SIGWINCH)
        except ProcessLookupError: pids.remove(pid)
    time.sleep(0.001)
`;

/** How often it is measured at most: a stretch by signals is there each time, one by other programs on this machine is not. */
const ROUNDS = 5;

/** Milliseconds that each way to wait for 2 s took, and the signals that came to the other process meanwhile. */
async function round(t: TestContext, path: string): Promise<{ took: number[]; signals: number }> {
  const blocked = start(t, process.execPath, [fileURLToPath(new URL('./programs/syncStorm.js', import.meta.url))]);
  assert.equal(await blocked.line(), 'ready');
  const storm = start(t, 'python3', ['-c', STORM, String(process.pid), String(blocked.pid)]);
  t.after(() => storm.process.kill('SIGKILL')); // before the test's handler is taken away: hooks run last made first
  assert.equal(await storm.line(), 'began');
  blocked.say('go');

  using counter = new Counter();
  using owner = new Counter();
  const begun = performance.now();
  const lasted = async (wait: Promise<unknown>): Promise<number> => {
    await assert.rejects(wait, { code: 'ETIMEDOUT' });
    return performance.now() - begun;
  };
  const times = await Promise.all([
    lasted(counter.take({ timeoutMs: 2000 })),
    lasted(
      callBlocking(
        (token) => native().blockingOpen(token, path, 0, 0),
        { timeoutMs: 2000 },
        { syscall: 'open' },
        owner,
      ),
    ),
  ]);
  const sync = JSON.parse(await blocked.line()) as { ended: string; took: number; signals: number };
  storm.process.kill('SIGKILL');
  await storm.ended;
  assert.equal(sync.ended, 'ETIMEDOUT');
  return { took: [...times, sync.took], signals: sync.signals };
}

test('a wait of 2 s takes 2 s under 1,000 signals a second: descriptor, blocked call, blocked thread', async (t) => {
  if (!peer(t, 'python3')) return;
  const folder = mkdtempSync(join(tmpdir(), 'ip-storm-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'fifo');
  check(native().mkfifo(path, 0o600), 'mkfifo');
  let signals = 0;
  const count = (): number => signals++;
  process.on('SIGWINCH', count);
  t.after(() => process.off('SIGWINCH', count));

  let least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let turn = 0; turn < ROUNDS && least.some((took) => took >= 2200); turn++) {
    signals = 0;
    const { took, signals: others } = await round(t, path);
    for (const one of took) assert.ok(one >= 2000, `2000 ms were ${one}`);
    assert.ok(signals > 100 && others > 0, `${signals} and ${others} signals came`);
    least = least.map((one, way) => Math.min(one, took[way] as number));
  }
  for (const took of least) assert.ok(took < 2200, `2000 ms were never less than ${took}`);
});
