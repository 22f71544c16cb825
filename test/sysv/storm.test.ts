/** Processes that are killed while they take turns by a semaphore set. */
import { test } from 'node:test';
import { storm } from '../support/storm.js';

test('a set with undo: 10 of 8 processes that take turns are killed, and the others are alone each time, and soon', (t) =>
  storm(t, 'set:undoOne', { kills: 10 }));
