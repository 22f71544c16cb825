import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { children, foreground } from '../../src/proc/index.js';
import { isAlive, leastProcessorTimeMs, stateOf, until } from '../support/proc.js';
import { dumps } from '../proc/support.js';
import { peer } from '../support/skips.js';
import { resting, run, start } from './cli.js';
import { CTRL_BACKSLASH, CTRL_C, CTRL_Z, shellInTerminal, type ShellInTerminal } from './shell.js';

test('it prints what the shell prints, and its exit status is the shell’s', async (t) => {
  const lines = [
    'seq 1000000 | sort -rn | head -n 3',
    'printf a | tr a b',
    'true | false',
    "sh -c 'exit 42'",
    "sh -c 'kill -KILL $$'",
    "true | sh -c 'kill -PIPE $$'",
  ];
  for (const line of lines) {
    const { code, stdout } = await run(t, ['run', line]);
    const shell = execFileSync('bash', ['-c', `{ ${line}; } 2>/dev/null; echo "status $?"`], { encoding: 'utf8' });
    assert.equal(`${stdout}status ${code}\n`, shell, line);
  }
});

test('--pipefail makes the last failure the exit status', async (t) => {
  for (const line of ['false | true', "sh -c 'exit 3' | true | true", 'seq 1000000 | head -n 1', 'true | true']) {
    const { code } = await run(t, ['run', '--pipefail', line]);
    const bash = `set -o pipefail; ${line} >/dev/null; echo $?`;
    assert.equal(code, Number(execFileSync('bash', ['-c', bash], { encoding: 'utf8' })), line);
  }
});

test('--json shows every stage with its real end, and what the pipeline prints goes to standard error', async (t) => {
  const { code, stdout, stderr } = await run(t, ['run', '--json', 'seq 1000000 | sort -rn | head -n 3']);
  assert.equal(code, 0);
  assert.equal(stderr, '1000000\n999999\n999998\n');
  const { stages, ok, status } = JSON.parse(String(stdout)) as {
    stages: Record<string, unknown>[];
    ok: boolean;
    status: number;
  };
  assert.equal(ok, false);
  assert.equal(status, 0);
  assert.deepEqual(
    stages.map(({ pid, seconds, ...rest }) => {
      assert.ok(Number.isInteger(pid) && Number(seconds) > 0);
      return rest.argv?.toString() === 'sort,-rn' ? { ...rest, bytesOut: Number(rest['bytesOut']) > 22 } : rest;
    }),
    [
      { argv: ['seq', '1000000'], code: 0, signal: null, coreDumped: false, bytesOut: 6_888_896, countedBy: 'io' },
      { argv: ['sort', '-rn'], code: null, signal: 'SIGPIPE', coreDumped: false, bytesOut: true, countedBy: 'io' },
      { argv: ['head', '-n', '3'], code: 0, signal: null, coreDumped: false, bytesOut: 22, countedBy: 'io' },
    ],
  );
});

test('with --progress the bytes of each edge are counted exactly', async (t) => {
  const { stdout } = await run(t, ['run', '--json', '--progress', 'seq 1000000 | cat | wc -l']);
  const { stages } = JSON.parse(String(stdout)) as { stages: { bytesOut: number; countedBy: string }[] };
  assert.deepEqual(
    stages.map(({ bytesOut, countedBy }) => [bytesOut, countedBy]),
    [
      [6_888_896, 'tap'],
      [6_888_896, 'tap'],
      [8, 'io'],
    ],
  );
});

test('what a signal has ended is told, as a shell tells it, and what SIGPIPE has ended is not', async (t) => {
  const { code, stderr } = await run(t, ['run', "sh -c 'kill -SEGV $$' | cat"]);
  assert.equal(code, 0);
  assert.match(
    stderr,
    /^interproc run: stage 1 of 2 \(sh\) was killed by SIGSEGV \(segmentation fault\)(, core dumped)?\n$/,
  );
  assert.equal((await run(t, ['run', 'yes | head -n 1'])).stderr, '');
});

test('standard input is that of the first stage', async (t) => {
  assert.equal(String((await run(t, ['run', 'tr a-z A-Z'], { input: 'from outside' })).stdout), 'FROM OUTSIDE');
});

test('what cannot be understood is 2 with the position, and a wrong number of words is 2', async (t) => {
  const { code, stderr } = await run(t, ['run', 'ls && pwd']);
  assert.equal(code, 2);
  assert.match(stderr, /^interproc run: "&&" at position 3: a list of commands cannot be; no shell is started/);
  assert.equal((await run(t, ['run'])).code, 2);
  assert.equal((await run(t, ['run', 'ls', '-l'])).code, 2);
});

test('a stage that cannot be started is 127 or 126, as in a shell, and names itself', async (t) => {
  const missing = await run(t, ['run', 'true | ./no-such-program']);
  assert.equal(missing.code, 127);
  assert.match(missing.stderr, /^interproc run: stage 2 of 2 \(\.\/no-such-program\): ENOENT: .*\n {2}no program/);
  assert.equal((await run(t, ['run', '/etc/passwd | cat'])).code, 126);
});

test('a signal that this process gets is passed on to every stage', async (t) => {
  const script = `sh -c 'trap "echo got >&2; exit 5" TERM; echo up >&2; while :; do sleep 0.01; done'`;
  const running = start(t, ['run', `${script} 2>&1 | cat`], { input: null });
  await running.said('up\n');
  running.kill('SIGTERM');
  assert.equal((await running.done).code, 143, 'cat was ended by it');
});

/** Types a command that runs this line; resolves when the pipeline has the foreground. */
async function foregroundJob(shell: ShellInTerminal, line: string): Promise<number> {
  await shell.shows('ready> ');
  await shell.type(`"$NODE" "$INTERPROC" run '${line}'\n`);
  await shell.shows('\r\n');
  return until('the pipeline is in the foreground', () => {
    const [cli] = children(shell.shell);
    if (cli === undefined) return undefined;
    const group = foreground(shell.pty);
    return group !== cli && group !== shell.shell && children(cli).includes(group) ? group : undefined;
  });
}

test('in a terminal Ctrl+C ends the pipeline and not the command line, which exits with 130', async (t) => {
  if (!peer(t, 'bash')) return;
  const shell = shellInTerminal(t);
  await foregroundJob(shell, 'echo up | cat - /dev/tty | cat');
  await shell.shows('up');
  await shell.type(CTRL_C);
  await shell.shows('ready> ');
  assert.equal(foreground(shell.pty), shell.shell);
  await shell.type('echo "status $?"\n');
  await shell.shows('status 130');
});

test('in a terminal Ctrl+\\ quits the pipeline with a core dump, and the command line says so', async (t) => {
  if (!peer(t, 'bash')) return;
  const shell = shellInTerminal(t);
  await shell.shows('ready> ');
  await shell.type('ulimit -c "$(ulimit -Hc)"\n');
  await foregroundJob(shell, 'cat /dev/tty');
  await shell.type(CTRL_BACKSLASH);
  const said = await shell.shows('ready> ');
  const dumped = dumps() ? ', core dumped' : '';
  assert.ok(said.includes(`stage 1 of 1 (cat) was killed by SIGQUIT (quit, Ctrl+\\)${dumped}`), said);
  await shell.type('echo "status $?"\n');
  await shell.shows('status 131');
});

test('in a terminal Ctrl+Z stops the pipeline and gives the shell its terminal; fg and bg go on with it', async (t) => {
  if (!peer(t, 'bash')) return;
  const shell = shellInTerminal(t);
  const group = await foregroundJob(shell, 'cat /dev/tty | cat');
  const [cli] = children(shell.shell);
  await shell.type('one\n');
  await shell.shows('one\r\none\r\n');
  await shell.type(CTRL_Z);
  await shell.shows('Stopped');
  await shell.shows('ready> ');
  assert.equal(foreground(shell.pty), shell.shell);
  for (const pid of [cli as number, ...children(cli as number)]) assert.equal(stateOf(pid), 'T');

  await shell.type('fg\n');
  await until('it has the terminal again', () => foreground(shell.pty) === group);
  await until('it goes on', () => stateOf(group) === 'S');
  await shell.type('two\n');
  await shell.shows('two\r\ntwo\r\n');

  await shell.type(CTRL_Z);
  await shell.shows('Stopped');
  await shell.shows('ready> ');
  await shell.type('set -o notify; bg\n');
  // In the background it may not read the terminal, and is stopped again, with the command line: bash tells of that.
  await shell.shows('Stopped');
  for (const pid of [cli as number, group]) assert.equal(stateOf(pid), 'T');
  assert.equal(foreground(shell.pty), shell.shell);
  await shell.type('fg\n');
  await until('it has the terminal again', () => foreground(shell.pty) === group);
  await until('it goes on', () => stateOf(group) === 'S');
  await shell.type(CTRL_C);
  await shell.shows('ready> ');
});

test('a hang-up of the terminal ends the command line and the pipeline, stopped or not', async (t) => {
  if (!peer(t, 'bash')) return;
  for (const stops of [true, false]) {
    const shell = shellInTerminal(t);
    const group = await foregroundJob(shell, 'cat /dev/tty | cat');
    const [cli = 0] = children(shell.shell);
    if (stops) {
      await shell.type(CTRL_Z);
      await shell.shows('Stopped');
    }
    shell.pty.close();
    await until('both are gone', () => !isAlive(cli) && !isAlive(group));
  }
});

test('joined to other programs it leaves the terminal alone, and Ctrl+C ends all of them', async (t) => {
  if (!peer(t, 'bash')) return;
  const shell = shellInTerminal(t);
  await shell.shows('ready> ');
  await shell.type(`"$NODE" "$INTERPROC" run 'sleep 1000 | cat' | cat\n`);
  const job = await until('the job runs', () => {
    const [cli] = children(shell.shell);
    return cli !== undefined && children(cli).length === 2 ? cli : undefined;
  });
  assert.equal(foreground(shell.pty), job, 'the shell’s job has it');
  await shell.type(CTRL_C);
  await shell.shows('ready> ');
  assert.deepEqual(children(shell.shell), []);
});

test('a pipeline that waits costs the command line no processor time', async (t) => {
  const running = start(t, ['run', 'cat | cat'], { input: null });
  running.write('up\n');
  await running.said('up\n');
  await resting(running);
  let said = 'up\n';
  const used = await leastProcessorTimeMs(running.pid, 21, async () => {
    for (let round = 0; round < 20; round++) {
      running.write('x');
      said += 'x';
      await running.said(said);
    }
  });
  assert.ok(used <= 20, `${used} ms`);
});
