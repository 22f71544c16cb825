import { test } from 'node:test';
import { storm } from '../support/storm.js';

const SENTENCE = 'who is to be alone is alone, nobody hangs, and each death is told once';

for (const name of [
  'mutex',
  'rwlock',
  'rwlockShared',
  'semaphoreOne',
  'semaphoreThree',
  'condition',
  'barrier',
  'latch',
  'once',
]) {
  const form = name === 'once' ? 'async' : 'either';
  test(`${name}: 8 processes take turns through 100 kills, ${SENTENCE}`, (t) =>
    storm(t, `lock:${name}`, { kills: 100, form }));
}

for (const name of ['mutex', 'rwlockShared', 'semaphoreThree', 'condition', 'barrier']) {
  test(`${name}: the same with threads`, (t) => storm(t, `lock:${name}`, { kills: 100, who: 'threads' }));
}
