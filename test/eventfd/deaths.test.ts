/** What becomes of a count that was taken when who took it ends: docs/eventfd.md has the table. */
import { test } from 'node:test';
import { deaths } from '../support/deaths.js';

for (const [sentence, run] of deaths('an eventfd as a semaphore', 'eventfd:semaphore', {
  'is killed': 'is lost',
  exits: 'is lost',
  'executes another program': 'is lost',
  'was a worker': 'is lost',
  'is stopped': 'is kept, and lost when the process ends',
  'is a zombie': 'is lost',
}))
  test(sentence, run);
