import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { main } from '../../src/cli/main.js';
import { temporaryFolder } from '../support/folder.js';
import { MAIN, run } from './cli.js';

const VERBS = ['tour', 'send', 'receive', 'relay', 'run', 'signals', 'kill', 'trap', 'sem', 'mkfifo', 'mknod'];

test('help lists every verb, and each verb explains itself with an example', async (t) => {
  const { code, stdout } = await run(t, ['--help']);
  assert.equal(code, 0);
  for (const verb of VERBS) {
    assert.match(String(stdout), new RegExp(`^ +${verb} `, 'm'));
    for (const words of [
      [verb, '--help'],
      ['help', verb],
    ]) {
      const shown = await run(t, words);
      assert.equal(shown.code, 0, shown.stderr);
      assert.match(String(shown.stdout), new RegExp(`Usage: interproc ${verb}`));
      assert.match(String(shown.stdout), new RegExp(`Examples:\\n(.*\\n)*  \\$ .*interproc ${verb}`));
    }
  }
});

test('the version is that of the package', async (t) => {
  const { code, stdout } = await run(t, ['--version']);
  assert.equal(code, 0);
  assert.match(String(stdout), /^\d+\.\d+\.\d+\n$/);
});

const WRONG: [words: string[], said: RegExp][] = [
  [[], /Usage: interproc/],
  [['tuor'], /unknown command 'tuor'\n\(Did you mean tour\?\)/],
  [['send'], /missing required argument 'url'/],
  [['send', 'mq:/q', 'and', 'more'], /too many arguments/],
  [['receive', '--lnies', 'mq:/q'], /unknown option '--lnies'/],
  [['send', 'fifoo:./f'], /there is no scheme "fifoo:".*did you mean fifo:\?/s],
  [['send', 'nothing'], /"nothing" has no scheme/],
  [['receive', 'mq:without-slash'], /slash/],
  [['receive', 'posixshm:without-slash'], /slash/],
  [['receive', 'mq:/q?maximum=3'], /unknown option "maximum".*known are/s],
  [['relay', 'fifo:./f'], /missing required argument 'to'/],
  [['relay', '--raw', 'shm:a', 'mq:/q'], /--raw needs a stream of bytes/],
  [['tour', '--only', 'pipe,mqq'], /no mechanism "mqq"; did you mean mq\?/],
  [['tour', '--messages', 'many'], /--messages is a whole number.*"many"/],
  [['tour', '--messages', '0'], /--messages is a whole number/],
  [['kill'], /missing required argument 'pid'/],
  [['kill', '0'], /PID is a whole number above 0, got "0"; a group is named by --group/],
  [['kill', '-s', 'TREM', '1'], /there is no signal named "SIGTREM"; did you mean SIGTERM\?/],
  [['kill', '-s', '65', '1'], /a signal is a number from 1 to 64, got 65/],
  [['kill', '-s', 'RTMIN+31', '1'], /SIGRTMIN\+31 is 65; real-time signals are 34/],
  [['kill', '-q', 'many', '1'], /VALUE is a whole number, got "many"/],
  [['kill', '-q', '1', '--group', '2'], /--group goes with neither --queue nor --pidfd/],
  [['kill', '--group', '1'], /pgid must be a whole number from 2/],
  [['kill', '-l', '200'], /72 is no signal/],
  [['trap'], /trap takes the pid of a process, got nothing/],
  [['trap', '0'], /trap takes the pid of a process, got "0"/],
  [['mkfifo'], /missing required argument 'name'/],
  [['mkfifo', ''], /NAME must not be empty/],
  [['mkfifo', '-m', 'u=q', 'f'], /MODE is octal as 640, or symbolic as u=rw,g=r, got "u=q"/],
  [['mkfifo', '-m', '1777', 'f'], /MODE is permission bits only, up to 777, got "1777"/],
  [['mknod', 'f'], /missing required argument 'type'/],
  [['mknod', 'f', 'x'], /TYPE is one of b, c, u and p, got "x"/],
  [['mknod', 'f', 'p', '1', '2'], /a FIFO has neither MAJOR nor MINOR/],
  [['mknod', 'f', 'c', '1'], /TYPE c needs MAJOR and MINOR/],
  [['mknod', 'f', 'b', '08', '1'], /MAJOR is decimal, octal \(0…\) or hexadecimal \(0x…\), got 08/],
  [['mknod', 'f', 'c', '4096', '1'], /device\.major must be a whole number from 0 to 4095, got 4096/],
];

for (const [words, said] of WRONG) {
  test(`wrong usage is exit code 2 and says what is wrong: interproc ${words.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await run(t, words);
    assert.match(stderr, said);
    assert.doesNotMatch(stderr, /^ +at /m, 'no stack trace');
    assert.equal(String(stdout), '');
    assert.equal(code, 2);
  });
}

test('what the kernel refuses is exit code 1, with a hint on the next line', async (t) => {
  const { code, stderr } = await run(t, ['receive', 'mq:/q?max=1000000']);
  assert.match(stderr, /^interproc receive: EINVAL.*\n {2}.*\/proc\/sys\/fs\/mqueue\/msg_max/);
  assert.equal(code, 1);
});

test('main answers the exit code to whoever calls it as a function', async (t) => {
  const said: string[] = [];
  t.mock.method(process.stderr, 'write', (text: string) => said.push(text) > 0);
  assert.equal(await main(['tour', '--input', '/no/such/file']), 1);
  assert.equal(said.join(''), "interproc tour: ENOENT: no such file or directory, open '/no/such/file'\n");
});

test('it runs through a symbolic link, as package managers install it', (t) => {
  const link = join(temporaryFolder(t), 'interproc');
  symlinkSync(MAIN, link);
  const { status, stdout } = spawnSync(process.execPath, [link, '--version'], { encoding: 'utf8' });
  assert.equal(status, 0);
  assert.match(stdout, /^\d/);
});

test('a reader that leaves early ends it without a word', () => {
  const command = 'node "$0" --help | true; node "$0" tour --only pipe --messages 100 --input "$0" --json | head -c 1';
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command, MAIN], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(stdout, '{');
  assert.equal(status, 0);
});
