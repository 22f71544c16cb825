import { test } from 'node:test';
import { assertNothingLeaks } from '../support/rounds.js';

// test/stress/children.test.ts does the same 100,000 times.
for (const kind of ['proc.spawn', 'proc.spawn fails', 'proc.spawn, nobody waits', 'proc.openPid', 'proc.openPty']) {
  test(`${kind}, 2,000 times, leaves no descriptor, no child and no memory`, async (t) => {
    await assertNothingLeaks(t, kind, 2_000);
  });
}
