/** What becomes of a permit when its holder ends: docs/sem.md has the table. */
import { test } from 'node:test';
import { deaths } from '../support/deaths.js';

for (const [sentence, run] of deaths('a semaphore of sem_open(3)', 'sem:plainOne', {
  'is killed': 'is lost',
  exits: 'is lost',
  'executes another program': 'is lost',
  'was a worker': 'is lost',
  'is stopped': 'is kept, and lost when the process ends',
  'is a zombie': 'is lost',
}))
  test(sentence, run);

for (const [sentence, run] of deaths('a semaphore in memory', 'sem:placedOne', {
  'is killed': 'is lost',
  'was a worker': 'is lost',
}))
  test(sentence, run);

for (const [sentence, run] of deaths('a semaphore whose permits come back', 'sem:recoveringOne', {
  'is killed': 'comes back',
  exits: 'comes back',
  'executes another program': 'comes back',
  'was a worker': 'comes back',
  'is stopped': 'is kept until the process ends',
  'is a zombie': 'comes back',
}))
  test(sentence, run);
