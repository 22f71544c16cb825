import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { children } from '../../src/proc/index.js';
import { temporaryFolder } from '../support/folder.js';
import { run, start } from './cli.js';

/** Tells its pid, handles SIGTERM, and ends at the end of its standard input. */
const COMMAND = ['sh', '-c', 'trap "echo got term; exit 7" TERM; echo up $$; while read -r line; do :; done; exit 3'];

test('the action is done when the signal arrives, the command goes on, and its exit status is the status', async (t) => {
  const running = start(t, ['trap', 'echo "$INTERPROC_SIGNAL $INTERPROC_PID"', 'USR2', 'RTMIN+1', '--', ...COMMAND], {
    input: null,
  });
  await running.said('up ');
  const [pid] = children(running.pid);
  running.kill('SIGUSR2');
  await running.said(`up ${pid}\nSIGUSR2 ${pid}\n`);
  running.kill('SIGTERM');
  const { code, stdout } = await running.done;
  assert.equal(String(stdout), `up ${pid}\nSIGUSR2 ${pid}\ngot term\n`, 'what is not trapped is passed on');
  assert.equal(code, 7);
});

test('a trapped SIGTERM ends neither', async (t) => {
  const running = start(t, ['trap', 'echo no', 'TERM', '--', 'sh', '-c', 'echo up; read line; exit 3'], {
    input: null,
  });
  await running.said('up\n');
  running.kill('SIGTERM');
  await running.said('up\nno\n');
  running.write('end\n');
  assert.equal((await running.done).code, 3);
});

test('an empty action ignores the signal here and in the command, and - leaves it alone', async (t) => {
  const script = 'kill -TERM $PPID; kill -TERM $$; exit 5';
  assert.equal((await run(t, ['trap', '', 'TERM', '--', 'sh', '-c', script])).code, 5);
  assert.equal((await run(t, ['trap', '-', 'TERM', '--', 'sh', '-c', script])).code, 143);
});

test('options behind -- belong to the command', async (t) => {
  const { code, stdout } = await run(t, ['trap', '', 'HUP', '--', 'printf', '%s,', '--json', '-a', '--', 'x']);
  assert.equal(code, 0);
  assert.equal(String(stdout), '--json,-a,--,x,');
});

test('what cannot be run is 127 or 126 with the reason, as in a shell; what cannot be meant is 2', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'text'), 'no program\n', { mode: 0o600 });
  mkdirSync(join(folder, 'folder'));
  for (const [file, code, exitCode] of [
    ['./no-such-program', 'ENOENT', 127],
    ['./text', 'EACCES', 126],
    ['./folder', 'EACCES', 126],
  ] as const) {
    const refused = await run(t, ['trap', '', 'HUP', '--', file], { cwd: folder });
    assert.match(refused.stderr, new RegExp(`^interproc trap: ${code}.*execve '${file}'\\n {2}`));
    assert.equal(refused.code, exitCode);
    assert.equal(spawnSync('sh', ['-c', file], { cwd: folder, stdio: 'ignore' }).status, exitCode, 'as sh has it');
  }
  for (const [words, message] of [
    [['x', '--', 'true'], /at least one signal/],
    [['--', 'true'], /ACTION/],
    [['x', 'HUP', '--'], /ACTION/],
    [['x', 'TREM', '--', 'true'], /did you mean SIGTERM/],
    [['x', '0', '--', 'true'], /0 is no signal/],
    [['x', 'USR1', '--', 'true'], /SIGUSR1 is reserved/],
  ] as const) {
    const { code, stderr } = await run(t, ['trap', ...words]);
    assert.match(stderr, message);
    assert.equal(code, 2, stderr);
  }
  const kill = await run(t, ['trap', 'x', 'KILL', '--', 'true']);
  assert.equal(kill.code, 1);
  assert.match(kill.stderr, /EINVAL.*\n.*SIGKILL/);
});
