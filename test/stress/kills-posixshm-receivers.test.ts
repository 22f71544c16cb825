import { test } from 'node:test';
import { receiversKilled } from '../conformance/clauses/kills.js';
import { within } from '../conformance/suite.js';
import { posixshm } from '../conformance/support/ways.js';

test('posixshm: a sender goes on after 500 receivers that were killed', (t) =>
  within(t, (scope) => receiversKilled(scope, posixshm, 500)));
