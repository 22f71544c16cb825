import { test } from 'node:test';
import { storm } from '../support/storm.js';

test('eventfd: 8 processes take turns through 100 kills, and are alone each time', (t) =>
  storm(t, 'eventfd:semaphore', { kills: 100 }));
