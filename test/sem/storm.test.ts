/** Processes that are killed while they take turns by a POSIX semaphore. */
import { test } from 'node:test';
import { storm } from '../support/storm.js';

const SENTENCE = '10 of 8 processes that take turns are killed, and the others are alone each time, and soon';

test(`permits that come back: ${SENTENCE}`, (t) => storm(t, 'sem:recoveringOne', { kills: 10 }));

test(`one of libc’s, with somebody who gives back what was lost: ${SENTENCE}`, (t) =>
  storm(t, 'sem:plainOne', { kills: 10 }));
