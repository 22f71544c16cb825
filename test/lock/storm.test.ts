import { describe, test } from 'node:test';
import { storm } from '../support/storm.js';

describe('eight take turns through 10 kills, who is to be alone is alone, nobody hangs, and each death is told once', () => {
  for (const name of ['mutex', 'rwlockShared', 'semaphoreThree', 'condition', 'barrier', 'latch']) {
    test(`${name}, 8 processes`, (t) => storm(t, `lock:${name}`, { kills: 10 }));
  }
  test('once, 8 processes', (t) => storm(t, 'lock:once', { kills: 10, form: 'async' }));
  test('mutex, 8 threads', (t) => storm(t, 'lock:mutex', { kills: 10, who: 'threads' }));
});
