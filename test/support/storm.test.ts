/** That a storm finds what it is for: each of these primitives breaks one promise. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storm } from './storm.js';
import type { Point } from './storms/arena.js';

const INSIDE: Point[] = ['inside, with the counter changed'];

for (const [promise, name, points, finding] of [
  ['lets two in who are to be alone', 'letsTwoIn', INSIDE, /is let in while .* is inside, and lives/],
  ['lets somebody in while others share', 'sharesWithAnyone', INSIDE, /, and lives|shares a turn/],
  ['stays taken when its holder dies', 'hangs', INSIDE, /has been waiting for \d+ ms/],
  ['takes one who is stopped for dead', 'robsTheSlow', INSIDE, /is let in while .* is inside, and lives/],
  ['keeps silent about a death', 'keepsSilent', INSIDE, /was not told of the death that it sees/],
  ['tells of a death twice', 'tellsTwice', INSIDE, /2 deaths were told, and should have been \d to 1/],
  ['tells of a death that was none', 'tellsAnyway', undefined, /deaths were told, and should have been 0 to 0/],
  ['loses no permit though it is said to', 'losesNothing', INSIDE, /0 turns are lost, and should be 1 to 1/],
] as const) {
  test(`a storm finds a primitive that ${promise}`, async (t) => {
    await assert.rejects(storm(t, `broken:${name}`, { kills: 1, who: 'threads', ...(points && { points }) }), finding);
  });
}
