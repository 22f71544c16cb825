/** `interproc mkfifo` and `interproc mknod`, beside the commands of that name. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseMode } from '../../src/cli/fileMode.js';
import { commandElsewhere } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { peer, skip } from '../support/skips.js';
import { openFolder } from '../fifo/support.js';
import { launch, MAIN, run } from './cli.js';

const UMASKS = [0, 0o022, 0o077, 0o137];
const WHO = ['', 'u', 'g', 'o', 'a', 'ug', 'go', 'uo', 'ugo'];
const WHAT = [
  '',
  'r',
  'w',
  'x',
  'X',
  's',
  't',
  'rw',
  'rwx',
  'wX',
  'u',
  'g',
  'o',
  'ug',
  'ru',
  'q',
  '7',
  '24',
  '777',
  '8',
];
const MODES = [
  ...['0', '7', '644', '0644', '00640', '000000000640', '777', '1000', '4755', '7777', '10000', '8', '6a', ''],
  ...WHO.flatMap((who) => ['+', '-', '='].flatMap((operator) => WHAT.map((what) => `${who}${operator}${what}`))),
  ...['u=rw,g=r,o=', 'u-w,g=u', 'g=o,o=u-w', 'a=,u+r', 'u+x,+X', '=r+w', 'u=rw+x-r', '+6-2', '+6,u-r', 'u+w,', ',u+w'],
  ...['rw', 'u', '+ r', 'u=r w', 'z=r', 'u=r,,g=r', '-', '+', '=', '=u', '-g,o=g', '+x,go-x', '=4000', '+1000,-1000'],
];

test('a mode means what mkfifo -m says that it means, and is refused where that refuses it', (t) => {
  if (!peer(t, 'mkfifo')) return;
  for (const umask of UMASKS) {
    const folder = temporaryFolder(t);
    const script = `umask "$1"; shift; number=0
      for mode; do mkfifo "--mode=$mode" "$number"; number=$((number + 1)); done`;
    spawnSync('sh', ['-c', script, 'sh', umask.toString(8), ...MODES], { cwd: folder });
    const made = new Set(readdirSync(folder));
    assert.ok(made.size > 100, `mkfifo made ${made.size}`);
    MODES.forEach((mode, number) => {
      const name = String(number);
      const theirs = made.has(name) ? lstatSync(join(folder, name)).mode & 0o7777 : undefined;
      let ours: number | undefined;
      try {
        ours = parseMode(mode, 0o666, umask);
      } catch (why) {
        assert.equal((why as Error).name, 'UsageError');
      }
      assert.equal(ours, theirs, `mode ${mode} with the umask ${umask.toString(8)}`);
    });
  }
});

interface Made {
  name: string;
  mode: string;
  device: number;
}

function madeIn(folder: string): Made[] {
  return readdirSync(folder).map((name) => {
    const { mode, rdev } = lstatSync(join(folder, name));
    return { name, mode: mode.toString(8), device: rdev };
  });
}

/** What a command makes in a folder in which `taken` is a file and `link` a dangling link, and whether it is content. */
async function outcome(
  t: TestContext,
  umask: string,
  command: readonly string[],
): Promise<{ ok: boolean; made: Made[] }> {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'taken'), '');
  symlinkSync('nowhere', join(folder, 'link'));
  const script = ['-c', 'umask "$1"; shift; exec "$@"', 'sh', umask, ...command];
  const { code, signal } = await launch(t, 'sh', script, { cwd: folder }).done;
  assert.equal(signal, null);
  return { ok: code === 0, made: madeIn(folder).filter(({ name }) => name !== 'taken' && name !== 'link') };
}

async function sameAs(t: TestContext, umask: string, [verb = '', ...words]: readonly string[]): Promise<void> {
  const [ours, theirs] = await Promise.all([
    outcome(t, umask, [process.execPath, MAIN, verb, ...words]),
    outcome(t, umask, [verb, ...words]),
  ]);
  assert.deepEqual(ours, theirs, `umask ${umask}; ${verb} ${words.join(' ')}`);
}

const SAME: [umask: string, words: string[]][] = [
  ['022', ['mkfifo', 'f', 'g']],
  ['077', ['mkfifo', 'f']],
  ['000', ['mkfifo', 'f']],
  ['077', ['mkfifo', '-m', '644', 'f', 'g']],
  ['022', ['mkfifo', '--mode=u=rw,g=w,o=', 'f']],
  ['027', ['mkfifo', 'f', '-m', '+w']],
  ['022', ['mkfifo', '-Z', 'f']],
  ['022', ['mkfifo', '--', '-m']],
  ['022', ['mkfifo', 'taken', 'f', 'none/g', 'link', 'h']],
  ['022', ['mkfifo', '-m', 'u+s', 'f']],
  ['022', ['mkfifo']],
  ['022', ['mknod', 'f', 'p']],
  ['022', ['mknod', '-m', '600', 'f', 'p']],
  ['022', ['mknod', 'f', 'p', '--mode', 'a-w']],
  ['022', ['mknod', 'f', 'c', '0', '0']],
  ['022', ['mknod', 'taken', 'p']],
  ['022', ['mknod', 'link', 'p']],
  ['022', ['mknod', 'f', 'p', '1', '2']],
  ['022', ['mknod', 'f', 'c', '1']],
  ['022', ['mknod', 'f', 'b']],
  ['022', ['mknod', 'f', 'x', '1', '2']],
  ['022', ['mknod', 'f', 'c', '09', '1']],
  ['022', ['mknod', 'f', 'c', '1', 'two']],
  ['022', ['mknod', 'f', 'c', '--', '-1', '1']],
  ['022', ['mknod', 'f', 'c', '5000', '1']],
  ['022', ['mknod', 'f', 'c', '1', '2', '3']],
  ['022', ['mknod', 'f']],
];

const SAME_FOR_ROOT: [umask: string, words: string[]][] = [
  ['022', ['mknod', 'f', 'c', '1', '3']],
  ['077', ['mknod', '-m', '666', 'f', 'u', '0x1', '03']],
  ['022', ['mknod', 'f', 'b', '07', '0X1f']],
  ['022', ['mknod', 'f', 'c', '4095', '1048575']],
  ['022', ['mknod', 'f', 'b', '+7', '0']],
];

for (const [umask, words] of SAME) {
  test(`with the umask ${umask} it does what the command does: ${words.join(' ')}`, async (t) => {
    if (peer(t, words[0] as string)) await sameAs(t, umask, words);
  });
}

for (const [umask, words] of SAME_FOR_ROOT) {
  test(`for root it does with the umask ${umask} what the command does: ${words.join(' ')}`, async (t) => {
    if (process.getuid?.() !== 0) return skip(t, 'root');
    if (peer(t, 'mknod')) await sameAs(t, umask, words);
  });
}

test('of several names those that can be are made, the others are told, with a hint, and the exit code is 1', async (t) => {
  const folder = temporaryFolder(t);
  const { code, stdout, stderr } = await run(t, ['mkfifo', 'none/f', 'f', 'f'], { cwd: folder });
  assert.equal(code, 1);
  assert.equal(String(stdout), '');
  assert.match(
    stderr,
    /^interproc mkfifo: ENOENT: .*, mkfifo 'none\/f'\n {2}the folder.*\ninterproc mkfifo: EEXIST: .*, mkfifo 'f'\n {2}.*\n$/,
  );
  assert.deepEqual(readdirSync(folder), ['f']);
});

test('--json tells what was made', async (t) => {
  const folder = temporaryFolder(t);
  const options = { cwd: folder };
  const several = await run(t, ['mkfifo', '--json', '-m', '620', 'f', 'none/g', 'h'], options);
  assert.equal(several.code, 1);
  const fifo = { type: 'fifo', mode: '0620', device: null };
  assert.deepEqual(JSON.parse(String(several.stdout)), {
    made: [
      { path: 'f', ...fifo },
      { path: 'h', ...fifo },
    ],
  });
  const one = await run(t, ['mknod', '--json', '-m', 'u=r,go=', 'd', 'c', '0', '0x0'], options);
  assert.equal(one.code, 0, one.stderr);
  const device = { major: 0, minor: 0 };
  assert.deepEqual(JSON.parse(String(one.stdout)), {
    made: [{ path: 'd', type: 'character', mode: '0400', device }],
  });
});

test('a device that this user may not make is exit code 1, and the hint says what it would take', async (t) => {
  const folder = openFolder(t, 0o777);
  const command = [process.execPath, MAIN, 'mknod', join(folder, 'd'), 'c', '1', '3'];
  const words = commandElsewhere(t, command, { asNobody: process.getuid?.() === 0 });
  if (words === undefined) return;
  const { code, stderr } = await launch(t, words[0] as string, words.slice(1)).done;
  assert.equal(code, 1);
  assert.match(stderr, /^interproc mknod: EPERM: .*\n {2}making a device needs CAP_MKNOD/);
});

test('a label for SELinux is passed over where there is none, with a warning, as the commands do', async (t) => {
  const folder = temporaryFolder(t);
  const { code, stderr } = await run(t, ['mkfifo', '--context=system_u:object_r:tmp_t:s0', 'f'], { cwd: folder });
  const made = readdirSync(folder);
  if (code === 0) {
    assert.match(stderr, /^interproc mkfifo: warning: --context is ignored/);
    assert.deepEqual(made, ['f']);
  } else {
    // This machine has labels: it is refused, and nothing is made.
    assert.match(stderr, /^interproc mkfifo: mkfifo sets no security labels: .*chcon/);
    assert.deepEqual([code, made], [2, []]);
  }
});
