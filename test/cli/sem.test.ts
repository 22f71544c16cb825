/** `interproc sem`: at most so many at once under one name. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as filelock from '../../src/filelock/index.js';
import { children } from '../../src/proc/index.js';
import * as sem from '../../src/sem/index.js';
import { temporaryFolder, randomName } from '../support/folder.js';
import { until } from '../support/proc.js';
import { run, start } from './cli.js';

const fileOf = (name: string): string => `/dev/shm/interproc-sem.${name}`;
/** Says that it runs, and ends with 3 at the end of its input. */
const COMMAND = ['sh', '-c', 'echo up; while read -r line; do :; done; exit 3'];

test('of many commands at most so many run at once, all of them do, and nothing is left', async (t) => {
  const name = randomName('cli');
  const file = join(temporaryFolder(t), 'marks');
  const script = `printf + >> "$1"; i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; printf - >> "$1"`;
  const all = Array.from({ length: 8 }, () => run(t, ['sem', name, '-j', '2', '--', 'sh', '-c', script, 'sh', file]));
  for (const { code, stderr } of await Promise.all(all)) assert.deepEqual([code, stderr], [0, '']);
  const marks = readFileSync(file, 'utf8');
  assert.equal(marks.length, 16);
  let inside = 0;
  for (const mark of marks) {
    inside += mark === '+' ? 1 : -1;
    assert.ok(inside <= 2 && inside >= 0, marks);
  }
  assert.equal(existsSync(fileOf(name)), false);
});

test('the exit status is the command’s, options behind -- are its own, and its signals are passed on', async (t) => {
  const name = randomName('cli');
  const { code, stdout } = await run(t, ['sem', name, '--', 'sh', '-c', 'echo "$@"; exit 5', 'sh', '-j', '--fg']);
  assert.deepEqual([code, String(stdout)], [5, '-j --fg\n']);
  const running = start(
    t,
    ['sem', `/${name}`, '--fg', '--', 'sh', '-c', 'trap "exit 9" TERM; echo up; read line; exit 1'],
    { input: null },
  );
  await running.said('up\n');
  running.kill('SIGTERM');
  assert.equal((await running.done).code, 9);
  assert.equal((await run(t, ['sem', name, '--', 'sh', '-c', 'kill -KILL $$'])).code, 137);
  const missing = await run(t, ['sem', name, '--', './no-such-program']);
  assert.deepEqual([missing.code, existsSync(fileOf(name))], [127, false]);
});

test('who waits begins when another has ended, --timeout gives up with 1, and a signal ends the wait', async (t) => {
  const name = randomName('cli');
  const first = start(t, ['sem', name, '--', ...COMMAND], { input: null });
  await first.said('up\n');
  const late = await run(t, ['sem', name, '--timeout', '0', '--', 'true']);
  assert.deepEqual([late.code, /^interproc sem: ETIMEDOUT/.test(late.stderr)], [1, true], late.stderr);
  assert.equal((await run(t, ['sem', name, '--timeout', '0.1', '--', 'true'])).code, 1);
  const stopped = start(t, ['sem', name, '--', 'true']);
  const second = start(t, ['sem', name, '--', 'echo', 'second']);
  using handle = sem.open(`/${name}`, { recover: true });
  await until('both wait', () => waitersOf(name) >= 2);
  stopped.kill('SIGTERM');
  assert.equal((await stopped.done).code, 143);
  first.write('');
  first.kill('SIGKILL');
  assert.equal((await first.done).signal, 'SIGKILL');
  assert.equal(String((await second.done).stdout), 'second\n');
  assert.equal(handle.value, 1);
  sem.unlink(`/${name}`, { recover: true });
});

/** How many wait for it: each has a read lock on the byte behind that of the users, and the kernel shows both as one. */
function waitersOf(name: string): number {
  return filelock.holders(fileOf(name)).filter(({ offset, length }) => offset === 2n ** 40n && length === 2n).length;
}

test('a command whose sem is killed keeps its place until it ends itself', async (t) => {
  const name = randomName('cli');
  const first = start(t, ['sem', name, '--', 'sleep', '1000']);
  using handle = sem.openOrCreate(`/${name}`, { recover: true, value: 1, temporary: true });
  await until('it runs', () => handle.value === 0 && children(first.pid).length === 1);
  const [command] = children(first.pid) as [number];
  t.after(() => {
    try {
      process.kill(command, 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  first.kill('SIGKILL');
  const late = await run(t, ['sem', name, '--timeout', '0.2', '--', 'true']);
  assert.equal(late.code, 1);
  process.kill(command, 'SIGKILL');
  assert.equal((await run(t, ['sem', name, '--timeout', '20', '--', 'true'])).code, 0);
});

test('--wait waits for the end of all, --json tells how many run, and that nobody uses the name is no error', async (t) => {
  const name = randomName('cli');
  assert.equal((await run(t, ['sem', name, '--wait'])).code, 0);
  const told = async (): Promise<unknown> => JSON.parse(String((await run(t, ['sem', name, '--json'])).stdout));
  assert.deepEqual(await told(), { name: `/${name}`, jobs: null, running: 0 });
  const first = start(t, ['sem', name, '-j', '3', '--', ...COMMAND], { input: null });
  await first.said('up\n');
  assert.deepEqual(await told(), { name: `/${name}`, jobs: 3, running: 1 });
  assert.equal((await run(t, ['sem', name, '--wait', '--timeout', '0.05'])).code, 1);
  const wait = run(t, ['sem', name, '--wait']);
  first.kill('SIGTERM');
  assert.equal((await first.done).code, 143);
  assert.equal((await wait).code, 0);
});

test('another number for a name that is in use is an error that tells both', async (t) => {
  const name = randomName('cli');
  const first = start(t, ['sem', name, '-j', '2', '--', ...COMMAND], { input: null });
  await first.said('up\n');
  const refused = await run(t, ['sem', name, '-j', '3', '--', 'true']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /have it for 2 at once, and -j says 3/);
  first.kill('SIGTERM');
  await first.done;
});

test('what cannot be meant is 2', async (t) => {
  for (const words of [
    ['sem'],
    ['sem', 'a'],
    ['sem', 'a', 'b', '--', 'true'],
    ['sem', 'a/b', '--', 'true'],
    ['sem', 'a', '-j', '0', '--', 'true'],
    ['sem', 'a', '-j', 'x', '--', 'true'],
    ['sem', 'a', '--timeout', '-1', '--', 'true'],
    ['sem', 'a', '--wait', '--', 'true'],
    ['sem', '--', 'true'],
  ]) {
    const { code, stderr } = await run(t, words);
    assert.equal(code, 2, `${words.join(' ')}: ${stderr}`);
  }
});
