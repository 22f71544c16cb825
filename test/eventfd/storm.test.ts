/** Processes that are killed while they take turns by an eventfd. */
import { test } from 'node:test';
import { storm } from '../support/storm.js';

test('a semaphore, with somebody who gives back what was lost: 8 processes take turns through 10 kills: alone each time, and nobody waits for longer than a second', (t) =>
  storm(t, 'eventfd:semaphore', { kills: 10 }));
