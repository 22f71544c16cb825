/** What becomes of a permit of a set when its holder ends: docs/sysv.md has the table. */
import { test } from 'node:test';
import { deaths } from '../support/deaths.js';

for (const [sentence, run] of deaths('a set without undo', 'set:plainOne', {
  'is killed': 'is lost',
  exits: 'is lost',
  'executes another program': 'is lost',
  'was a worker': 'is lost',
  'is stopped': 'is kept, and lost when the process ends',
  'is a zombie': 'is lost',
}))
  test(sentence, run);

for (const [sentence, run] of deaths('a set with undo', 'set:undoOne', {
  'is killed': 'comes back',
  exits: 'comes back',
  'executes another program': 'is kept until the process ends',
  'was a worker': 'is kept until the process ends',
  'is stopped': 'is kept until the process ends',
  'is a zombie': 'comes back',
}))
  test(sentence, run);
