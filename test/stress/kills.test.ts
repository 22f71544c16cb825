import { test } from 'node:test';
import { receiversKilled, sendersKilled } from '../conformance/clauses/kills.js';
import { within } from '../conformance/suite.js';
import { posixshm, shm } from '../conformance/support/ways.js';

for (const way of [posixshm, shm]) {
  test(`${way.name} senders that are killed 500 times leave whole messages and nothing else`, (t) =>
    within(t, (scope) => sendersKilled(scope, way, 500)));

  test(`${way.name} a sender goes on after 500 receivers that were killed`, (t) =>
    within(t, (scope) => receiversKilled(scope, way, 500)));
}
