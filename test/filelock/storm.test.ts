/** Processes that are killed while they take turns by locks of files. */
import { describe, test } from 'node:test';
import { storm } from '../support/storm.js';

describe('filelock', { concurrency: 2 }, () => {
  for (const kind of ['flock', 'ofd', 'record', 'lockFile']) {
    test(`${kind}: 10 of 8 processes that take turns are killed, and the others are alone each time, and soon`, (t) =>
      storm(t, `filelock:${kind}`, { kills: 10 }));
  }

  test('ofd: the same with threads that are terminated', (t) =>
    storm(t, 'filelock:ofd', { kills: 10, who: 'threads' }));
});
