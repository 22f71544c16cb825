import { test } from 'node:test';
import { storm } from '../support/storm.js';

for (const name of ['lockFile', 'lockFileThatStays']) {
  test(`${name}: 8 processes take turns through 100 kills, are alone each time, and each death is told once`, (t) =>
    storm(t, `filelock:${name}`, { kills: 100 }));
}

for (const name of ['flock', 'ofd', 'lockFile']) {
  test(`${name}: the same with threads`, (t) => storm(t, `filelock:${name}`, { kills: 100, who: 'threads' }));
}
