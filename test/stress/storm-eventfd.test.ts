import { test } from 'node:test';
import { storm } from '../support/storm.js';

test('eventfd: 100 of 8 processes that take turns by a semaphore are killed, and they are alone each time', (t) =>
  storm(t, 'eventfd:semaphore', { kills: 100 }));
