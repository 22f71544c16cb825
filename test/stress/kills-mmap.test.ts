import { test } from 'node:test';
import { receiversKilled, sendersKilled } from '../conformance/clauses/kills.js';
import { within } from '../conformance/suite.js';
import { mmapFile } from '../conformance/support/ways.js';

test('mmap: 200 senders that are killed leave whole messages and nothing else', (t) =>
  within(t, (scope) => sendersKilled(scope, mmapFile, 200)));

test('mmap: a sender goes on after 200 receivers that were killed', (t) =>
  within(t, (scope) => receiversKilled(scope, mmapFile, 200)));
