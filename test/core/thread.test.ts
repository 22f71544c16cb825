/** The form of the poller with a thread (INTERPROC_POLLER=thread) behaves as the other: the same tests, once more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { start } from '../support/program.js';

for (const name of ['readiness', 'blocking', 'ending', 'storm']) {
  test(`${name}.test.js passes with a thread that polls`, async (t) => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const file = fileURLToPath(new URL(`./${name}.test.js`, import.meta.url));
    const child = start(t, process.execPath, ['--test-reporter=tap', file], {
      env: { ...env, NODE_TEST_CONTEXT: undefined, INTERPROC_POLLER: 'thread' },
    });
    let said = '';
    child.process.stdout?.on('data', (text) => {
      said += text;
    });
    assert.deepEqual(await child.ended, { code: 0, signal: null }, said + child.errors());
    assert.match(said, /^# pass [1-9]/m);
  });
}
