import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as signal from '../../src/signal/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { start } from '../support/program.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { peer } from '../support/skips.js';
import { isBlocked, isFree } from './support.js';

const { pid } = process;
const USR2 = signal.toNumber('SIGUSR2');

test('held signals stay pending in the whole process until they are released, and are handled then', async () => {
  const heard: string[] = [];
  const listener = (): void => void heard.push('listener');
  process.on('SIGUSR2', listener);
  using _handler = signal.handle('SIGUSR2', ({ value }) => heard.push(`handler ${value}`));
  const hold = signal.hold(['SIGUSR2', 'SIGWINCH']);
  assert.deepEqual(hold.signals, ['SIGUSR2', 'SIGWINCH']);
  assert.ok(isBlocked(USR2), 'in every thread');
  signal.queue(pid, 'SIGUSR2', 1);
  signal.queue(pid, 'SIGUSR2', 2);
  assert.deepEqual(signal.pending(), ['SIGUSR2']);
  assert.equal(signal.table(pid).find(({ name }) => name === 'SIGUSR2')?.pending, true);
  // A timer's signal that is handled later than a held one would have been proves that the held one is not.
  using alarm = signal.open('SIGALRM');
  using _timer = signal.timer('SIGALRM', { afterMs: 1 });
  await alarm.receive();
  assert.deepEqual(heard, []);
  hold.release();
  hold.release();
  assert.deepEqual(signal.pending(), []);
  await until('both have heard it', () => heard.length === 2);
  assert.deepEqual(heard.sort(), ['handler 1', 'listener'], 'the second had coalesced with the first');
  assert.ok(isFree(USR2));
  process.off('SIGUSR2', listener);
});

test('a signal is released when the last of several scopes releases it', () => {
  const first = signal.hold('SIGUSR2');
  {
    using _second = signal.hold(['SIGUSR2', 'SIGRTMIN+2']);
    first.release();
    assert.ok(isBlocked(USR2));
  }
  assert.ok(isFree(USR2));
});

test('a real-time signal that is held stays pending for its receiver, too', async () => {
  using signals = signal.open(['SIGRTMIN+1', 'SIGRTMIN+2']);
  const hold = signal.hold('SIGRTMIN+1');
  for (const value of [1, 2]) signal.queue(pid, 'SIGRTMIN+1', value);
  signal.queue(pid, 'SIGRTMIN+2', 3);
  assert.equal(signals.receiveSync().value, 3);
  assert.equal(signals.tryReceive(), undefined);
  assert.throws(() => signals.receiveSync({ timeoutMs: 1 }), { code: 'ETIMEDOUT' });
  assert.deepEqual(signal.pending(), ['SIGRTMIN+1']);
  const waiting = signals.receive();
  hold.release();
  assert.deepEqual([(await waiting).value, signals.receiveSync().value], [1, 2]);
  assert.ok(isBlocked(signal.toNumber('SIGRTMIN+1')), 'the receiver has it still');
});

test('wait takes exactly one, the lowest number first, and leaves the others pending', async (t) => {
  openPoller();
  const descriptors = countDescriptors();
  using _hold = signal.hold(['SIGUSR2', 'SIGTERM', 'SIGRTMIN+1']);
  for (const value of [1, 2, 3]) signal.queue(pid, 'SIGRTMIN+1', value);
  signal.kill(pid, 'SIGTERM');
  const sigs = ['SIGRTMIN+1', 'SIGTERM'];
  assert.equal((await signal.wait(sigs)).name, 'SIGTERM');
  assert.equal((await signal.wait(sigs)).value, 1);
  assert.equal(signal.waitSync(sigs).value, 2);
  assert.deepEqual(signal.pending(), ['SIGRTMIN+1']);
  assert.equal(signal.waitSync('SIGRTMIN+1', { timeoutMs: 0 }).value, 3);
  assert.deepEqual(signal.pending(), []);
  assert.equal(countDescriptors(), descriptors);
  const waiting = signal.wait('SIGUSR2');
  if (peer(t, 'python3')) {
    const python = start(t, 'python3', ['-c', `import os, signal; os.kill(${pid}, signal.SIGUSR2)`]);
    const { pid: from, code } = await waiting;
    assert.deepEqual([from, code], [python.pid, 'SI_USER']);
  } else {
    signal.kill(pid, 'SIGUSR2');
    await waiting;
  }
});

test('wait ends with its time or an abort, not before, and has taken nothing then', async () => {
  using _hold = signal.hold('SIGUSR2');
  const began = performance.now();
  await assert.rejects(signal.wait('SIGUSR2', { timeoutMs: 20 }), { code: 'ETIMEDOUT', syscall: 'sigtimedwait' });
  assert.throws(() => signal.waitSync('SIGUSR2', { timeoutMs: 20 }), { code: 'ETIMEDOUT', syscall: 'sigtimedwait' });
  assert.ok(performance.now() - began >= 40);
  await assert.rejects(signal.wait('SIGUSR2', { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  const controller = new AbortController();
  const aborted = signal.wait('SIGUSR2', { signal: controller.signal });
  controller.abort();
  signal.kill(pid, 'SIGUSR2');
  await assert.rejects(aborted, { name: 'AbortError' });
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  assert.equal((await signal.wait('SIGUSR2')).name, 'SIGUSR2');
  for (const timeoutMs of [-1, Number.NaN]) {
    await assert.rejects(signal.wait('SIGUSR2', { timeoutMs }), { code: 'ERR_INTERPROC_RANGE' });
  }
});

test('of several waits for a signal each gets one of those that were sent', async () => {
  using _hold = signal.hold('SIGRTMIN+1');
  const waits = [1, 2, 3].map(() => signal.wait('SIGRTMIN+1'));
  for (const value of [1, 2, 3]) signal.queue(pid, 'SIGRTMIN+1', value);
  const got = await Promise.all(waits);
  assert.deepEqual(got.map(({ value }) => value).sort(), [1, 2, 3]);
});

test('what cannot be held is refused, with the reason', async () => {
  for (const sig of ['SIGKILL', 'SIGSTOP']) {
    const refused = { name: 'IpcError', code: 'EINVAL', syscall: 'sigprocmask', hint: /the kernel lets nobody/ };
    assert.throws(() => signal.hold(sig), refused);
    await assert.rejects(signal.wait(sig), refused);
  }
  for (const sig of ['SIGCHLD', 'SIGUSR1', 'SIGSEGV', 'SIGRTMAX-1']) {
    assert.throws(() => signal.hold(sig), { code: 'ERR_INTERPROC_ARGUMENT' });
    assert.throws(() => signal.waitSync(sig), { code: 'ERR_INTERPROC_ARGUMENT' });
  }
  assert.throws(() => signal.hold([]), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.throws(() => signal.hold(['SIGUSR2', 'SIGKILL']));
  assert.ok(isFree(USR2), 'all or none');
});

test('the end of a worker releases what it holds', async (t) => {
  const worker = new Worker(new URL('../fixtures/signal-holding-worker.js', import.meta.url));
  t.after(() => worker.terminate());
  await once(worker, 'message');
  assert.ok(isBlocked(USR2));
  await worker.terminate();
  assert.ok(isFree(USR2));
});

test('1,000 rounds of holding and waiting leave no descriptor and no memory', (t) =>
  assertNothingLeaks(t, 'signal.wait', 1000));
