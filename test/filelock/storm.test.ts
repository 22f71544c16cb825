/** Processes, and threads, that are killed while they take turns by locks of files. */
import { describe, test } from 'node:test';
import { storm } from '../support/storm.js';

describe('8 take turns through 10 kills: alone each time, and nobody waits for longer than a second', {
  concurrency: 2,
}, () => {
  for (const kind of ['flock', 'ofd', 'record', 'lockFile']) {
    test(`${kind}, 8 processes`, (t) => storm(t, `filelock:${kind}`, { kills: 10 }));
  }

  test('ofd, 8 threads', (t) => storm(t, 'filelock:ofd', { kills: 10, who: 'threads' }));
});
