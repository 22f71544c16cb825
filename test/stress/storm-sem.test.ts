import { test } from 'node:test';
import { storm } from '../support/storm.js';

for (const name of ['recoveringOne', 'recoveringThree', 'plainOne', 'plainThree', 'placedOne']) {
  test(`sem, ${name}: 8 processes take turns through 100 kills, and never are more inside than may be`, (t) =>
    storm(t, `sem:${name}`, { kills: 100 }));
}

test('sem, recoveringOne: the same with threads', (t) => storm(t, 'sem:recoveringOne', { kills: 100, who: 'threads' }));
