import { test } from 'node:test';
import { storm } from '../support/storm.js';

for (const name of ['undoOne', 'undoThree', 'plainOne']) {
  test(`set: 100 of 8 processes that take turns by ${name} are killed, and never are more inside than may be`, (t) =>
    storm(t, `set:${name}`, { kills: 100 }));
}
