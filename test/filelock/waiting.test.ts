/** What waits cost, and how they bear signals. */
import { test } from 'node:test';
import { assertNothingLeaks } from '../support/rounds.js';
import { assertWaitsBearSignals, assertWaitsSleep } from '../support/waiting.js';

const KINDS = ['flock', 'record', 'ofd', 'lockFile'];
const FORMS = ['acquire', 'acquireSync'];
const ALL = KINDS.flatMap((kind) => FORMS.map((form) => `filelock-${kind}.${form}`));

test('a wait for a lock takes no processor time, nor do a hundred', (t) =>
  assertWaitsSleep(t, [...ALL, 'filelock-ofd.hundred', 'filelock-flock.hundred']));

test('a thousand signals a second neither end a wait for a lock nor stretch it', (t) => assertWaitsBearSignals(t, ALL));

for (const kind of ['filelock.flock', 'filelock.ofd', 'filelock.record', 'filelock.lockFile', 'filelock.lease']) {
  test(`20,000 rounds of ${kind} leave no descriptor and no memory`, (t) => assertNothingLeaks(t, kind, 20_000));
}
test('5,000 rounds of filelock.ofd waits leave no descriptor and no memory', (t) =>
  assertNothingLeaks(t, 'filelock.ofd waits', 5000));
