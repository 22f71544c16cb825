import { test } from 'node:test';
import { hostilePeer } from './clauses/hostile.js';
import { within } from './suite.js';
import { posixshm } from './support/ways.js';

test('posixshm: a peer that writes garbage into the ring breaks the channel and nothing else', (t) =>
  within(t, (scope) => hostilePeer(scope, posixshm, 'poke', 300)));

test('posixshm: a peer that changes words while they are read breaks the channel and nothing else', (t) =>
  within(t, (scope) => hostilePeer(scope, posixshm, 'race', 8)));
