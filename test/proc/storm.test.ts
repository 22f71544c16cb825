import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peer } from '../support/skips.js';
import { start, startFixture } from '../support/program.js';

test('200 children end at once while signals pour in: every end is seen, no zombie stays, child_process is unharmed', async (t) => {
  if (!peer(t, 'perl')) return;
  const program = startFixture(t, 'proc-storm');
  assert.equal(await program.line(), 'ready', program.errors());
  // Some thousands a second: a flood without a pause keeps libuv reading signals, and it comes to nothing else.
  const storm = 'while (kill "USR2", $ARGV[0]) { select undef, undef, undef, 0.0002 }';
  const perl = start(t, 'perl', ['-e', storm, String(program.pid)]);
  const told = JSON.parse(await program.line()) as { wrong: string[]; signals: number; children: number[] };
  await program.ended;
  await perl.ended;
  assert.deepEqual(told.wrong, []);
  assert.deepEqual(told.children, []);
  assert.ok(told.signals > 10, `${told.signals} signals were handled meanwhile`);
  t.diagnostic(`${told.signals} signals were handled meanwhile`);
});
