/** Children and pipelines, started so often that the smallest thing left behind would show. */
import { test } from 'node:test';
import { assertNothingLeaks } from '../support/rounds.js';

for (const kind of ['proc.spawn', 'proc.spawn fails', 'proc.openPid', 'proc.openPty']) {
  test(`${kind}, 100,000 times, leaves no descriptor, no child and no memory`, async (t) => {
    await assertNothingLeaks(t, kind);
  });
}

test('proc.spawn, nobody waits, 20,000 times, leaves no descriptor, no child and no memory', async (t) => {
  await assertNothingLeaks(t, 'proc.spawn, nobody waits', 20_000);
});

for (const kind of ['pipe.pipeline', 'pipe.pipeline with taps', 'pipe.pipeline fails']) {
  test(`${kind}, 20,000 times, leaves no descriptor, no child and no memory`, async (t) => {
    await assertNothingLeaks(t, kind, 20_000);
  });
}
