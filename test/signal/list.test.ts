import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import * as signal from '../../src/signal/index.js';

const STANDARD = Array.from({ length: 31 }, (_, index) => index + 1);
const REAL_TIME = Array.from({ length: 31 }, (_, index) => index + 34);

/** Standard actions as signal(7) has them; what is not here is Term. */
const ACTIONS = new Map(
  Object.entries({
    Core: 'QUIT ILL TRAP ABRT BUS FPE SEGV XCPU XFSZ SYS',
    Ign: 'CHLD URG WINCH',
    Stop: 'STOP TSTP TTIN TTOU',
    Cont: 'CONT',
  }).flatMap(([action, names]) => names.split(' ').map((name) => [`SIG${name}`, action] as [string, string])),
);

const SOURCES = new Map(
  Object.entries({
    self: 'ILL TRAP ABRT BUS FPE SEGV PIPE STKFLT XCPU XFSZ SYS',
    terminal: 'HUP INT QUIT TSTP TTIN TTOU WINCH',
  }).flatMap(([source, names]) => names.split(' ').map((name) => [`SIG${name}`, source] as [string, string])),
);

test('the list has every signal from 1 to 31 and every real-time one, in the order of their numbers', () => {
  assert.deepEqual(
    signal.list().map(({ number }) => number),
    [...STANDARD, ...REAL_TIME],
  );
  for (const { name, number, description } of signal.list()) {
    assert.equal(signal.toNumber(name), number);
    assert.equal(signal.toName(number), name);
    assert.ok(description.length > 5, name);
  }
});

test('numbers and names are those of the shell, from both ends of the real-time signals', () => {
  const shown = execFileSync('bash', ['-c', 'kill -l'], { encoding: 'utf8' });
  const shells = [...shown.matchAll(/(\d+)\) (\S+)/g)].map(([, number, name]) => [Number(number), name]);
  assert.deepEqual(
    signal.list().map(({ number, name }) => [number, name]),
    shells,
  );
});

test('action, source and whether it can be caught are those of signal(7)', () => {
  for (const { name, number, action, source, catchable } of signal.list()) {
    assert.equal(action, number < 32 ? (ACTIONS.get(name) ?? 'Term') : 'Term', name);
    assert.equal(source, SOURCES.get(name) ?? 'other', name);
    assert.equal(catchable, name !== 'SIGKILL' && name !== 'SIGSTOP', name);
  }
});

test('reserved are those that Node or interproc needs', () => {
  const reserved = signal.list().filter((one) => one.reserved);
  assert.deepEqual(
    reserved.map(({ name }) => name),
    ['SIGUSR1', 'SIGCHLD', 'SIGPROF', 'SIGRTMAX-2', 'SIGRTMAX-1'],
  );
});
