import { test } from 'node:test';
import { storm } from '../support/storm.js';

for (const name of ['lockFile', 'lockFileThatStays']) {
  test(`${name}: 100 of 8 processes that take turns are killed, they are alone each time, and each death is told once`, (t) =>
    storm(t, `filelock:${name}`, { kills: 100 }));
}

for (const name of ['flock', 'ofd', 'lockFile']) {
  test(`${name}: the same with 100 threads that are terminated`, (t) =>
    storm(t, `filelock:${name}`, { kills: 100, who: 'threads' }));
}
