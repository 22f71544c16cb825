import { test } from 'node:test';
import { storm } from '../support/storm.js';

for (const name of ['undoOne', 'undoThree', 'plainOne']) {
  test(`set, ${name}: 8 processes take turns through 100 kills, and never are more inside than may be`, (t) =>
    storm(t, `set:${name}`, { kills: 100 }));
}
