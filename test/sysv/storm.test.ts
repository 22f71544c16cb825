/** Processes that are killed while they take turns by a semaphore set. */
import { test } from 'node:test';
import { storm } from '../support/storm.js';

test('a set with undo: 8 processes take turns through 10 kills: alone each time, and nobody waits for longer than a second', (t) =>
  storm(t, 'set:undoOne', { kills: 10 }));
