import { test } from 'node:test';
import { receiversKilled, sendersKilled } from '../conformance/clauses/kills.js';
import { within } from '../conformance/suite.js';
import { systemVSegment } from '../conformance/support/ways.js';

test('sysvshm: 200 senders that are killed leave whole messages and nothing else', (t) =>
  within(t, (scope) => sendersKilled(scope, systemVSegment, 200)));

test('sysvshm: a sender goes on after 200 receivers that were killed', (t) =>
  within(t, (scope) => receiversKilled(scope, systemVSegment, 200)));
