import { test } from 'node:test';
import { hostilePeer } from '../conformance/clauses/hostile.js';
import { within } from '../conformance/suite.js';
import { posixshm } from '../conformance/support/ways.js';

test('posixshm: 20,000 words of garbage break a channel and nothing else', (t) =>
  within(t, (scope) => hostilePeer(scope, posixshm, 'poke', 20_000)));

test('posixshm: words that change while they are read, 300 times, break a channel and nothing else', (t) =>
  within(t, (scope) => hostilePeer(scope, posixshm, 'race', 300)));
