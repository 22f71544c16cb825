/** Processes that are killed while they take turns by locks of files. */
import { test } from 'node:test';
import { storm } from '../support/storm.js';

for (const kind of ['flock', 'ofd', 'record', 'lockFile', 'lockFileThatStays']) {
  test(`${kind}: a storm`, { concurrency: true }, (t) => storm(t, `filelock:${kind}`, { kills: 10 }));
}
