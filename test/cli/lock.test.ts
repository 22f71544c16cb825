import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { holders } from '../../src/filelock/index.js';
import { children } from '../../src/proc/index.js';
import { temporaryFolder } from '../support/folder.js';
import { isAlive, until } from '../support/proc.js';
import { start as startProgram } from '../support/program.js';
import { peer } from '../support/skips.js';
import { flockIsFree } from '../filelock/support.js';
import { MAIN, run, start } from './cli.js';

interface Told {
  path: string;
  locked?: boolean;
  waitedSeconds?: number;
  holders: { kind: string; pid: number | null; pids: number[]; command: string; shared: boolean; waiting: boolean }[];
  code?: number | null;
  signal?: string | null;
}

/** Locks until its input ends. */
const HELD = ['--', 'sh', '-c', 'echo held; read line; exit 3'];

test('the exit status is that of the command, and flock(1) gives the same', async (t) => {
  if (!peer(t, 'flock')) return;
  const cwd = temporaryFolder(t);
  for (const script of ['exit 0', 'exit 42', 'kill -KILL $$', 'kill -TERM $$']) {
    const { code, stderr } = await run(t, ['lock', 'f', '--', 'sh', '-c', script], { cwd });
    assert.equal(code, spawnSync('flock', ['g', 'sh', '-c', script], { cwd }).status, script);
    assert.equal(stderr, '');
  }
  assert.equal((await run(t, ['lock', 'f', '-c', 'exit 5'], { cwd })).code, 5);
  const missing = await run(t, ['lock', 'f', '--', './no-such-program'], { cwd });
  assert.deepEqual([missing.code, /^interproc lock: ENOENT/.test(missing.stderr)], [127, true]);
  assert.equal(flockIsFree(join(cwd, 'f')), true);
});

test('the file is made as flock(1) makes it, a folder is locked as it is, and nothing is made through a link', async (t) => {
  const cwd = temporaryFolder(t);
  execFileSync('sh', ['-c', `umask 027; exec "$0" "$@"`, process.execPath, MAIN, 'lock', 'new', '--', 'true'], { cwd });
  assert.equal(statSync(join(cwd, 'new')).mode & 0o7777, 0o640);
  mkdirSync(join(cwd, 'folder'));
  assert.equal((await run(t, ['lock', 'folder', '--', 'true'], { cwd })).code, 0);
  symlinkSync('elsewhere', join(cwd, 'dangling'));
  const refused = await run(t, ['lock', 'dangling', '--', 'true'], { cwd });
  assert.deepEqual([refused.code, existsSync(join(cwd, 'elsewhere'))], [1, false]);
  assert.match(refused.stderr, /ELOOP/);
});

test('who comes second waits, or fails with -n and -w, with 1 or what -E says, and says nothing, as flock(1)', async (t) => {
  if (!peer(t, 'flock')) return;
  const cwd = temporaryFolder(t);
  const path = join(cwd, 'f');
  const first = start(t, ['lock', 'f', ...HELD], { cwd, input: null });
  await first.said('held\n');
  for (const [options, code] of [
    [['-n'], 1],
    [['-w', '0.05'], 1],
    [['-w', '0'], 1],
    [['-n', '-E', '75'], 75],
    [['-s', '-n'], 1],
    [['-n', '-E', '0'], 0],
  ] as const) {
    const { stdout, stderr, ...ended } = await run(t, ['lock', ...options, 'f', '--', 'echo', 'no'], { cwd });
    assert.deepEqual([ended.code, String(stdout), stderr], [code, '', ''], options.join(' '));
    assert.equal(spawnSync('flock', [...options, 'f', 'echo', 'no'], { cwd }).status, code, 'flock(1) differs');
  }
  const second = start(t, ['lock', 'f', '--', 'echo', 'second'], { cwd });
  await until('the second waits', () => holders(path).some(({ waiting }) => waiting));
  first.write('end\n');
  assert.equal((await first.done).code, 3);
  assert.equal(String((await second.done).stdout), 'second\n');
});

test('shared locks share, exclusive ones do not', async (t) => {
  const cwd = temporaryFolder(t);
  const first = start(t, ['lock', '-s', 'f', ...HELD], { cwd, input: null });
  await first.said('held\n');
  assert.equal((await run(t, ['lock', '--shared', '-n', 'f', '--', 'true'], { cwd })).code, 0);
  for (const words of [['-x'], ['-e'], []]) {
    assert.equal((await run(t, ['lock', ...words, '-n', 'f', '--', 'true'], { cwd })).code, 1);
  }
});

test('--json tells who has it: before, when it was not got, and after the command', async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, 'f'), '');
  const json = async (...words: string[]): Promise<Told & { exit: number | null }> => {
    const { stdout, code } = await run(t, ['lock', '--json', ...words], { cwd });
    return { ...(JSON.parse(String(stdout)) as Told), exit: code };
  };
  assert.deepEqual(await json('f'), { path: 'f', holders: [], exit: 0 });
  const first = start(t, ['lock', 'f', ...HELD], { cwd, input: null });
  await first.said('held\n');
  const { holders: found } = await json('f');
  assert.deepEqual(
    found.map(({ kind, pid, shared, waiting }) => [kind, pid, shared, waiting]),
    [['flock', first.pid, false, false]],
  );
  assert.match(found[0]?.command ?? '', /lock f --/);
  assert.deepEqual(
    [...(found[0]?.pids ?? [])].sort((a, b) => a - b),
    [first.pid, ...children(first.pid)].sort((a, b) => a - b),
    'the command has it, too',
  );
  const refused = await json('-n', 'f', '--', 'true');
  assert.deepEqual([refused.locked, refused.code, refused.holders.length, refused.exit], [false, null, 1, 1]);
  first.write('end\n');
  await first.done;
  const got = await json('f', '--', 'sh', '-c', 'echo out; exit 4');
  assert.deepEqual([got.locked, got.code, got.signal, got.holders, got.exit], [true, 4, null, [], 4]);
  assert.ok((got.waitedSeconds ?? -1) >= 0);
});

test('signals are passed on to the command, and while it waits end the wait', async (t) => {
  const cwd = temporaryFolder(t);
  const running = start(
    t,
    ['lock', 'f', '--', 'sh', '-c', 'trap "echo got; exit 9" TERM; echo held; while read x; do :; done'],
    {
      cwd,
      input: null,
    },
  );
  await running.said('held\n');
  const waiting = start(t, ['lock', 'f', '--', 'echo', 'no'], { cwd });
  await until('the second waits', () => holders(join(cwd, 'f')).some((one) => one.waiting));
  waiting.kill('SIGTERM');
  const { code, stdout } = await waiting.done;
  assert.deepEqual([code, String(stdout)], [143, '']);
  running.kill('SIGTERM');
  running.write('\n');
  const ended = await running.done;
  assert.deepEqual([ended.code, String(ended.stdout)], [9, 'held\ngot\n']);
});

test('the lock lasts until the last child of the command has ended, or with -o until the command has', async (t) => {
  if (!peer(t, 'flock')) return;
  const cwd = temporaryFolder(t);
  const path = join(cwd, 'f');
  for (const [options, free] of [
    [[], false],
    [['-o'], true],
  ] as const) {
    const script = 'sleep 1000 </dev/null >/dev/null 2>&1 & echo $!';
    const { stdout } = await run(t, ['lock', ...options, 'f', '--', 'sh', '-c', script], { cwd });
    const sleeper = Number(String(stdout));
    assert.equal(flockIsFree(path), free, options.join());
    process.kill(sleeper, 'SIGKILL');
    await until('it has ended', () => !isAlive(sleeper));
    await until('it is free', () => flockIsFree(path));
  }
});

test('if it is killed, the command goes on and has the lock', async (t) => {
  if (!peer(t, 'flock')) return;
  const cwd = temporaryFolder(t);
  const running = start(t, ['lock', 'f', '--', 'sh', '-c', 'echo $$; exec sleep 1000 >/dev/null 2>&1'], { cwd });
  await running.said('');
  const [command] = await until('the command runs', () => {
    const found = children(running.pid);
    return found.length > 0 ? found : undefined;
  });
  t.after(() => isAlive(command as number) && process.kill(command as number, 'SIGKILL'));
  await until('it sleeps', () => readFileSync(`/proc/${command}/comm`, 'utf8').startsWith('sleep'));
  running.kill('SIGKILL');
  await running.done;
  assert.equal(flockIsFree(join(cwd, 'f')), false);
});

test('a descriptor of the shell is locked, converted and unlocked', async (t) => {
  if (!peer(t, 'flock')) return;
  const cwd = temporaryFolder(t);
  const lock = `"${process.execPath}" "${MAIN}" lock`;
  const script = `
    try() { if flock -n "$1" f true; then echo free; else echo taken; fi; }
    (
      ${lock} 9; try -x; try -s
      ${lock} -s 9; try -x; try -s
      ${lock} -u 9; try -x
    ) 9>f
    flock f sh -c '${lock} -n 8 8<f; echo $?'
    ${lock} 9; echo $?
    ${lock} -n 250; echo $?`;
  const shell = startProgram(t, 'sh', ['-c', script], { cwd });
  for (const line of ['taken', 'taken', 'taken', 'free', 'free', '1', '2', '2']) assert.equal(await shell.line(), line);
  assert.match(shell.errors(), /descriptor 9 is no file that the shell has opened.*descriptor 250 is no file/s);
});

test('what cannot be meant is 2, and makes nothing', async (t) => {
  const cwd = temporaryFolder(t);
  for (const [words, message] of [
    [[], /missing required argument 'path'/],
    [['f'], /needs a COMMAND, or --json/],
    [['-s', '-x', 'f', '--', 'true'], /one of --shared, --exclusive and --unlock/],
    [['-w', 'soon', 'f', '--', 'true'], /--wait takes seconds as 10 or 0.5, got soon/],
    [['-E', '256', 'f', '--', 'true'], /-E takes 0 to 255, got 256/],
    [['-u', 'f', '--', 'true'], /--unlock is for a descriptor/],
    [['-c', 'true', 'f', '--', 'true'], /cannot go together/],
    [['--sharde', 'f', '--', 'true'], /unknown option '--sharde'/],
  ] as const) {
    const { code, stderr } = await run(t, ['lock', ...words], { cwd });
    assert.equal(code, 2, `${words.join(' ')}: ${stderr}`);
    assert.match(stderr, message);
  }
  assert.equal(existsSync(join(cwd, 'f')), false);
});
