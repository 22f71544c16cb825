import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCHEMES } from '../../src/channel/index.js';
import { conformance } from './suite.js';
import { mmapFile } from './support/ways.js';

conformance(mmapFile);

test('the way of this file is one of the schemes that a URL can have', () => {
  const scheme = mmapFile.scheme;
  assert.ok(SCHEMES.includes(scheme), scheme);
});
