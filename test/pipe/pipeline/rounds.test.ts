import { test } from 'node:test';
import { assertNothingLeaks } from '../../support/rounds.js';

// test/stress/children.test.ts does the same more often.
for (const kind of ['pipe.pipeline', 'pipe.pipeline with taps', 'pipe.pipeline fails']) {
  test(`${kind}, 300 times, leaves no descriptor, no child and no memory`, async (t) => {
    await assertNothingLeaks(t, kind, 300);
  });
}
