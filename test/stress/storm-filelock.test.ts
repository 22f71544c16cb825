import { test } from 'node:test';
import { storm } from '../support/storm.js';

for (const name of ['flock', 'ofd', 'record', 'flockShared', 'ofdShared', 'recordShared']) {
  test(`${name}: 8 processes take turns through 100 kills, and who is to be alone is alone each time`, (t) =>
    storm(t, `filelock:${name}`, { kills: 100 }));
}
