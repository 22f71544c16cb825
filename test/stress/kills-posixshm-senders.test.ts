import { test } from 'node:test';
import { sendersKilled } from '../conformance/clauses/kills.js';
import { within } from '../conformance/suite.js';
import { posixshm } from '../conformance/support/ways.js';

test('posixshm: 500 senders that are killed leave whole messages and nothing else', (t) =>
  within(t, (scope) => sendersKilled(scope, posixshm, 500)));
