/** Processes, and threads, that are killed while they take turns by locks of files. */
import { describe, test } from 'node:test';
import { storm } from '../support/storm.js';

describe('10 of 8 that take turns are killed, and the others are alone each time, and soon', { concurrency: 2 }, () => {
  for (const kind of ['flock', 'ofd', 'record', 'lockFile']) {
    test(`${kind}, in 8 processes`, (t) => storm(t, `filelock:${kind}`, { kills: 10 }));
  }

  test('ofd, in 8 threads', (t) => storm(t, 'filelock:ofd', { kills: 10, who: 'threads' }));
});
