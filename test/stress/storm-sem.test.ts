import { test } from 'node:test';
import { storm } from '../support/storm.js';

for (const name of ['recoveringOne', 'recoveringThree', 'plainOne', 'plainThree', 'placedOne']) {
  test(`sem: 100 of 8 processes that take turns by ${name} are killed, and never are more inside than may be`, (t) =>
    storm(t, `sem:${name}`, { kills: 100 }));
}

test('sem: the same by recoveringOne with 100 threads that are terminated', (t) =>
  storm(t, 'sem:recoveringOne', { kills: 100, who: 'threads' }));
