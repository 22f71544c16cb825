/** Processes that are killed while they take turns by an eventfd. */
import { test } from 'node:test';
import { storm } from '../support/storm.js';

test('a semaphore, with somebody who gives back what was lost: 10 of 8 processes that take turns are killed, and the others are alone each time, and soon', (t) =>
  storm(t, 'eventfd:semaphore', { kills: 10 }));
