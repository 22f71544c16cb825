/** What becomes of a lock when its holder ends: docs/filelock.md has the table. */
import { test } from 'node:test';
import { deaths } from '../support/deaths.js';

for (const kind of ['flock', 'ofd', 'record'] as const) {
  for (const [sentence, run] of deaths(kind, `filelock:${kind}`, {
    'is killed': 'comes back',
    exits: 'comes back',
    'executes another program': 'comes back',
    'was a worker': 'comes back',
    'is stopped': 'is kept until the process ends',
    'is a zombie': 'comes back',
  }))
    test(sentence, run);
}

for (const [sentence, run] of deaths('a lock file', 'filelock:lockFile', {
  'is killed': 'comes back',
  exits: 'is released',
  'executes another program': 'comes back',
  'was a worker': 'comes back',
  'is stopped': 'is kept until the process ends',
  'is a zombie': 'comes back',
}))
  test(sentence, run);

for (const [sentence, run] of deaths('a lock file that stays', 'filelock:lockFileThatStays', {
  'is killed': 'comes back',
  exits: 'is released',
}))
  test(sentence, run);
