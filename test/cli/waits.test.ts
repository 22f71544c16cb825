import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Waits } from '../../src/lock/index.js';
import { deadlockOf, short, Stage } from '../lock/waitsSupport.js';
import { peer } from '../support/skips.js';
import { run } from './cli.js';

test('a deadlock is told for people and for programs, and is exit code 1', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const [first, second] = [stage.file('first'), stage.file('second')];
  const one = await stage.having(`flock ${first} w`);
  const other = await stage.having(`ofd ${second} w`);
  one.say(`ofd ${second} w`);
  other.say(`flock ${first} w`);
  await deadlockOf(one, other);
  const { code, stdout, stderr } = await run(t, ['waits']);
  assert.deepEqual([code, stderr], [1, '']);
  assert.match(String(stdout), new RegExp(`deadlock:\n(.*\n)*.*waits for ${other.pid}: ofd ${second}`));
  const json = await run(t, ['waits', '--json']);
  const { edges } = JSON.parse(String(json.stdout)) as Waits;
  assert.equal(json.code, 1);
  assert.deepEqual(edges.filter(({ from }) => from.pid === one.pid).map(short), [
    [one.pid, other.pid, 'ofd', 'kernel'],
  ]);
});
