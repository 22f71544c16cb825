import { test } from 'node:test';
import { storm } from '../support/storm.js';

for (const name of ['flock', 'ofd', 'record', 'flockShared', 'ofdShared', 'recordShared']) {
  test(`filelock: 100 of 8 processes that take turns by ${name} are killed, and who is to be alone is alone each time`, (t) =>
    storm(t, `filelock:${name}`, { kills: 100 }));
}
