/** Processes that are killed while they take turns by a POSIX semaphore. */
import { test } from 'node:test';
import { storm } from '../support/storm.js';

const SENTENCE = '8 processes take turns through 10 kills: alone each time, and nobody waits for longer than a second';

test(`permits that come back: ${SENTENCE}`, (t) => storm(t, 'sem:recoveringOne', { kills: 10 }));

test(`one of libc’s, with somebody who gives back what was lost: ${SENTENCE}`, (t) =>
  storm(t, 'sem:plainOne', { kills: 10 }));
