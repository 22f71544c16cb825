import { test } from 'node:test';
import { assertNothingLeaks } from '../support/rounds.js';

for (const kind of ['fifo.tryOpenReader', 'fifo.create', 'signal.notify']) {
  test(`100,000 rounds of ${kind} leave no descriptor and no memory`, (t) => assertNothingLeaks(t, kind));
}
for (const kind of ['fifo.openReaderSync', 'fifo.openReadWrite fails']) {
  test(`10,000 rounds of ${kind} leave no descriptor and no memory`, (t) => assertNothingLeaks(t, kind, 10_000));
}
