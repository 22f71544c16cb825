import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants } from 'node:os';
import { test } from 'node:test';
import * as signal from '../../src/signal/index.js';
import { peer } from '../support/skips.js';

test('names and numbers of standard signals are those of the running system', () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    assert.equal(signal.toNumber(name), number);
    assert.equal(signal.toNumber(signal.toName(number)), number);
  }
  assert.equal(signal.toName(15), 'SIGTERM');
  assert.equal(signal.toName(6), 'SIGABRT');
});

test('real-time signals count from both ends, as the running libc counts', (t) => {
  const { first, last } = signal.realTimeRange();
  assert.deepEqual([signal.toNumber('SIGRTMIN'), signal.toNumber('SIGRTMAX')], [first, last]);
  assert.equal(signal.toNumber('SIGRTMIN+3'), first + 3);
  assert.equal(signal.toNumber('SIGRTMAX-2'), last - 2);
  assert.equal(signal.toName(first + 3), 'SIGRTMIN+3');
  assert.equal(signal.toName(first), 'SIGRTMIN');
  assert.equal(signal.toName(last), 'SIGRTMAX');
  if (!peer(t, 'python3')) return;
  const print = 'import signal; print(int(signal.SIGRTMIN), int(signal.SIGRTMAX))';
  assert.equal(execFileSync('python3', ['-c', print], { encoding: 'utf8' }), `${first} ${last}\n`);
});

test('what names no signal is refused, with a suggestion where there is one', () => {
  const { last } = signal.realTimeRange();
  assert.throws(() => signal.toNumber('TERM'), {
    name: 'TypeError',
    code: 'ERR_INTERPROC_NAME',
    message: /did you mean SIGTERM\?/,
  });
  for (const name of ['', 'SIGNONE', 'SIGRT', 'SIGRTMIN+', 'sigterm', 'SIGRTMIN+1x']) {
    assert.throws(() => signal.toNumber(name), { code: 'ERR_INTERPROC_NAME' });
  }
  for (const sig of ['SIGRTMIN-1', 'SIGRTMAX+1', 'SIGRTMIN+99', -1, 0, last + 1, 1.5, Number.NaN]) {
    assert.throws(() => signal.toNumber(sig), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => signal.toNumber(undefined as never), { code: 'ERR_INTERPROC_ARGUMENT' });
  for (const number of [0, -1, 32, 33, last + 1, 1.5])
    assert.throws(() => signal.toName(number), { code: 'ERR_INTERPROC_RANGE' });
});
