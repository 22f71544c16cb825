/** What becomes of a lock when its holder ends: docs/filelock.md has the table. */
import { deaths } from '../support/deaths.js';

for (const kind of ['flock', 'ofd', 'record'] as const) {
  deaths(kind, `filelock:${kind}`, {
    'is killed': 'comes back',
    exits: 'comes back',
    'executes another program': 'comes back',
    'was a worker': 'comes back',
    'is stopped': 'is kept until the process ends',
    'is a zombie': 'comes back',
  });
}

for (const [what, name] of [
  ['a lock file', 'lockFile'],
  ['a lock file that stays', 'lockFileThatStays'],
] as const) {
  deaths(what, `filelock:${name}`, {
    'is killed': 'comes back',
    exits: 'is released',
    'executes another program': 'comes back',
    'was a worker': 'comes back',
    'is stopped': 'is kept until the process ends',
    'is a zombie': 'comes back',
  });
}
