import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCHEMES } from '../../src/channel/index.js';
import { conformance } from './suite.js';
import { systemVSegment } from './support/ways.js';

conformance(systemVSegment);

test('the way of this file is one of the schemes that a URL can have', () => {
  const scheme = systemVSegment.scheme;
  assert.ok(SCHEMES.includes(scheme), scheme);
});
