import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import * as signal from '../../src/signal/index.js';
import { isAlive, until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { commandElsewhere } from '../support/elsewhere.js';
import { launch, MAIN, run } from './cli.js';

/** Names that /bin/kill has where the shell and we have another, by number, with the reason. */
const ALIASES: Record<number, { theirs: string; reason: string }> = {
  29: { theirs: 'POLL', reason: 'signal(7): SIGPOLL is a synonym for SIGIO' },
};

/** Numbers and names as a table of kill shows them, names without SIG. */
function shown(text: string): [number, string][] {
  const found = text.matchAll(/(\d+)\)? (?:SIG)?([A-Z][A-Z0-9+-]*)/g);
  return [...found].map(([, number, name = '']) => [Number(number), name]);
}

test('kill -L agrees with the shell’s kill -l in all, and with /bin/kill -L in all that it shows', async (t) => {
  const ours = shown(String((await run(t, ['kill', '-L'])).stdout));
  const numbers = Array.from({ length: 64 }, (_, index) => index + 1).filter((number) => number < 32 || number > 33);
  assert.deepEqual(
    ours.map(([number]) => number),
    numbers,
  );
  assert.deepEqual(ours, shown(execFileSync('bash', ['-c', 'kill -l'], { encoding: 'utf8' })));
  const procps = shown(execFileSync('/bin/kill', ['-L'], { encoding: 'utf8' }));
  assert.equal(procps.length, 31);
  for (const [index, [number, theirs]] of procps.entries()) {
    const [ourNumber, name] = ours[index] as [number, string];
    assert.equal(number, ourNumber);
    assert.equal(theirs, ALIASES[number]?.theirs ?? name, ALIASES[number]?.reason ?? `${number}`);
  }
});

test('kill -l names them without numbers, and translates words both ways, exit codes too', async (t) => {
  const names = String((await run(t, ['kill', '-l'])).stdout)
    .trim()
    .split('\n');
  assert.deepEqual([names.length, names[0], names[61]], [62, 'HUP', 'RTMAX']);
  const { stdout } = await run(t, ['kill', '-l', '15', '143', 'TERM', 'sigterm', 'RTMIN+1', '62']);
  assert.equal(String(stdout), `TERM\nTERM\n15\n15\n${signal.toNumber('SIGRTMIN+1')}\nRTMAX-2\n`);
});

test('signals --json is the list, and without --json each of them is in the table', async (t) => {
  assert.deepEqual(JSON.parse(String((await run(t, ['signals', '--json'])).stdout)), signal.list());
  const table = String((await run(t, ['signals'])).stdout);
  for (const { name, description } of signal.list())
    assert.ok(table.includes(` ${name} `) && table.includes(description), name);
});

test('kill -s -q sends a value, as sigqueue does, also through a pidfd', async (t) => {
  using signals = signal.open('SIGRTMIN+1');
  for (const ways of [[], ['--pidfd']]) {
    const sender = launch(t, process.execPath, [
      MAIN,
      'kill',
      ...ways,
      '-s',
      'RTMIN+1',
      '-q',
      '-42',
      String(process.pid),
    ]);
    const got = await signals.receive();
    assert.deepEqual([got.code, got.pid, got.uid, got.value], ['SI_QUEUE', sender.pid, process.getuid?.(), -42]);
    assert.equal((await sender.done).code, 0);
    await run(t, ['kill', ...ways, '-s', String(got.number), '-q', '0x10000000007', String(process.pid)]);
    assert.equal((await signals.receive()).pointer, 2n ** 40n + 7n);
    await run(t, ['kill', ...ways, '-s', 'sigrtmin+1', String(process.pid)]);
    assert.equal((await signals.receive()).code, 'SI_USER');
  }
});

test('kill --group reaches every process of the group', async (t) => {
  const group = start(t, 'setsid', ['sh', '-c', 'sleep 1000 & echo $! $$; wait']);
  const [child, leader] = (await group.line()).split(' ').map(Number);
  assert.equal((await run(t, ['kill', '--group', '-s', '0', String(leader)])).code, 0);
  assert.equal((await run(t, ['kill', '--group', '-s', 'KILL', String(leader)])).code, 0);
  await group.ended;
  await until('its other process is gone, too', () => !isAlive(child as number));
  const gone = await run(t, ['kill', '--group', NOBODY]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /ESRCH.*killpg '\d+'\n {2}no process is in this group/);
});

test('of several processes the others are sent to when one cannot be, and the exit code is 1', async (t) => {
  for (const ways of [[], ['--pidfd']]) {
    const sleeper = start(t, 'sleep', ['1000']);
    const { code, stderr } = await run(t, ['kill', ...ways, NOBODY, String(sleeper.pid)]);
    assert.equal(code, 1);
    assert.match(stderr, /^interproc kill: ESRCH: no such process, \w+ '\d+'\n {2}no process has this pid\n$/);
    assert.deepEqual(await sleeper.ended, { code: null, signal: 'SIGTERM' });
  }
});

test('another user’s process is EPERM, and the hint says what it would take', async (t) => {
  const words = commandElsewhere(t, [process.execPath, MAIN, 'kill', '-s', '0', String(process.pid)], {
    asNobody: true,
  });
  if (words === undefined) return;
  const { code, stderr } = await launch(t, words[0] as string, words.slice(1)).done;
  assert.equal(code, 1);
  assert.match(stderr, /^interproc kill: EPERM.*\n {2}.*CAP_KILL/);
});

const PYTHON = `
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
signal.signal(signal.SIGTERM, lambda *_: None)
print('ready', flush=True)
sys.stdin.readline()
`;

/** A pid that no process has, now or later. */
const NOBODY = String(Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')) + 1);

test('trap PID says of a python program that ignores SIGHUP, blocks SIGUSR2 and handles SIGTERM just that', async (t) => {
  if (!peer(t, 'python3')) return;
  const python = start(t, 'python3', ['-c', PYTHON]);
  assert.equal(await python.line(), 'ready');
  const states = JSON.parse(String((await run(t, ['trap', '--json', String(python.pid)])).stdout));
  assert.deepEqual(states, signal.table(python.pid));
  const named = (which: 'caught' | 'ignored' | 'blocked' | 'pending'): string[] =>
    (states as signal.SignalState[]).filter((state) => state[which]).map(({ name }) => name);
  // What python does by itself: it handles SIGINT, and ignores SIGPIPE and SIGXFSZ.
  assert.deepEqual(named('caught'), ['SIGINT', 'SIGTERM']);
  assert.deepEqual(named('ignored'), ['SIGHUP', 'SIGPIPE', 'SIGXFSZ']);
  assert.deepEqual(named('blocked'), ['SIGUSR2']);
  assert.deepEqual(named('pending'), []);
  const table = String((await run(t, ['trap', String(python.pid)])).stdout);
  assert.match(table, /│ SIGHUP +│ ignored +│ +│ +│/);
  assert.match(table, /│ SIGUSR2 +│ default +│ blocked +│ +│/);
  assert.match(table, /│ SIGTERM +│ caught +│ +│ +│/);
  assert.equal(table.split('\n').filter((line) => line.includes('SIG')).length, 6);
  assert.match(String((await run(t, ['trap', '--all', String(python.pid)])).stdout), /│ SIGCONT +│ default/);
});

test('trap of a process that is gone is exit code 1', async (t) => {
  const { code, stderr } = await run(t, ['trap', NOBODY]);
  assert.equal(code, 1);
  assert.match(stderr, /^interproc trap: ESRCH/);
});
